//! An SMTP dialogue by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use crate::wait::DEADLINE;

/// A connection to an SMTP server that is spoken to line by line.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects from `127.0.0.1`.
    #[must_use]
    pub fn connect(port: u16) -> Smtp {
        Smtp::connect_from("127.0.0.1", port)
    }

    /// Connects from any address of the loopback.
    #[must_use]
    pub fn connect_from(local: &str, port: u16) -> Smtp {
        let local = format!("{local}:0").parse().expect("an address");
        let server = ([127, 0, 0, 1], port).into();
        let limit = DEADLINE;
        let socket: OwnedFd = unix::socket::connect(server, Some(local), limit).expect("a server");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(limit)).expect("a socket");
        Smtp { stream: BufReader::new(stream) }
    }

    /// The next reply, all its lines; empty if the server has closed.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                return reply;
            }
            reply.push_str(&String::from_utf8_lossy(&line));
            if line.get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref()); // the server may have closed: see the reply
    }

    /// Sends a command and gives the reply.
    pub fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.reply()
    }

    /// Sends a command whose reply must start with `code`.
    pub fn ok(&mut self, command: &str, code: &str) -> String {
        let reply = self.say(command);
        assert!(reply.starts_with(code), "{command}: {reply:?}");
        reply
    }

    /// Hears the greeting, says HELO, and gives an envelope, all of which must be accepted.
    pub fn envelope(&mut self, from: &str, to: &str) {
        let greeting = self.reply();
        assert!(greeting.starts_with("220 "), "{greeting:?}");
        self.ok("HELO client.example", "250 ");
        self.ok(&format!("MAIL FROM:<{from}>"), "250 ");
        self.ok(&format!("RCPT TO:<{to}>"), "250 ");
    }

    /// Sends a whole message, which must be accepted; gives the reply to it.
    pub fn deliver(&mut self, from: &str, to: &str, message: &str) -> String {
        self.envelope(from, to);
        self.ok("DATA", "354 ");
        self.ok(&format!("{}\r\n.", message.replace('\n', "\r\n").trim_end()), "250 ")
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest); // a reset is an end too
        String::from_utf8_lossy(&rest).into_owned()
    }
}
