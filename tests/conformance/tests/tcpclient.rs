//! tcpclient beside the original.

#[path = "tcpclient/addresses.rs"]
mod addresses;
#[path = "tcpclient/descriptors.rs"]
mod descriptors;
#[path = "tcpclient/ipv6.rs"]
mod ipv6;
#[path = "tcpclient/names.rs"]
mod names;
#[path = "tcpclient/short_names.rs"]
mod short_names;
#[path = "tcpclient/start.rs"]
mod start;
#[path = "tcpclient/unreachable.rs"]
mod unreachable;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};

use harness::{Case, Run, case};

/// Nothing is looked up.
const PLAIN: [&str; 3] = ["-HR", "-l", "local"];

/// Shows the variables of the connection.
const SHOW: [&str; 3] = ["sh", "-c", "env | grep -E '^(PROTO|TCP)' | sort"];

/// A server that says `hello` to each client, and hears it to its end.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    fn start(host: &str) -> Server {
        Server::at(TcpListener::bind((host, 0)).expect("an address of this host"))
    }

    fn at(listener: TcpListener) -> Server {
        let port = listener.local_addr().expect("a bound socket").port();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let list = Arc::clone(&heard);
        // It ends with the tests.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.expect("a client");
                let _ = client.write_all(b"hello\r\n"); // the client may be gone
                let _ = client.shutdown(Shutdown::Write); // the same
                let mut bytes = Vec::new();
                let _ = client.read_to_end(&mut bytes); // the same
                list.lock().expect("one writer").push(bytes);
            }
        });
        Server { port, heard }
    }

    /// What each client has said so far.
    fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().expect("one writer").clone()
    }
}

/// The ports that tests choose for the client, each one of its own.
const CHOSEN: [&str; 3] = ["4567", "4568", "4569"];

/// The run with names for the server's port and for any port of the client's that is not chosen.
fn named(run: Run, server: u16) -> Run {
    let change = |bytes: &[u8]| -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes).replace(&server.to_string(), "SERVER");
        let lines = text.split_inclusive('\n').map(|line| match line.split_once('=') {
            Some((name, port))
                if name.ends_with("LOCALPORT") && !CHOSEN.contains(&port.trim_end()) =>
            {
                format!("{name}=CLIENT\n")
            }
            _ => line.to_owned(),
        });
        lines.collect::<String>().into_bytes()
    };
    Run { stdout: change(&run.stdout), stderr: change(&run.stderr), exit: run.exit }
}

/// `tcpclient OPTIONS HOST PORT PROGRAM` with a server at 127.0.0.1.
fn connected(options: &[&str], host: &str, program: &[&str]) -> Case {
    case(|side| {
        let server = Server::start("127.0.0.1");
        let port = server.port.to_string();
        let words = [&["tcpclient"], options, &[host, &port], program].concat();
        let run = side.command(words).stdin("input\n").env("TCPREMOTEINFO", "leak").run();
        named(run, server.port)
    })
}

fn is_root() -> bool {
    let is = unix::process::user().1.is_root();
    if !is {
        harness::skipped_for("only root can do this");
    }
    is
}

#[test]
fn the_program_is_told_of_the_connection() {
    connected(&PLAIN, "127.0.0.1", &SHOW).same();
    connected(&["-HRl", ""], "127.0.0.1", &SHOW).same();
    let stdout = connected(&PLAIN, "127.0.0.1", &SHOW).ours().run.stdout.clone();
    let expected = "PROTO=TCP\nTCPLOCALHOST=local\nTCPLOCALIP=127.0.0.1\nTCPLOCALPORT=CLIENT\n\
        TCPREMOTEIP=127.0.0.1\nTCPREMOTEPORT=SERVER\n";
    assert_eq!(String::from_utf8(stdout).unwrap(), expected);
}

#[test]
fn what_was_inherited_of_another_connection_is_gone() {
    case(|side| {
        let server = Server::start("127.0.0.1");
        let port = server.port.to_string();
        let words = [&["tcpclient"][..], &PLAIN, &["127.0.0.1", &port], &SHOW].concat();
        let run = side
            .command(words)
            .env("PROTO", "SSL")
            .env("TCPREMOTEHOST", "leak")
            .env("TCPREMOTEINFO", "leak")
            .env("TCPLOCALHOST", "leak");
        named(run.run(), server.port)
    })
    .same();
}

#[test]
fn v_tells_of_the_connection() {
    connected(&["-v", "-HRl0"], "127.0.0.1", &["echo", "ok"]).same();
    connected(&["-Q", "-HRl0"], "127.0.0.1", &["echo", "ok"]).same();
    connected(&["-vqHRl0"], "127.0.0.1", &["echo", "ok"]).same();
    connected(&["-qvHRl0"], "127.0.0.1", &["echo", "ok"]).same();
}

#[test]
fn a_host_may_be_short_for_this_one_and_an_address_padded() {
    for host in ["0", "", "127.0.0.1", "127.000.000.001", "[127.0.0.1]", "[127.00.0.01]", "0.0.0.0"]
    {
        connected(&["-v", "-HRl0"], host, &SHOW).same();
    }
}

#[test]
fn the_program_s_exit_code_is_tcpclient_s() {
    connected(&PLAIN, "0", &["sh", "-c", "exit 7"]).same();
    connected(&PLAIN, "0", &["sh", "-c", "kill -9 $$"]).same();
    connected(&PLAIN, "0", &["./nonexistent"]).same();
    connected(&PLAIN, "0", &["/"]).same();
    connected(&["-q", "-HRl0"], "0", &["./nonexistent"]).same();
}

#[test]
fn small_writes_can_be_sent_at_once() {
    connected(&["-D", "-HRl0"], "0", &["sh", "-c", "cat <&6"]).same();
    connected(&["-Dd", "-HRl0"], "0", &["sh", "-c", "cat <&6"]).same();
}
