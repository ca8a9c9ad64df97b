//! The conversation with a client that is refused.

use super::Refusal;

/// As much of a line as can matter: a verb of four letters and what follows it.
const VERB: usize = 5;

/// Who the server says it is.
const NAME: &[u8] = b" rblsmtpd.local\r\n";

/// An SMTP session in which the client gets its refusal for whatever it wants.
///
/// However long the client's lines are, only their beginnings are kept.
#[derive(Debug)]
pub struct Session {
    refusal: Refusal,
    /// The beginning of the line that is coming in.
    line: Vec<u8>,
    is_over: bool,
}

impl Session {
    /// A session that has not begun.
    #[must_use]
    pub fn new(refusal: Refusal) -> Session {
        Session { refusal, line: Vec::with_capacity(VERB + 1), is_over: false }
    }

    /// Appends the greeting.
    pub fn greet(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"220");
        out.extend_from_slice(NAME);
    }

    /// Appends the refusal as a reply.
    pub fn push_refusal(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.refusal.message());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the reply for a client that has been here too long.
    pub fn push_timeout(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"421 rblsmtpd.local timeout\r\n");
    }

    /// Takes bytes from the client and appends the replies to the lines that end in them. False
    /// when the client has said goodbye; what follows is not looked at.
    ///
    /// A line ends in LF, or CR LF. Verbs are known in either case, up to a blank.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        for &byte in bytes {
            if self.is_over {
                break;
            }
            if byte == b'\n' {
                self.reply(out);
                self.line.clear();
            } else if self.line.len() <= VERB {
                self.line.push(byte);
            }
        }
        !self.is_over
    }

    fn reply(&mut self, out: &mut Vec<u8>) {
        let code: &[u8] = match verb(&self.line).as_ref() {
            Some(b"HELO" | b"EHLO" | b"MAIL" | b"RSET" | b"NOOP") => b"250",
            Some(b"QUIT") => {
                self.is_over = true;
                b"221"
            }
            _ => return self.push_refusal(out),
        };
        out.extend_from_slice(code);
        out.extend_from_slice(NAME);
    }
}

/// The verb of four letters that a line begins with, in upper case, if it is no longer one.
fn verb(line: &[u8]) -> Option<[u8; 4]> {
    let (verb, rest) = line.split_first_chunk::<4>()?;
    matches!(rest, [] | [b'\r'] | [b' ', ..]).then(|| verb.map(|byte| byte.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session() -> Session {
        Session::new(Refusal::new(b"451", b"go away"))
    }

    fn replies(bytes: &[u8]) -> (String, bool) {
        let mut out = Vec::new();
        let goes_on = session().take(bytes, &mut out);
        (String::from_utf8(out).unwrap(), goes_on)
    }

    fn reply(line: &str) -> String {
        replies(format!("{line}\n").as_bytes()).0
    }

    #[test]
    fn verbs_are_answered_and_everything_else_is_refused() {
        for line in ["HELO x", "ehlo x\r", "Mail from:<x>", "RSET", "NOOP\r", "MAIL  x"] {
            assert_eq!(reply(line), "250 rblsmtpd.local\r\n", "{line:?}");
        }
        for line in
            ["", "\r", "RCPT TO:<x>", "DATA", "AUTH PLAIN", "HELOX", "HEL", " HELO", "HELO\tx"]
        {
            assert_eq!(reply(line), "451 go away\r\n", "{line:?}");
        }
        assert_eq!(reply("QUIT\rx"), "451 go away\r\n");
        assert_eq!(reply("QUIT\r\r"), "451 go away\r\n");
    }

    #[test]
    fn goodbye_ends_the_session() {
        let (text, goes_on) = replies(b"NOOP\r\nQUIT\r\nNOOP\r\n");
        assert_eq!(text, "250 rblsmtpd.local\r\n221 rblsmtpd.local\r\n");
        assert!(!goes_on);
    }

    #[test]
    fn a_part_of_a_line_is_not_answered() {
        let mut session = session();
        let mut out = Vec::new();
        assert!(session.take(b"QU", &mut out));
        assert_eq!(out, b"");
        assert!(!session.take(b"IT\n", &mut out));
        assert_eq!(out, b"221 rblsmtpd.local\r\n");
    }

    #[test]
    fn the_other_replies_are_lines_too() {
        let mut out = Vec::new();
        session().greet(&mut out);
        session().push_refusal(&mut out);
        session().push_timeout(&mut out);
        let expected = "220 rblsmtpd.local\r\n451 go away\r\n421 rblsmtpd.local timeout\r\n";
        assert_eq!(out, expected.as_bytes());
    }

    proptest! {
        #[test]
        fn a_line_of_any_length_takes_little_room(bytes: Vec<u8>) {
            let mut session = session();
            session.take(&bytes, &mut Vec::new());
            prop_assert!(session.line.len() <= VERB + 1);
        }

        #[test]
        fn pieces_are_answered_like_the_whole(bytes: Vec<u8>, at in 0_usize..100) {
            let (mut whole, mut pieces) = (Vec::new(), Vec::new());
            session().take(&bytes, &mut whole);
            let mut second = session();
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            second.take(head, &mut pieces);
            second.take(tail, &mut pieces);
            prop_assert_eq!(whole, pieces);
        }
    }
}
