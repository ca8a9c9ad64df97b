//! What the tests of scripts share: a server that is talked to, and both sides' scripts.
#![allow(dead_code, reason = "each of the tests uses a part")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use harness::{Command, Side};

/// A server that says the same to each client.
pub(crate) struct Server {
    pub(crate) port: u16,
    heard: Receiver<Vec<u8>>,
}

impl Server {
    /// At any port of 127.0.0.1.
    pub(crate) fn start(says: &[u8]) -> Server {
        Server::at("127.0.0.1", 0, says).expect("a free port")
    }

    /// At a port that may be root's, for who is; else `None`.
    pub(crate) fn at(host: &str, port: u16, says: &[u8]) -> Option<Server> {
        let listener = TcpListener::bind((host, port)).ok();
        let Some(listener) = listener else {
            harness::skipped_for("only root can listen at the port of the service");
            return None;
        };
        let port = listener.local_addr().expect("a bound socket").port();
        let (tell, heard) = channel();
        let says = says.to_vec();
        // It ends with the tests.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.expect("a client");
                let _ = client.write_all(&says); // the client may be gone
                let _ = client.shutdown(Shutdown::Write); // the same
                let mut bytes = Vec::new();
                let _ = client.read_to_end(&mut bytes); // the same
                let _ = tell.send(bytes); // nobody may want to know
            }
        });
        Some(Server { port, heard })
    }

    /// What the next client has said.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.recv_timeout(Duration::from_mins(1)).expect("a client")
    }
}

/// A script of `side` with arguments. The original's names the folder that it was made for, in
/// whose place the folder comes where its programs are.
pub(crate) fn script<'a>(side: &'a Side, name: &str, arguments: &[&str]) -> Command<'a> {
    let text = if side.is_ours() {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::read_to_string(tree.join("ucspi-tcp/scripts").join(name)).expect("a script")
    } else {
        let text = fs::read_to_string(side.programs().join(name)).expect("a script");
        text.replace("/usr/bin", &side.programs().to_string_lossy())
    };
    let words = [&["sh", "-c", &text, name], arguments].concat();
    side.command(words)
}
