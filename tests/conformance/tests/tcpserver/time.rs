//! Connections that may not last for ever, which the original does not have.

use std::io::Read;
use std::net::TcpStream;

use harness::{Answer, Dns, Side, sometime, until};

use super::{PLAIN, Server, compile};

/// The options, with and without a child of the server's own that looks the client's name up.
fn modes() -> [Vec<&'static str>; 2] {
    [PLAIN.to_vec(), [&PLAIN[..], &["-h"]].concat()]
}

fn nobody() -> Dns {
    Dns::start(|_, _| Answer::NoName)
}

fn ends_by(server: &Server, why: &str, status: &str) {
    let timeout = format!("tcpserver: timeout PID {why}\n");
    let end = format!("tcpserver: end PID status {status}\n");
    let is_told = || {
        let log = server.log();
        log.contains(&timeout) && log.contains(&end)
    };
    assert!(until(is_told), "{}", server.log());
}

#[test]
fn a_connection_lasts_so_long() {
    for mode in modes() {
        let (side, dns) = (Side::ours(), nobody());
        let nobody = [("DNSCACHEIP", &*dns.place())];
        let options = [&mode[..], &["-T1"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &["cat"], &nobody);
        // The program sees the end of its connection, and ends by itself.
        assert_eq!(server.ask(), b"");
        ends_by(&server, "lifetime", "0");
    }
}

#[test]
fn a_rule_says_how_long() {
    for mode in modes() {
        let (side, dns) = (Side::ours(), nobody());
        let nobody = [("DNSCACHEIP", &*dns.place())];
        compile(&side, "127.0.0.2:allow,MAXTIME=\"0\"\n:allow,MAXTIME=\"1\"\n");
        let options = [&mode[..], &["-x", "cdb", "-T", "1"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &["cat"], &nobody);
        let mut free = server.connect("127.0.0.1", "127.0.0.2");
        assert_eq!(server.ask(), b"");
        ends_by(&server, "lifetime", "0");
        echoes(&mut free);
    }
}

#[test]
fn a_rule_says_how_long_it_may_be_quiet() {
    for mode in modes() {
        let (side, dns) = (Side::ours(), nobody());
        let nobody = [("DNSCACHEIP", &*dns.place())];
        compile(&side, "127.0.0.2:allow,MAXIDLE=\"\"\n:allow,MAXIDLE=\"1\"\n");
        let options = [&mode[..], &["-x", "cdb", "-i", "1"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &["cat"], &nobody);
        let mut free = server.connect("127.0.0.1", "127.0.0.2");
        assert_eq!(server.ask(), b"");
        ends_by(&server, "idle", "0");
        echoes(&mut free);
    }
}

#[test]
fn the_environment_says_how_long() {
    for mode in modes() {
        for (variable, off, why) in [("MAXTIME", "-T0", "lifetime"), ("MAXIDLE", "-i0", "idle")] {
            let (side, dns) = (Side::ours(), nobody());
            let place = dns.place();
            let variables = [("DNSCACHEIP", &*place), (variable, "1")];
            let mut server = Server::start_with(&side, &mode, "127.0.0.1", &["cat"], &variables);
            // An option goes before it.
            let options = [&mode[..], &[off]].concat();
            let mut other = Server::start_with(&side, &options, "127.0.0.1", &["cat"], &variables);
            let mut free = other.connect("127.0.0.1", "127.0.0.1");
            assert_eq!(server.ask(), b"");
            ends_by(&server, why, "0");
            echoes(&mut free);
        }
    }
}

/// The connection is still there.
fn echoes(client: &mut TcpStream) {
    std::io::Write::write_all(client, b"still\n").unwrap();
    let mut still = [0; 6];
    client.read_exact(&mut still).unwrap();
    assert_eq!(&still, b"still\n");
}

#[test]
fn a_program_that_ignores_the_end_and_term_is_killed() {
    let side = Side::ours();
    let options = [&PLAIN[..], &["-T1"]].concat();
    let script = "trap '' TERM; echo hello; while :; do sleep 1; done";
    let mut server = Server::start(&side, &options, "127.0.0.1", &["sh", "-c", script]);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"hello\n");
    ends_by(&server, "lifetime", "9");
}

#[test]
fn only_a_quiet_connection_is_idle() {
    for mode in modes() {
        let (side, dns) = (Side::ours(), nobody());
        let nobody = [("DNSCACHEIP", &*dns.place())];
        let options = [&mode[..], &["-i2"]].concat();
        let script = "for i in 1 2 3 4; do echo $i; sleep 1; done; read x";
        let program = ["sh", "-c", script];
        // On a busy machine a second may become two.
        sometime(|| {
            let mut server = Server::start_with(&side, &options, "127.0.0.1", &program, &nobody);
            let got = server.ask();
            if got != b"1\n2\n3\n4\n" {
                return Err(String::from_utf8(got));
            }
            ends_by(&server, "idle", "256");
            Ok(())
        });
    }
}

#[test]
fn a_client_that_reads_nothing_is_idle() {
    let side = Side::ours();
    let options = [&PLAIN[..], &["-i1"]].concat();
    let mut server = Server::start(&side, &options, "127.0.0.1", &["cat", "/dev/zero"]);
    let _client = server.connect("127.0.0.1", "127.0.0.1");
    // The kernel asks for room all the time, and is told that there is none.
    assert!(until(|| server.log().contains(" idle")), "{}", server.log());
    server.ended(1);
}

/// Whether there is keepalive on descriptor 0, and if so after how many seconds.
const KEEP_ALIVE: &str = "import socket
s = socket.socket(fileno=0)
on = s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
after = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) if on else ''
s.send(f'{on} {after}'.encode())";

#[test]
fn the_kernel_asks_whether_a_quiet_client_is_there() {
    let Some(python) = harness::client_words("python3") else { return };
    let python: Vec<&str> = python.iter().map(String::as_str).collect();
    for mode in modes() {
        let (side, dns) = (Side::ours(), nobody());
        compile(&side, ":allow,TCPKEEPALIVE=\"99\"\n");
        let place = dns.place();
        let asked = |options: &[&str], value: &str| {
            let options = [&mode[..], options].concat();
            let variables = [("DNSCACHEIP", &*place), ("TCPKEEPALIVE", value)];
            let program = [&python[..], &["-c", KEEP_ALIVE]].concat();
            let mut server = Server::start_with(&side, &options, "127.0.0.1", &program, &variables);
            String::from_utf8(server.ask()).unwrap()
        };
        assert_eq!(asked(&[], ""), "0 ");
        assert_eq!(asked(&[], "55"), "1 55");
        assert_eq!(asked(&["-K77"], "55"), "1 77");
        assert_eq!(asked(&["-K0"], "55"), "0 ");
        assert_eq!(asked(&["-K77", "-x", "cdb"], "55"), "1 99");
        assert_eq!(asked(&["-K", "4000000"], ""), "1 32767");
    }
}
