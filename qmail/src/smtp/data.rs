//! What follows DATA: a message with CR LF line ends and dots put in, up to the lone dot. Both ways.

/// Undoes what the client did to the message for its journey.
///
/// Only CR LF ends a line and only CR LF `.` CR LF ends the message: whatever else could be taken
/// for a line end by another host on the way ends the reading, so that nobody sees two messages
/// where we see one. Source: RFC 5321 sections 2.3.8 and 4.1.1.4.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    bare_cr: BareCr,
}

/// What to do with a CR that no LF follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareCr {
    /// It is part of the message, for clients of which that is known.
    Keep,
    /// It ends the reading.
    #[default]
    Refuse,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    LineStart,
    /// A dot at the beginning of a line.
    Dot,
    /// That, and a CR.
    DotCr,
    Line,
    /// A CR in or after a line.
    Cr,
}

/// How far the message has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its end has not been seen.
    More,
    /// Up to its end.
    Done,
    /// There is a CR that no LF follows.
    BareCr,
    /// There is a LF that follows no CR.
    BareLf,
}

impl Decoder {
    /// At the beginning of a message.
    #[must_use]
    pub fn new(bare_cr: BareCr) -> Decoder {
        Decoder { state: State::LineStart, bare_cr }
    }

    /// Reads `input`, gives the message's bytes to `message` with LF line ends, and tells how much
    /// of `input` has been taken: all of it, unless the message is [`Progress::Done`].
    pub fn read(&mut self, input: &[u8], mut message: impl FnMut(&[u8])) -> (usize, Progress) {
        let mut rest = input;
        let progress = loop {
            let Some((&byte, tail)) = rest.split_first() else { break Progress::More };
            match (self.state, byte) {
                (State::Line, _) => {
                    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    let (text, tail) = rest.split_at_checked(end).unwrap_or_default();
                    message(text);
                    rest = tail;
                    match rest.split_first() {
                        None => break Progress::More,
                        Some((b'\n', _)) => break Progress::BareLf,
                        Some((_, tail)) => rest = tail,
                    }
                    self.state = State::Cr;
                    continue;
                }
                (State::LineStart, b'.') => self.state = State::Dot,
                (State::LineStart, b'\r') => self.state = State::Cr,
                (State::Dot, b'\r') => self.state = State::DotCr,
                (State::DotCr, b'\n') => {
                    self.state = State::LineStart;
                    rest = tail;
                    break Progress::Done;
                }
                (State::Cr, b'\n') => {
                    message(b"\n");
                    self.state = State::LineStart;
                }
                (State::LineStart | State::Dot, b'\n') => break Progress::BareLf,
                (State::LineStart | State::Dot, _) => {
                    self.state = State::Line;
                    continue;
                }
                (State::Cr | State::DotCr, _) => {
                    if self.bare_cr == BareCr::Refuse {
                        break Progress::BareCr;
                    }
                    message(if self.state == State::DotCr { b".\r" } else { b"\r" });
                    // What follows is no line start: a dot there is only a dot.
                    self.state = State::Line;
                    continue;
                }
            }
            rest = tail;
        };
        (input.len() - rest.len(), progress)
    }
}

/// Prepares a message with LF line ends for its journey.
///
/// Each LF becomes CR LF, each CR is dropped, and what then stands as a dot at the beginning of a
/// line is doubled: no bytes of a message can end it, or look like its end to a host with other ideas
/// of line ends.
#[derive(Debug)]
pub struct Encoder {
    at_line_start: bool,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder { at_line_start: true }
    }
}

