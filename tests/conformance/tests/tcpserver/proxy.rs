//! Connections of balancers, which the original does not know.

use std::io::{Read, Write};
use std::net::Shutdown;

use harness::{Answer, Dns, Side, until};

use super::{PLAIN, Server, compile, has_ipv6};

const SHOW: [&str; 3] = [
    "sh",
    "-c",
    "echo $PROTO $TCPLOCALIP $TCPLOCALPORT $TCPREMOTEIP $TCPREMOTEPORT $A; read x; echo $x",
];

/// Version 2 of the header, for IPv4.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\0\x19";

fn start(side: &Side, options: &[&str]) -> Server {
    Server::start(side, &[&PLAIN[..], options].concat(), "127.0.0.1", &SHOW)
}

/// The same for IPv6, with the ends of [`LINE_SIX`].
const BINARY_SIX: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
    \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x02";

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n";
const LINE_SIX: &[u8] = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n";
/// What programs are told for the headers of either family.
const FOUR: &str = "TCP 198.51.100.7 25 192.0.2.1 56324\nhello\n";
const SIX: &str = "TCP6 2001:db8::2 2 2001:db8::1 1\nhello\n";

/// What a client gets that sends `pieces`, one after the other.
fn told(server: &mut Server, from: &str, pieces: &[&[u8]]) -> String {
    let mut client = server.connect(if from.contains(':') { "::1" } else { "127.0.0.1" }, from);
    client.set_nodelay(true).unwrap();
    for piece in pieces {
        client.write_all(piece).unwrap();
    }
    let _ = client.shutdown(Shutdown::Write); // the server may have been faster
    let mut got = Vec::new();
    let _ = client.read_to_end(&mut got); // a reset is an end, too
    String::from_utf8(got).unwrap()
}

