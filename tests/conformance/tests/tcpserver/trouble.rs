//! Clients and programs that do what they should not.

use harness::{Run, Side, until};
use unix::signal::Signal;

use super::{PLAIN, Server};

#[test]
fn clients_that_say_nothing_only_hold_their_places() {
    let side = Side::ours();
    let mut server = Server::start(&side, &PLAIN, "127.0.0.1", &["sh", "-c", "echo hello; read x"]);
    let silent: Vec<_> = (0..20).map(|_| server.connect("127.0.0.1", "127.0.0.1")).collect();
    server.background.hears("tcpserver: status: 20/40\n");
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    let mut hello = [0; 6];
    std::io::Read::read_exact(&mut client, &mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
    drop(silent);
    server.ended(20);
}

#[test]
fn a_client_that_is_gone_at_once_does_no_harm() {
    let side = Side::ours();
    let mut server = Server::start(&side, &PLAIN, "127.0.0.1", &["echo", "ok"]);
    for _ in 0..20 {
        drop(server.connect("127.0.0.1", "127.0.0.1"));
    }
    server.ended(20);
    assert_eq!(server.ask(), b"ok\n");
}

#[test]
fn a_program_that_ignores_term_does_not_hold_the_server() {
    let side = Side::ours();
    let program = ["sh", "-c", "trap '' TERM; echo hello; read x; echo $x > heard"];
    let mut server = Server::start(&side, &PLAIN, "127.0.0.1", &program);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    let mut hello = [0; 6];
    std::io::Read::read_exact(&mut client, &mut hello).unwrap();
    let Run { exit, .. } = {
        server.background.signal(Signal::SIGTERM);
        Run { stdout: Vec::new(), stderr: Vec::new(), exit: server.background.ends() }
    };
    assert_eq!(exit, 0);
    std::io::Write::write_all(&mut client, b"on\n").unwrap();
    assert!(until(|| side.read("heard") == b"on\n"));
}

#[test]
fn a_thousand_connections_leave_nothing_behind() {
    let side = Side::ours();
    let mut server = Server::start(&side, &["-HR", "-l0"], "127.0.0.1", &["echo", "ok"]);
    let pid = server.background.pid();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    // It tells its port before it has opened all that it keeps.
    assert_eq!(server.ask(), b"ok\n");
    let before = descriptors();
    for _ in 0..1000 {
        assert_eq!(server.ask(), b"ok\n");
    }
    assert!(until(|| descriptors() <= before), "{} after {before}", descriptors());
}
