//! A message as it stands in an mbox: `From ` lines quoted, the end completed. Source: mbox(5).

use wire::{date, text};

const FROM: &[u8] = b"From ";

/// Copies a message that comes in pieces, with `>` before every line that is `From ` behind any
/// number of `>`.
#[derive(Clone, Debug, Default)]
pub struct Quoting {
    place: Place,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At its beginning.
    #[default]
    Start,
    /// Behind nothing but `>`.
    Marks,
    /// Behind this many bytes of `From `, which are held back.
    From(usize),
    /// In a line that needs no quoting, or has it.
    Inside,
}

impl Quoting {
    /// Appends the message's next bytes to `out`.
    ///
    /// A `>` put just before `From ` is the same line as one put before the `>` that stand there.
    pub fn push(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            match self.place {
                Place::Inside => {
                    let end = memchr::memchr(b'\n', rest).map(|end| end + 1);
                    let (line, next) =
                        rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, b""));
                    out.extend_from_slice(line);
                    rest = next;
                    if end.is_some() {
                        self.place = Place::Start;
                    }
                    continue;
                }
                Place::Start | Place::Marks => match byte {
                    b'>' => {
                        out.push(byte);
                        self.place = Place::Marks;
                    }
                    b'F' => self.place = Place::From(1),
                    // Not taken: looked at again, inside the line.
                    _ => {
                        self.place = Place::Inside;
                        continue;
                    }
                },
                Place::From(held) if FROM.get(held) != Some(&byte) => {
                    out.extend(FROM.iter().take(held));
                    self.place = Place::Inside;
                    continue;
                }
                Place::From(held) if held + 1 == FROM.len() => {
                    out.push(b'>');
                    out.extend_from_slice(FROM);
                    self.place = Place::Inside;
                }
                Place::From(held) => self.place = Place::From(held + 1),
            }
            rest = tail;
        }
    }

    /// Ends the message: completes a last line without newline, and appends an empty one.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let Place::From(held) = self.place {
            out.extend(FROM.iter().take(held));
        }
        if self.place != Place::Start {
            out.push(b'\n');
        }
        out.push(b'\n');
    }
}

/// The `From ` line for a message that was delivered at `seconds` since 1970 and begins with `start`, with
/// its newline.
///
/// The sender is that of a `Return-Path: <…>` in the first line, with `-` for blanks, and `MAILER-DAEMON` if
/// there is nothing between the brackets; three times `X` if there is no such line. Source:
/// maildir2mbox(1), and as observed.
#[must_use]
pub fn from_line(start: &[u8], seconds: i64) -> Vec<u8> {
    let end = memchr::memchr(b'\n', start);
    let first = end.and_then(|end| start.get(..end)).unwrap_or_default();
    let mut line = FROM.to_vec();
    match first.strip_prefix(b"Return-Path: <") {
        Some([b'>', ..]) => line.extend_from_slice(b"MAILER-DAEMON"),
        Some([sender @ .., _]) => {
            line.extend(sender.iter().map(|&byte| if text::is_blank(byte) { b'-' } else { byte }));
        }
        Some([]) => {}
        None => line.extend_from_slice(&[b'X'; 3]),
    }
    line.push(b' ');
    date::push_from_line(&mut line, seconds);
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut quoting, mut out) = (Quoting::default(), Vec::new());
        for piece in pieces {
            quoting.push(&mut out, piece);
        }
        quoting.finish(&mut out);
        out
    }

    fn text(message: &str) -> String {
        String::from_utf8(quoted(&[message.as_bytes()])).unwrap()
    }

    #[test]
    fn from_lines_are_quoted() {
        assert_eq!(text("From me\n"), ">From me\n\n");
        assert_eq!(text("a\nFrom me\n"), "a\n>From me\n\n");
        assert_eq!(text(">From me\n>>>From x\n"), ">>From me\n>>>>From x\n\n");
        assert_eq!(text("From \n"), ">From \n\n");
        assert_eq!(text("From "), ">From \n\n");
    }

    #[test]
    fn other_lines_are_not() {
        for line in ["From\n", "from me\n", " From me\n", "From: me\n", ">\n", "FFrom me\n"] {
            assert_eq!(text(line), format!("{line}\n"));
        }
        assert_eq!(text(">> From me\n"), ">> From me\n\n");
        assert_eq!(text("xFrom me\n"), "xFrom me\n\n");
    }

    #[test]
    fn the_end_is_a_whole_line_and_an_empty_one() {
        assert_eq!(text("a"), "a\n\n");
        assert_eq!(text("a\n\n"), "a\n\n\n");
        assert_eq!(text("a\nFro"), "a\nFro\n\n");
        assert_eq!(text("a\n>"), "a\n>\n\n");
        assert_eq!(text(""), "\n");
    }

    /// The rule of mbox(5) for readers.
    fn read(mbox: &[u8]) -> Vec<u8> {
        let lines = mbox.strip_suffix(b"\n").unwrap().split_inclusive(|&byte| byte == b'\n');
        let unquoted = lines.map(|line| {
            let start = line.iter().position(|&byte| byte != b'>').unwrap_or(line.len());
            let is_quoted = start > 0 && line[start..].starts_with(FROM);
            assert!(!line.starts_with(FROM));
            if is_quoted { &line[1..] } else { line }
        });
        unquoted.collect::<Vec<_>>().concat()
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(lines in prop::collection::vec("(>|F|From |From|x| |\n){0,6}", 0..9)) {
            let message = format!("{}\n", lines.join("\n"));
            prop_assert_eq!(read(&quoted(&[message.as_bytes()])), message.into_bytes());
        }

        #[test]
        fn it_does_not_matter_how_a_message_comes_in_pieces(
            message in "(>|From |Fro|m|F|\n|x){0,30}", at in 0..100_usize, more in 0..100_usize,
        ) {
            let (one, rest) = message.as_bytes().split_at(at.min(message.len()));
            let (two, three) = rest.split_at(more.min(rest.len()));
            prop_assert_eq!(quoted(&[one, two, three]), quoted(&[message.as_bytes()]));
        }
    }

    #[test]
    fn a_from_line_has_the_return_path_and_the_time() {
        for (text, sender) in [
            ("Return-Path: <s@x.y>\nSubject: x\n", "s@x.y"),
            ("Return-Path: <a b\tc@x.y>\n", "a-b-c@x.y"),
            ("Return-Path: <>\n", "MAILER-DAEMON"),
            ("Return-Path: <s@x.y>", &["X"; 3].concat()),
            ("Subject: x\nReturn-Path: <s@x.y>\n", &["X"; 3].concat()),
            ("", &["X"; 3].concat()),
        ] {
            let line = String::from_utf8(from_line(text.as_bytes(), 1_793_492_489)).unwrap();
            assert_eq!(line, format!("From {sender} Sun Nov 01 00:21:29 2026\n"), "{text}");
        }
    }
}
