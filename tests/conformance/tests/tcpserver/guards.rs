//! Limits on what a client may take, which the original does not have.

use std::io::Read;
use std::net::TcpStream;

use harness::{Answer, Dns, Side, until};

use super::{PLAIN, Server, compile};

/// Holds its connection until the client says something.
const HOLD: [&str; 3] = ["sh", "-c", "echo hello; read x"];

fn start(side: &Side, options: &[&str]) -> Server {
    Server::start(side, &[&PLAIN[..], options].concat(), "0.0.0.0", &HOLD)
}

/// A connection from `from` that has its program.
fn held(server: &mut Server, from: &str) -> TcpStream {
    let mut client = server.connect("127.0.0.1", from);
    let mut hello = [0; 6];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
    client
}

/// What a client from `from` is told that is refused.
fn refused(server: &mut Server, from: &str) -> String {
    String::from_utf8(server.get("127.0.0.1", from)).unwrap()
}

/// Waits for a line of the log that says why somebody was refused.
fn denied(server: &Server, why: &str) {
    let is_told = || server.log().lines().any(|l| l.contains(" deny ") && l.ends_with(why));
    assert!(until(is_told), "{}", server.log());
}

#[test]
fn an_address_has_so_many_connections() {
    let side = Side::ours();
    let mut server = start(&side, &["-C", r"2:421 enough\r\n"]);
    let first = held(&mut server, "127.0.0.1");
    let _second = held(&mut server, "127.0.0.1");
    assert_eq!(refused(&mut server, "127.0.0.1"), "421 enough\r\n");
    denied(&server, " MAXCONNIP:2");
    let _other = held(&mut server, "127.0.0.2");
    drop(first);
    server.ended(2);
    let _again = held(&mut server, "127.0.0.1");
}

#[test]
fn a_network_has_so_many_connections() {
    let side = Side::ours();
    let mut server = start(&side, &["-N2", "-m", "421 all of you"]);
    let _held = ["127.0.0.1", "127.0.0.2"].map(|from| held(&mut server, from));
    assert_eq!(refused(&mut server, "127.0.0.3"), "421 all of you\r\n");
    denied(&server, " MAXCONNC:2");
    let _other = held(&mut server, "127.0.1.1");
    let mut server = start(&side, &["-N2/16"]);
    let _held = ["127.0.0.1", "127.0.1.2"].map(|from| held(&mut server, from));
    assert_eq!(refused(&mut server, "127.0.2.3"), "");
    let _other = held(&mut server, "127.1.1.1");
}

#[test]
fn an_address_connects_so_often_a_minute() {
    let side = Side::ours();
    let options = [&PLAIN[..], &["-f3"]].concat();
    let mut server = Server::start(&side, &options, "127.0.0.1", &["echo", "ok"]);
    for _ in 0..3 {
        assert_eq!(server.ask(), b"ok\n");
    }
    assert_eq!(server.ask(), b"");
    denied(&server, " MAXRATE:3");
    assert_eq!(server.get("127.0.0.1", "127.0.0.9"), b"ok\n");
}

/// With and without a child of the server's own that looks the client's name up.
const MODES: [&[&str]; 2] = [&[], &["-h"]];

#[test]
fn rules_set_limits() {
    for mode in MODES {
        let side = Side::ours();
        compile(
            &side,
            "127.0.0.1:allow,MAXCONNIP=\"1\",DIEMSG=\"421 one\",DIEMSG_MAXCONNIP=\"421 is enough\"\n\
             127.0.0.2:allow,MAXLOAD=\"0\",DIEMSG=\"421 busy\"\n\
             127.0.0.3:allow,MAXRATE=\"0\"\n\
             127.0.0.4:allow,MAXCONNC=\"0\",DIEMSG_MAXLOAD=\"wrong\"\n\
             127.0.0.5:deny,DIEMSG=\"550 go away\"\n\
             127.0.0.6:allow,MAXCONNIP=\"\"\n\
             127.0.0.7:allow,MAXCONNIP=\"many\"\n",
        );
        let dns = Dns::start(|_, _| Answer::NoName);
        let place = dns.place();
        let nobody = [("DNSCACHEIP", &*place), ("MAXCONNIP", "0"), ("DIEMSG", "421 all")];
        let options = [&PLAIN[..], mode, &["-x", "cdb"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &HOLD, &nobody);
        let _one = held(&mut server, "127.0.0.1");
        for (client, told, why) in [
            ("127.0.0.1", "421 is enough\r\n", " MAXCONNIP:1"),
            ("127.0.0.3", "421 all\r\n", " MAXCONNIP:0"),
            ("127.0.0.4", "421 all\r\n", " MAXCONNIP:0"),
            ("127.0.0.5", "550 go away\r\n", ":CLIENT"),
            ("127.0.0.9", "421 all\r\n", " MAXCONNIP:0"),
        ] {
            assert_eq!(refused(&mut server, client), told, "{client}");
            denied(&server, why);
        }
        assert_eq!(refused(&mut server, "127.0.0.2"), "421 busy\r\n");
        assert!(until(|| server.log().contains(" MAXLOAD:")));
        let _six = held(&mut server, "127.0.0.6");
        assert_eq!(refused(&mut server, "127.0.0.7"), "");
        let warning = "tcpserver: warning: dropping connection, no number in MAXCONNIP\n";
        server.background.hears(warning);
    }
}

/// Waits until the load average of the machine is above 0.01; it is only ever less where nothing else runs.
fn busy() {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let is_busy = until(|| unix::load::average().unwrap() > 1);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(is_busy);
    });
}

