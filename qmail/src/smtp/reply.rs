//! A server's replies, as a client reads them.

/// How much of a reply's text is kept, in bytes.
const KEPT: usize = 5000;

/// What a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 4xx, and also what is no reply at all: the same may succeed later.
    Temporary,
    /// 5xx: it never will.
    Permanent,
    /// 3xx: the server waits for more.
    Proceed,
    /// 2xx.
    Success,
}

/// A reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The number that it begins with, 200 to 599; `None` if it does not, or if a later line has one that means
    /// something else.
    pub code: Option<u16>,
    /// All its lines with LF line ends, without CR, with `?` for zero bytes, at most 5000 bytes.
    pub text: Vec<u8>,
}

impl Reply {
    /// What it means.
    #[must_use]
    pub fn class(&self) -> Class {
        self.code.map_or(Class::Temporary, class)
    }
}

fn class(code: u16) -> Class {
    match code {
        200..=299 => Class::Success,
        300..=399 => Class::Proceed,
        500.. => Class::Permanent,
        _ => Class::Temporary,
    }
}

/// Reads one reply, which may come in pieces and be of any length.
///
/// A reply has one line or more; each but the last has `-` as its fourth byte. Source: RFC 5321 section
/// 4.2.1.
#[derive(Debug, Default)]
pub struct Reader {
    reply: Reply,
    /// The beginning of the current line.
    start: [u8; 4],
    /// How much of `start` is there.
    started: usize,
    is_later_line: bool,
    /// A later line has said something else than the first.
    disagrees: bool,
}

impl Reader {
    /// Reads from `input`; gives how much of it has been taken, and the reply once it is complete.
    pub fn take(&mut self, input: &[u8]) -> (usize, Option<Reply>) {
        let mut taken = 0;
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            taken += line.len();
            self.keep(line);
            for &byte in line.iter().take(self.start.len() - self.started) {
                if let Some(slot) = self.start.get_mut(self.started) {
                    *slot = byte;
                }
                self.started += 1;
            }
            if line.ends_with(b"\n") && self.end_line() {
                return (taken, Some(std::mem::take(&mut self.reply)));
            }
        }
        (taken, None)
    }

    fn keep(&mut self, line: &[u8]) {
        let room = KEPT - self.reply.text.len();
        if room > 0 {
            let bytes = line.iter().filter(|&&byte| byte != b'\r').take(room);
            self.reply.text.extend(bytes.map(|&byte| if byte == 0 { b'?' } else { byte }));
        }
    }

    /// True if the line was the reply's last.
    fn end_line(&mut self) -> bool {
        let code = code(self.start);
        if !std::mem::replace(&mut self.is_later_line, true) {
            self.reply.code = code;
        } else if code.is_some() && code.map(class) != self.reply.code.map(class) {
            self.disagrees = true;
        }
        let is_last = self.start[3] != b'-';
        if is_last && std::mem::take(&mut self.disagrees) {
            self.reply.code = None;
        }
        self.started = 0;
        self.start = [0; 4];
        self.is_later_line = !is_last;
        is_last
    }
}

fn code([first, second, third, _]: [u8; 4]) -> Option<u16> {
    let is_code = matches!((first, second, third), (b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'));
    let digit = |byte: u8| u16::from(byte - b'0');
    is_code.then(|| digit(first) * 100 + digit(second) * 10 + digit(third))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replies(pieces: &[&[u8]]) -> Vec<(Option<u16>, String)> {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, reply) = reader.take(rest);
                rest = &rest[taken..];
                let Some(reply) = reply else {
                    assert!(rest.is_empty());
                    break;
                };
                assert!(reply.text.len() <= KEPT);
                found.push((reply.code, String::from_utf8_lossy(&reply.text).into_owned()));
            }
        }
        found
    }

    #[test]
    fn a_reply_ends_with_the_line_without_a_dash() {
        assert_eq!(
            replies(&[b"220 hi\r\n250-one\r\n250-\r\n250 two\r\n354\n"]),
            [
                (Some(220), "220 hi\n".into()),
                (Some(250), "250-one\n250-\n250 two\n".into()),
                (Some(354), "354\n".into()),
            ]
        );
    }

    #[test]
    fn lines_that_disagree_are_no_reply() {
        assert_eq!(
            replies(&[b"250-one\n550 two\n250 a\n"]),
            [(None, "250-one\n550 two\n".into()), (Some(250), "250 a\n".into()),]
        );
        assert_eq!(replies(&[b"550-\n\n"])[0].0, Some(550));
        assert_eq!(replies(&[b"250-one\n251-two\nthree\n"])[0].0, Some(250));
    }

    #[test]
    fn what_is_no_code_is_temporary() {
        for text in
            ["hello\n", "\n", "25\n", "25 0\n", "2\n50 x\n", "199 x\n", "600 x\n", ":50 x\n"]
        {
            let (code, _) = replies(&[text.as_bytes()]).remove(0);
            assert_eq!(code, None, "{text:?}");
            assert_eq!(Reply { code, text: Vec::new() }.class(), Class::Temporary);
        }
        let class = |code| Reply { code: Some(code), text: Vec::new() }.class();
        assert_eq!(
            [class(250), class(354), class(450), class(554)],
            [Class::Success, Class::Proceed, Class::Temporary, Class::Permanent]
        );
    }

    #[test]
    fn of_a_long_reply_the_beginning_is_kept() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(b"250-"), (4, None));
        for _ in 0..100 {
            assert_eq!(reader.take(&[b'x'; 1000]), (1000, None));
            assert_eq!(reader.take(b"\r\n250-"), (6, None));
        }
        let (taken, reply) = reader.take(b"\r\n250 end\r\nmore");
        let reply = reply.unwrap();
        assert_eq!((taken, reply.code, reply.text.len()), (11, Some(250), 5000));
        assert_eq!(replies(&[b"250 a\0b\r\r\n"]), [(Some(250), "250 a?b\n".into())]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_replies_come_in_pieces(
            text in "(250|554|[ -]|x|\r\n|\n){0,30}", at in 0..100_usize,
        ) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(replies(&[one, two]), replies(&[bytes]));
        }
    }
}