impl Encoder {
    /// Appends the next bytes of the message to `out`: at most three for one.
    pub fn write(&mut self, message: &[u8], out: &mut Vec<u8>) {
        let mut rest = message;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (text, tail) = rest.split_at_checked(end).unwrap_or_default();
            if !text.is_empty() {
                if self.at_line_start && text.starts_with(b".") {
                    out.push(b'.');
                }
                out.extend_from_slice(text);
                self.at_line_start = false;
            }
            rest = match tail {
                [b'\n', tail @ ..] => {
                    out.extend_from_slice(b"\r\n");
                    self.at_line_start = true;
                    tail
                }
                [_, tail @ ..] => tail,
                [] => tail,
            };
        }
    }

    /// Appends the end of the message: of its last line, if that has none, and the lone dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.at_line_start { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(input: &[u8], bare_cr: BareCr) -> (Vec<u8>, usize, Progress) {
        let mut message = Vec::new();
        let (taken, progress) =
            Decoder::new(bare_cr).read(input, |bytes| message.extend_from_slice(bytes));
        (message, taken, progress)
    }

    fn strict(input: &str) -> (String, Progress) {
        let (message, _, progress) = read(input.as_bytes(), BareCr::Refuse);
        (String::from_utf8(message).unwrap(), progress)
    }

    #[test]
    fn a_message_ends_at_a_lone_dot() {
        let input = b"one\r\n\r\ntwo\r\n.\r\nQUIT\r\n";
        let (message, taken, progress) = read(input, BareCr::Refuse);
        assert_eq!((message.as_slice(), progress), (&b"one\n\ntwo\n"[..], Progress::Done));
        assert_eq!(&input[taken..], b"QUIT\r\n");
        assert_eq!(strict(".\r\n"), (String::new(), Progress::Done));
    }

    #[test]
    fn the_first_dot_of_a_line_goes() {
        let (message, progress) = strict("..\r\n...\r\n.a\r\n..a\r\na.\r\n. \r\n.\r\n");
        assert_eq!((message.as_str(), progress), (".\n..\na\n.a\na.\n \n", Progress::Done));
    }

    /// Every way to write "line end, dot, line end" with the line ends that somebody somewhere
    /// takes for one. Only the first ends the message, and none of the others survives.
    #[test]
    fn smuggling_matrix() {
        let ends = ["\r\n", "\n", "\r", "\r\r\n", "\n\r"];
        for before in ends {
            for after in ends {
                let input = format!("one{before}.{after}MAIL FROM:<>\r\n.\r\n");
                let (message, progress) = strict(&input);
                let expected = match (before, after) {
                    ("\r\n", "\r\n") => ("one\n", Progress::Done),
                    ("\r\n", "\n" | "\n\r") => ("one\n", Progress::BareLf),
                    ("\r\n", _) => ("one\n", Progress::BareCr),
                    ("\n" | "\n\r", _) => ("one", Progress::BareLf),
                    _ => ("one", Progress::BareCr),
                };
                assert_eq!((message.as_str(), progress), expected, "{input:?}");
            }
        }
    }

    #[test]
    fn bare_line_ends_are_found_everywhere() {
        for input in ["\n", ".\n", "a\n", "..\n", "a\r\n\n", "a\r\n.\n", "\0\n"] {
            assert_eq!(strict(input).1, Progress::BareLf, "{input:?}");
        }
        for input in ["\r\r", "\r.", ".\r.", "a\rb", "a\r\r\n", ".\r\r\n", ".a\r\0", "a\r.\r\n"] {
            assert_eq!(strict(input).1, Progress::BareCr, "{input:?}");
        }
    }

    #[test]
    fn a_bare_cr_can_be_kept_but_ends_nothing() {
        let kept = |input: &str| {
            let (message, _, progress) = read(input.as_bytes(), BareCr::Keep);
            (String::from_utf8(message).unwrap(), progress)
        };
        let done = |message: &str| (message.to_owned(), Progress::Done);
        assert_eq!(kept("ab\rcd\r\r\n.\r\n"), done("ab\rcd\r\n"));
        assert_eq!(kept("a\r.\r\nb\r\n.\r\n"), done("a\r.\nb\n"));
        assert_eq!(kept(".\r.\r\n\r..\r\n.\r\n"), done(".\r.\n\r..\n"));
        assert_eq!(kept("a\r\n.\r\r\n.\r\n"), done("a\n.\r\n"));
        assert_eq!(kept("a\r\r\n.\n").1, Progress::BareLf);
    }

    #[test]
    fn every_byte_but_cr_and_lf_is_itself() {
        let bytes: Vec<u8> = (0..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
        let input = [b"x", bytes.as_slice(), b"\r\n.\r\n"].concat();
        let expected = [b"x", bytes.as_slice(), b"\n"].concat();
        assert_eq!(read(&input, BareCr::Refuse), (expected, input.len(), Progress::Done));
    }

    fn encoded(pieces: &[&[u8]]) -> String {
        let mut encoder = Encoder::default();
        let mut out = Vec::new();
        for piece in pieces {
            encoder.write(piece, &mut out);
        }
        encoder.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_are_doubled_at_the_beginning_of_what_goes_out() {
        assert_eq!(encoded(&[b""]), ".\r\n");
        assert_eq!(encoded(&[b"a\n.\n..b\nc.d\n"]), "a\r\n..\r\n...b\r\nc.d\r\n.\r\n");
        assert_eq!(encoded(&[b"a\n", b".", b".b\n"]), "a\r\n...b\r\n.\r\n");
        assert_eq!(encoded(&[b"a\n\r\r", b".\n"]), "a\r\n..\r\n.\r\n");
    }

    #[test]
    fn a_partial_last_line_gets_its_end() {
        assert_eq!(encoded(&[b"a\nb"]), "a\r\nb\r\n.\r\n");
        assert_eq!(encoded(&[b"."]), "..\r\n.\r\n");
        assert_eq!(encoded(&[b"\r"]), ".\r\n");
    }

    /// The way out: a stored message with any line ends around its dot leaves as one message.
    #[test]
    fn smuggling_matrix_outward() {
        for (before, out) in
            [("\n", "one\r\n.."), ("\r\n", "one\r\n.."), ("\r", "one."), ("\n\r", "one\r\n..")]
        {
            for (after, end) in [("\n", "\r\n"), ("\r\n", "\r\n"), ("\r", ""), ("\n\r", "\r\n")] {
                let message = format!("one{before}.{after}MAIL FROM:<>\n");
                let expected = format!("{out}{end}MAIL FROM:<>\r\n.\r\n");
                assert_eq!(encoded(&[message.as_bytes()]), expected, "{message:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_goes_out_comes_in_again(
            message in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..60),
            at in 0..60_usize,
        ) {
            let (one, two) = message.split_at(at.min(message.len()));
            let mut encoder = Encoder::default();
            let mut out = Vec::new();
            encoder.write(one, &mut out);
            encoder.write(two, &mut out);
            encoder.finish(&mut out);
            let mut expected: Vec<u8> = message.iter().copied().filter(|&byte| byte != b'\r').collect();
            if !expected.is_empty() && !expected.ends_with(b"\n") {
                expected.push(b'\n');
            }
            prop_assert_eq!(read(&out, BareCr::Refuse), (expected, out.len(), Progress::Done));
        }

        #[test]
        fn it_does_not_matter_how_a_message_comes_in_pieces(
            input in "[a.\r\n]{0,40}", end in "(\r\n.\r\n)?", at in 0..50_usize, keep: bool,
        ) {
            let bare_cr = if keep { BareCr::Keep } else { BareCr::Refuse };
            let input = [input.as_bytes(), end.as_bytes()].concat();
            let whole = read(&input, bare_cr);
            let (one, two) = input.split_at(at.min(input.len()));
            let mut decoder = Decoder::new(bare_cr);
            let mut message = Vec::new();
            let mut result = decoder.read(one, |bytes| message.extend_from_slice(bytes));
            if result.1 == Progress::More {
                let (taken, progress) = decoder.read(two, |bytes| message.extend_from_slice(bytes));
                result = (one.len() + taken, progress);
            }
            prop_assert_eq!((message, result.0, result.1), whole);
        }

        #[test]
        fn what_is_taken_as_a_message_has_no_other_line_ends(input in "[a.\r\n]{0,40}") {
            let (message, taken, progress) = read(input.as_bytes(), BareCr::Refuse);
            if progress == Progress::Done {
                let sent = &input[..taken];
                prop_assert!(sent == ".\r\n" || sent.ends_with("\r\n.\r\n"));
                prop_assert!(!sent.replace("\r\n", "").contains(['\r', '\n']));
                prop_assert!(!message.contains(&b'\r'));
            }
        }
    }
}
