//! mconnect beside the original.

mod scripts;

use harness::{Run, Side, case};
use scripts::{Server, script};

/// A conversation in which neither side waits for the other.
fn talked(input: &str, says: &str) -> harness::Case {
    case(|side| {
        let server = Server::start(says.as_bytes());
        let run = script(side, "mconnect", &["127.0.0.1", &server.port.to_string()]);
        run.stdin(input).run()
    })
}

#[test]
fn what_the_server_says_is_shown() {
    talked("", "220 hello\r\n221 bye\r\n").same();
    talked("helo\n", "").same();
}

#[test]
fn what_the_user_says_is_sent() {
    case(|side| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            use std::io::{BufRead, BufReader, Write};
            let (client, _) = listener.accept().unwrap();
            let mut client = BufReader::new(client);
            let mut heard = String::new();
            client.get_mut().write_all(b"220 hello\r\n").unwrap();
            while !heard.ends_with("quit\r\n") {
                client.read_line(&mut heard).unwrap();
            }
            client.get_mut().write_all(b"221 bye\r\n").unwrap();
            heard
        });
        let run = script(side, "mconnect", &["127.0.0.1", &port]).stdin("helo x\nquit\n").run();
        let heard = server.join().unwrap();
        Run { stdout: [run.stdout, heard.into_bytes()].concat(), ..run }
    })
    .same();
}

#[test]
fn nobody_listening_is_told() {
    let port = harness::free_port().to_string();
    case(|side| script(side, "mconnect", &["127.0.0.1", &port]).run()).same();
}

#[test]
fn the_smtp_port_of_this_host_is_meant_if_nothing_else_is_said() {
    if std::net::TcpStream::connect("127.0.0.1:25").is_err() {
        case(|side| script(side, "mconnect", &[]).run()).same();
    }
    let run = script(&Side::ours(), "mconnect", &["", "x"]).run();
    assert_eq!((run.exit, run.stdout), (111, vec![]));
}
