//! Mail servers that nobody here wrote, run privately on the loopback interface.
#![allow(dead_code, reason = "each of the tests uses a part")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use harness::{Background, Host, client, free_port, until};

/// A running server, and where it listens.
pub(crate) struct Mta {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    server: Background,
}

/// One that passes mail for each of these domains on to a port of this host.
pub(crate) type Start = fn(&Host, &[(&str, u16)]) -> Option<Mta>;

impl Mta {
    /// A Postfix that passes mail for each domain on to a port of this host; without any it delivers
    /// mail for elsewhere.example to `mailbox` in its folder.
    pub(crate) fn postfix(host: &Host, routes: &[(&str, u16)]) -> Option<Mta> {
        let program = PathBuf::from(client("postfix", [])?.get_program());
        let root = program.ancestors().nth(3).expect("ROOT/usr/sbin/postfix");
        Mta::start(host, "postfix", root, routes)
    }

    /// An `OpenSMTPD` that does the same.
    pub(crate) fn opensmtpd(host: &Host, routes: &[(&str, u16)]) -> Option<Mta> {
        let root = harness::fetched("DAISYCHAIN_OPENSMTPD", "opensmtpd");
        if !root.join("usr/sbin/smtpd").is_file() {
            harness::skipped("opensmtpd");
            return None;
        }
        Mta::start(host, "opensmtpd", &root, routes)
    }

    fn start(host: &Host, name: &str, root: &Path, routes: &[(&str, u16)]) -> Option<Mta> {
        if !unix::Uid::current().is_root() {
            harness::skipped_for(&format!("{name} needs root to start"));
            return None;
        }
        let port = free_port();
        let folder = host.side().path().join(name);
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        let mut command = std::process::Command::new(script);
        command.arg(&folder).arg(port.to_string()).arg(root);
        command.args(routes.iter().map(|(domain, port)| format!("{domain}:{port}")));
        let mta = Mta { port, folder, server: harness::start(command) };
        assert!(until(|| mta.greets()), "{name} does not greet: {}", mta.said());
        Some(mta)
    }

    fn greets(&self) -> bool {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("220 ")
    }

    /// What it has complained of.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.server.stderr()).into_owned()
    }
}