#[test]
fn programs_are_told_of_the_client() {
    let dns = Dns::start(|_, _| Answer::NoName);
    let nobody = [("DNSCACHEIP", &*dns.place())];
    for mode in [&[][..], &["-hr"]] {
        let side = Side::ours();
        let options = [&PLAIN[..], mode, &["-a127.0.0.0/30,::1"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &SHOW, &nobody);
        for (header, expected) in [(LINE, FOUR), (BINARY, FOUR), (LINE_SIX, SIX), (BINARY_SIX, SIX)]
        {
            let whole = [header, b"hello\n"].concat();
            assert_eq!(told(&mut server, "127.0.0.1", &[&whole]), expected);
            let each: Vec<&[u8]> = whole.chunks(1).collect();
            assert_eq!(told(&mut server, "127.0.0.2", &each), expected);
        }
        server.ended(8);
        let log = server.log();
        assert!(log.contains("tcpserver: pid PID from 192.0.2.1\n"), "{log}");
        assert!(log.contains(":198.51.100.7:25 :192.0.2.1::56324\n"), "{log}");
        // Others are clients, whatever they say.
        let got = told(&mut server, "127.0.0.9", &[b"PROXY UNKNOWN\r\n"]);
        assert!(got.contains(" 127.0.0.9 ") && got.ends_with("\nPROXY UNKNOWN\r\n"), "{got}");
    }
}

#[test]
fn balancers_come_by_either_family_on_one_socket() {
    if !has_ipv6() {
        return;
    }
    let headers = [(LINE, FOUR), (BINARY, FOUR), (LINE_SIX, SIX), (BINARY_SIX, SIX)];
    for (balancers, balancer, client) in [
        ("-a127.0.0.1", "127.0.0.1", "::1"),
        ("-a::1", "::1", "127.0.0.1"),
        ("-a127.0.0.0/8,2001:db8::/32", "127.0.0.9", "::1"),
        ("-a::/64", "::1", "127.0.0.1"),
    ] {
        let side = Side::ours();
        compile(&side, "192.0.2.1:allow\n2001:db8::1:allow\n:deny,DIEMSG=\"550 no\"\n");
        let options = [&PLAIN[..], &[balancers, "-x", "cdb"]].concat();
        let mut server = Server::start(&side, &options, "0", &SHOW);
        for (header, expected) in headers {
            let got = told(&mut server, balancer, &[header, b"hello\n"]);
            assert_eq!(got, expected, "{balancers}");
        }
        // Who is no balancer is a client, whatever it says.
        assert_eq!(told(&mut server, client, &[LINE]), "550 no\r\n", "{balancers}");
        server.ended(5);
        let log = server.log();
        assert!(log.contains("tcpserver: pid PID from 2001:db8::1\n"), "{log}");
        assert!(log.contains(" local:2001:db8::2:2 :2001:db8::1::1\n"), "{log}");
    }
}

#[test]
fn a_balancer_may_speak_for_itself() {
    let side = Side::ours();
    let mut server = start(&side, &["-a", "127.0.0.1"]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    for header in [&b"PROXY UNKNOWN\r\n"[..], local] {
        let got = told(&mut server, "127.0.0.1", &[header, b"hello\n"]);
        assert!(got.contains(" 127.0.0.1 ") && got.ends_with("\nhello\n"), "{got}");
    }
}

#[test]
fn rules_and_limits_see_the_client() {
    let side = Side::ours();
    compile(&side, "192.0.2.1:allow,A=\"a\"\n192.0.2.2:deny\n127.:deny\n:allow,MAXCONNIP=\"1\"\n");
    let mut server = start(&side, &["-a127.0.0.1", "-x", "cdb"]);
    let header = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 1 2\r\n");
    let mut ask =
        |client: &str| told(&mut server, "127.0.0.1", &[header(client).as_bytes(), b"x\n"]);
    assert_eq!(ask("192.0.2.1"), "TCP 127.0.0.1 2 192.0.2.1 1 a\nx\n");
    assert_eq!(ask("192.0.2.2"), "");
    let mut held = server.connect("127.0.0.1", "127.0.0.1");
    held.write_all(header("192.0.2.3").as_bytes()).unwrap();
    let mut first = [0; 1];
    held.read_exact(&mut first).unwrap();
    let mut ask =
        |client: &str| told(&mut server, "127.0.0.1", &[header(client).as_bytes(), b"x\n"]);
    assert_eq!(ask("192.0.2.3"), "");
    assert_eq!(ask("192.0.2.4"), "TCP 127.0.0.1 2 192.0.2.4 1\nx\n");
    assert!(until(|| server.log().contains(":192.0.2.3::1 MAXCONNIP:1\n")), "{}", server.log());
}

#[test]
fn a_malformed_header_is_refused() {
    let side = Side::ours();
    let mut server = start(&side, &["-a127.0.0.1"]);
    let wrong: [&[u8]; 4] = [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x07\xdc\x04\0",
    ];
    for (count, wrong) in (1..).zip(wrong) {
        assert_eq!(told(&mut server, "127.0.0.1", &[wrong]), "");
        server.ended(count);
    }
    let warning =
        "tcpserver: warning: dropping connection, malformed PROXY header from 127.0.0.1\n";
    let end = "tcpserver: end PID status 28416\ntcpserver: status: 0/40\n";
    let log = server.log();
    assert_eq!(log.matches(&format!("{warning}{end}")).count(), 4, "{log}");
    // One that only looks whether the server is there.
    assert_eq!(told(&mut server, "127.0.0.1", &[]), "");
    assert_eq!(told(&mut server, "127.0.0.1", &[b"PROXY TCP4"]), "");
    server.ended(6);
    assert!(server.log().contains("dropping connection, no PROXY header from 127.0.0.1\n"));
}

#[test]
fn who_does_not_speak_in_time_is_dropped_and_holds_nobody_up() {
    let side = Side::ours();
    let mut server = start(&side, &["-a127.0.0.1", "-w6"]);
    let mut silent: Vec<_> = (0..10).map(|_| server.connect("127.0.0.1", "127.0.0.1")).collect();
    silent[0].write_all(b"PROXY TCP4 192.0.2.1").unwrap();
    server.background.hears("tcpserver: status: 10/40\n");
    let got = told(&mut server, "127.0.0.1", &[b"PROXY UNKNOWN\r\nx\n"]);
    assert!(got.ends_with("\nx\n"), "{got}");
    for client in &mut silent {
        assert_eq!(client.read(&mut [0; 9]).unwrap_or(0), 0);
    }
    server.ended(11);
    let warning = "dropping connection, no PROXY header from 127.0.0.1: timed out\n";
    assert_eq!(server.log().matches(warning).count(), 10, "{}", server.log());
}
