//! A limit that is changed while the server runs.

use std::io::Read;
use std::net::TcpStream;

use harness::Side;
use unix::signal::Signal;

use super::{PLAIN, Server};

/// Holds its connection until the client says something.
const HOLD: [&str; 3] = ["sh", "-c", "echo hello; read x"];

fn hello(client: &mut TcpStream) {
    let mut hello = [0; 6];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
}

#[test]
fn a_hangup_makes_the_limit_of_a_file_count() {
    let side = Side::ours();
    side.write("limit", "1\n");
    let options = [&PLAIN[..], &["-c", "./limit"]].concat();
    let mut server = Server::start(&side, &options, "127.0.0.1", &HOLD);
    let mut first = server.connect("127.0.0.1", "127.0.0.1");
    hello(&mut first);
    server.background.hears("tcpserver: status: 1/1\n");
    let mut second = server.connect("127.0.0.1", "127.0.0.1");

    // It may not be a number, or not be there, for a while.
    for (text, warning) in [
        (Some("0\n"), "tcpserver: warning: no limit in ./limit\n"),
        (Some("many\n"), "tcpserver: warning: no limit in ./limit\n"),
        (None, "tcpserver: warning: unable to read ./limit: file does not exist\n"),
    ] {
        match text {
            Some(text) => side.write("limit", text),
            None => std::fs::remove_file(side.path().join("limit")).unwrap(),
        }
        server.background.signal(Signal::SIGHUP);
        server.background.hears(&format!("{warning}tcpserver: status: 1/1\n"));
    }

    side.write("limit", "3");
    server.background.signal(Signal::SIGHUP);
    server.background.hears("tcpserver: status: 1/3\n");
    hello(&mut second);
    server.background.hears("tcpserver: status: 2/3\n");

    // Nobody is sent away by a limit that is lower.
    side.write("limit", "1");
    server.background.signal(Signal::SIGHUP);
    server.background.hears("tcpserver: status: 2/1\n");
    let mut third = server.connect("127.0.0.1", "127.0.0.1");
    drop(first);
    server.background.hears("tcpserver: status: 1/1\n");
    drop(second);
    hello(&mut third);
}

#[test]
fn a_file_without_a_limit_is_fatal() {
    let side = Side::ours();
    side.write("limit", "0\n");
    for (file, exit, said) in [
        ("./limit", 100, "tcpserver: fatal: no limit in ./limit\n"),
        ("./gone", 111, "tcpserver: fatal: unable to read ./gone: file does not exist\n"),
    ] {
        let run = side.run(["tcpserver", "-c", file, "127.0.0.1", "0", "true"]);
        assert_eq!((run.exit, run.stderr), (exit, said.into()));
    }
}

#[test]
fn the_load_can_be_limited() {
    // Any load is above the limit of 0, and none is above ten million.
    let side = Side::ours();
    super::compile(&side, "127.0.0.2:allow,MAXLOAD=\"\"\n127.0.0.3:allow,MAXLOAD=\"1000000000\"\n");
    let options = [&PLAIN[..], &["-L0", "-m", "421 busy", "-x", "cdb"]].concat();
    let mut server = Server::start(&side, &options, "127.0.0.1", &["echo", "ok"]);
    assert_eq!(server.ask(), b"421 busy\r\n");
    server.background.hears(" MAXLOAD:");
    for allowed in ["127.0.0.2", "127.0.0.3"] {
        assert_eq!(server.get("127.0.0.1", allowed), b"ok\n");
    }
    let options = [&PLAIN[..], &["-L", "1000000000"]].concat();
    let mut server = Server::start(&side, &options, "127.0.0.1", &["echo", "ok"]);
    assert_eq!(server.ask(), b"ok\n");
}