#[test]
fn load_above_the_limit_refuses() {
    for mode in MODES {
        let side = Side::ours();
        compile(
            &side,
            "127.0.0.2:allow,MAXLOAD=\"1\",DIEMSG_MAXLOAD=\"421 busy\"\n\
             127.0.0.3:allow,MAXLOAD=\"100000\"\n",
        );
        let dns = Dns::start(|_, _| Answer::NoName);
        let place = dns.place();
        let variables = [("DNSCACHEIP", &*place), ("MAXLOAD", "1")];
        let options = [&PLAIN[..], mode, &["-x", "cdb"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &HOLD, &variables);
        busy();
        assert_eq!(refused(&mut server, "127.0.0.2"), "421 busy\r\n");
        assert_eq!(refused(&mut server, "127.0.0.9"), "");
        // The number is the load.
        let loads = |log: &str| {
            let words = log.split_whitespace().filter_map(|word| word.strip_prefix("MAXLOAD:"));
            words.map(|load| load.parse::<u64>().unwrap()).collect::<Vec<_>>()
        };
        assert!(until(|| loads(&server.log()).len() == 2), "{}", server.log());
        assert!(loads(&server.log()).iter().all(|load| (2..100_000).contains(load)));
        let _served = held(&mut server, "127.0.0.3");
    }
}

#[test]
fn zero_refuses_always() {
    for mode in MODES {
        let side = Side::ours();
        compile(
            &side,
            "127.0.0.3:allow,MAXRATE=\"0\"\n127.0.0.4:allow,MAXCONNC=\"0\"\n:allow,MAXCONNIP=\"0\"\n",
        );
        let dns = Dns::start(|_, _| Answer::NoName);
        let nobody = [("DNSCACHEIP", &*dns.place())];
        let options = [&PLAIN[..], mode, &["-x", "cdb"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &HOLD, &nobody);
        for (client, why) in [
            ("127.0.0.3", " MAXRATE:0"),
            ("127.0.0.4", " MAXCONNC:0"),
            ("127.0.0.1", " MAXCONNIP:0"),
        ] {
            assert_eq!(refused(&mut server, client), "");
            denied(&server, why);
        }
    }
}

#[test]
fn a_message_arrives_although_the_client_has_spoken_first() {
    let side = Side::ours();
    let mut server = start(&side, &["-C0", "-m", "421 no"]);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut told = String::new();
    client.read_to_string(&mut told).unwrap();
    assert_eq!(told, "421 no\r\n");
}

#[test]
fn the_environment_is_looked_at_before_anybody_is_served() {
    let side = Side::ours();
    let run = side.command(["tcpserver", "0", "0", "true"]).env("MAXCONNIP", "many").run();
    let expected = "tcpserver: fatal: no number in MAXCONNIP: many\n";
    assert_eq!((run.exit, run.stderr), (100, expected.as_bytes().to_vec()));
}

#[test]
fn ipv6_clients_are_counted_by_their_network() {
    if !super::has_ipv6() {
        return;
    }
    let side = Side::ours();
    let options = [&PLAIN[..], &["-N1"]].concat();
    let mut server = Server::start(&side, &options, "0", &HOLD);
    let mut first = server.connect("::1", "::1");
    let mut hello = [0; 6];
    first.read_exact(&mut hello).unwrap();
    assert_eq!(server.get("::1", "::1"), b"");
    denied(&server, " MAXCONNC:1");
    // Those by IPv4 have networks of their own, on the same socket.
    let _four = held(&mut server, "127.0.0.1");
}
