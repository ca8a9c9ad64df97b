//! What a server's log says of a session: what was refused, and why.

use std::cell::Cell;

/// How many lines one session may add to the log; what a client does costs us no more than these.
const LINES: u32 = 100;

/// How much of a command or a reply is shown.
const SHOWN: usize = 200;

/// The log of one session.
#[derive(Debug)]
pub struct Log {
    client: Vec<u8>,
    left: Cell<u32>,
}

impl Log {
    /// For the session that process `pid` has with the client at `ip`.
    #[must_use]
    pub fn new(pid: u32, ip: &[u8]) -> Log {
        let client = [b"pid ", pid.to_string().as_bytes(), b" from ", &shown(ip)].concat();
        Log { client, left: Cell::new(LINES) }
    }

    /// The line about the reply to a command; none if the reply refuses nothing, or only says that the
    /// command was none, or if there have been too many.
    #[must_use]
    pub fn reply(&self, command: &[u8], reply: &[u8]) -> Option<Vec<u8>> {
        let code = reply.get(..3)?;
        let refuses = code.starts_with(b"4") || code.starts_with(b"5");
        if !refuses || [&b"500"[..], b"502", b"503", b"555"].contains(&code) {
            return None;
        }
        self.line(&[shown(command), shown(reply)].join(&b": "[..]))
    }

    /// The line about anything else.
    #[must_use]
    pub fn line(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.left.set(self.left.get().checked_sub(1)?);
        let text = if self.left.get() == 0 { b"more is refused than is logged" } else { text };
        Some([&self.client, &b": "[..], text].concat())
    }
}

/// Strangers choose these bytes: only those that print are shown, up to the end of the line.
fn shown(bytes: &[u8]) -> Vec<u8> {
    let line = bytes.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let visible = |&byte: &u8| if (b' '..=b'~').contains(&byte) { byte } else { b'?' };
    line.iter().take(SHOWN).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(command: &str, reply: &str) -> Option<String> {
        let line = Log::new(7, b"192.0.2.1").reply(command.as_bytes(), reply.as_bytes());
        line.map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn refusals_are_logged_and_other_replies_are_not() {
        assert_eq!(
            reply("RCPT TO:<a\x1b@b>", "553 sorry\r\n").unwrap(),
            "pid 7 from 192.0.2.1: RCPT TO:<a?@b>: 553 sorry"
        );
        assert!(reply("DATA", "451 later\r\n").is_some());
        for quiet in ["250 ok\r\n", "354 go\r\n", "502 what\r\n", "503 MAIL first\r\n", ""] {
            assert_eq!(reply("x", quiet), None);
        }
    }

    #[test]
    fn a_client_cannot_fill_the_log() {
        let log = Log::new(7, b"192.0.2.1");
        let lines: Vec<_> =
            (0..1000).filter_map(|_| log.reply(&[b'x'; 5000], b"553 no\r\n")).collect();
        assert_eq!(lines.len(), 100);
        assert!(lines.iter().all(|line| line.len() < 300));
        assert!(lines[99].ends_with(b": more is refused than is logged"));
    }
}
