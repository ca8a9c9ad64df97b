//! Commands: lines of bounded length, and the verb and argument in them.

/// Longest line that is a command, in bytes before its line end. Source: RFC 5321 section
/// 4.5.3.1.6 for lines of text; its 512 for commands is too short for their extensions.
pub const LONGEST: usize = 998;

/// Cuts what a client sends into lines. Keeps at most one line of [`LONGEST`] bytes.
#[derive(Debug, Default)]
pub struct Lines {
    /// The line's beginning, from earlier pieces of input.
    held: Vec<u8>,
    /// `held` is a line that has been given out.
    given: bool,
    /// The rest of the line is dropped.
    too_long: bool,
}

/// A line, without LF and without one CR before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Of at most [`LONGEST`] bytes.
    Text(&'a [u8]),
    /// Longer; its bytes are gone.
    TooLong,
}

impl Lines {
    /// The first line of `input`, and how much of `input` has been taken. Without a line, all has
    /// been taken, and kept as far as it will matter.
    pub fn take<'a>(&'a mut self, input: &'a [u8]) -> (usize, Option<Line<'a>>) {
        if std::mem::take(&mut self.given) {
            self.held.clear();
        }
        let Some(end) = memchr::memchr(b'\n', input) else {
            self.hold(input);
            return (input.len(), None);
        };
        let last = input.get(..end).unwrap_or_default();
        if self.held.is_empty() && !self.too_long {
            return (end + 1, Some(line(last)));
        }
        self.hold(last);
        if std::mem::take(&mut self.too_long) {
            return (end + 1, Some(Line::TooLong));
        }
        self.given = true;
        (end + 1, Some(line(&self.held)))
    }

    fn hold(&mut self, bytes: &[u8]) {
        // One more than a line may have: the CR at its end.
        self.too_long |= self.held.len() + bytes.len() > LONGEST + 1;
        if self.too_long {
            self.held.clear();
        } else {
            self.held.extend_from_slice(bytes);
        }
    }
}

fn line(bytes: &[u8]) -> Line<'_> {
    let text = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if text.len() > LONGEST { Line::TooLong } else { Line::Text(text) }
}

/// What a client may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The message follows.
    Data,
    /// Says who the client is, and asks for extensions.
    Ehlo,
    /// Says who the client is.
    Helo,
    /// Asks for help.
    Help,
    /// Begins a message: its sender.
    Mail,
    /// Nothing.
    Noop,
    /// Ends the session.
    Quit,
    /// A recipient.
    Rcpt,
    /// Forgets the message begun.
    Rset,
    /// Anything else.
    Unknown,
    /// Asks about an address.
    Vrfy,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// What is before the first space; case does not matter.
    pub verb: Verb,
    /// What follows, without spaces before it.
    pub argument: &'a [u8],
}

impl<'a> Command<'a> {
    /// The command in a line.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Command<'a> {
        let end = memchr::memchr(b' ', line).unwrap_or(line.len());
        let (verb, mut argument) = line.split_at_checked(end).unwrap_or_default();
        while let [b' ', rest @ ..] = argument {
            argument = rest;
        }
        let known = [
            (&b"data"[..], Verb::Data),
            (b"ehlo", Verb::Ehlo),
            (b"helo", Verb::Helo),
            (b"help", Verb::Help),
            (b"mail", Verb::Mail),
            (b"noop", Verb::Noop),
            (b"quit", Verb::Quit),
            (b"rcpt", Verb::Rcpt),
            (b"rset", Verb::Rset),
            (b"vrfy", Verb::Vrfy),
        ];
        let found = known.iter().find(|(name, _)| verb.eq_ignore_ascii_case(name));
        Command { verb: found.map_or(Verb::Unknown, |&(_, verb)| verb), argument }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of pieces of input.
    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, line) = lines.take(rest);
                match line {
                    Some(Line::Text(text)) => found.push(String::from_utf8(text.to_vec()).unwrap()),
                    Some(Line::TooLong) => found.push("TOO LONG".into()),
                    None => assert_eq!(taken, rest.len()),
                }
                rest = &rest[taken..];
                assert!(lines.held.len() <= LONGEST + 1);
            }
        }
        found
    }

    #[test]
    fn a_line_ends_at_lf_and_loses_one_cr() {
        assert_eq!(cut(&[b"HELO x\r\nNOOP\n\r\r\n\n"]), ["HELO x", "NOOP", "\r", ""]);
        assert_eq!(cut(&[b"EHLO", b" x\r", b"\nQUIT"]), ["EHLO x"]);
    }

    #[test]
    fn a_line_too_long_is_one_line_however_it_comes() {
        let longest = "x".repeat(LONGEST);
        assert_eq!(cut(&[format!("{longest}\r\nNOOP\n").as_bytes()]), [longest.as_str(), "NOOP"]);
        assert_eq!(cut(&[longest.as_bytes(), b"\r", b"\n"]), [longest.as_str()]);
        for pieces in [
            [longest.as_bytes(), b"x", b"\nNOOP\n"],
            [longest.as_bytes(), b"x\r", b"\nNOOP\n"],
            [longest.as_bytes(), longest.as_bytes(), b"yz\r\nNOOP\r\n"],
        ] {
            assert_eq!(cut(&pieces), ["TOO LONG", "NOOP"]);
        }
    }

    #[test]
    fn a_verb_is_what_is_before_the_first_space() {
        let parse = |line| {
            let command = Command::parse(line);
            (command.verb, command.argument)
        };
        assert_eq!(parse(b"mAiL   FROM:<> "), (Verb::Mail, &b"FROM:<> "[..]));
        assert_eq!(parse(b"QUIT"), (Verb::Quit, &b""[..]));
        for line in [&b""[..], b" QUIT", b"QUITS", b"QUIT\r", b"QUIT\0", b"QUIT\tx", b"AUTH LOGIN"]
        {
            assert_eq!(Command::parse(line).verb, Verb::Unknown);
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_input_comes_in_pieces(
            text in "[x\r\n]{0,60}", long in 0..3_usize, at in 0..80_usize, second in 0..2000_usize,
        ) {
            let bytes = [text.as_bytes(), &b"y".repeat(long * 499), text.as_bytes()].concat();
            let (one, rest) = bytes.split_at(at.min(bytes.len()));
            let (two, three) = rest.split_at(second.min(rest.len()));
            prop_assert_eq!(cut(&[one, two, three]), cut(&[&bytes]));
        }
    }
}
