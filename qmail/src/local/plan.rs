//! What a .qmail file amounts to: its instructions one after another, or why it is not followed.

use wire::decimal;

use super::dotqmail::Instruction;

/// The contents of a .qmail file, and its owner's word on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotQmail<'a> {
    /// What it says.
    pub text: &'a [u8],
    /// It is executable: it must do nothing but forward.
    pub forward_only: bool,
}

/// Why a .qmail file is not followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its first line says nothing.
    BlankFirstLine,
    /// A delivery to a file where only forwarding is allowed.
    File,
    /// A program where only forwarding is allowed.
    Program,
    /// A zero byte in a line: no name, command or address can hold one.
    ZeroByte,
}

impl Refusal {
    /// The text of the report.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Refusal::BlankFirstLine => "Uh-oh: first line of .qmail file is blank. (#4.2.1)",
            Refusal::File => "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)",
            Refusal::Program => "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)",
            Refusal::ZeroByte => "Uh-oh: .qmail has a zero byte. (#4.2.1)",
        }
    }
}

/// The instructions of a file, in order. What comes behind a [`Refusal`] is not to be looked at.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    rest: Option<&'a [u8]>,
    is_first: bool,
    forward_only: bool,
}

impl<'a> Plan<'a> {
    /// The instructions of `file`; of `default` if there is no file, or an empty one.
    #[must_use]
    pub fn new(file: Option<DotQmail<'a>>, default: &'a [u8]) -> Plan<'a> {
        let default = DotQmail { text: default, forward_only: false };
        let DotQmail { text, forward_only } =
            file.filter(|file| !file.text.is_empty()).unwrap_or(default);
        Plan { rest: Some(text), is_first: true, forward_only }
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let (line, rest) = match memchr::memchr(b'\n', rest) {
            Some(end) => (rest.get(..end)?, rest.get(end + 1..).filter(|rest| !rest.is_empty())),
            None => (rest, None),
        };
        self.rest = rest;
        Some(wire::text::trim_end(line))
    }
}

impl<'a> Iterator for Plan<'a> {
    type Item = Result<Instruction<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.line()?;
            if std::mem::take(&mut self.is_first) && line.is_empty() {
                return Some(Err(Refusal::BlankFirstLine));
            }
            let instruction = Instruction::parse(line);
            let refusal = match instruction {
                Instruction::Nothing => continue,
                _ if memchr::memchr(0, line).is_some() => Refusal::ZeroByte,
                Instruction::ForwardOnly => {
                    self.forward_only = true;
                    continue;
                }
                Instruction::Maildir(_) | Instruction::Mbox(_) if self.forward_only => {
                    Refusal::File
                }
                Instruction::Program(_) if self.forward_only => Refusal::Program,
                _ => return Some(Ok(instruction)),
            };
            return Some(Err(refusal));
        }
    }
}

/// How many instructions of each kind have been followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries to maildirs and mboxes.
    pub files: u64,
    /// Addresses forwarded to.
    pub forwards: u64,
    /// Programs run.
    pub programs: u64,
}

impl Tally {
    /// The line of the report: `did 1+0+2`.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut line = b"did ".to_vec();
        decimal::push(&mut line, self.files);
        for count in [self.forwards, self.programs] {
            line.push(b'+');
            decimal::push(&mut line, count);
        }
        line.push(b'\n');
        line
    }
}

/// What the exit code of a program says about the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Done,
    /// It is done for good: skip the lines that follow.
    DoneForGood,
    /// It can never succeed.
    Hard,
    /// It may succeed later.
    Soft,
}

impl Verdict {
    /// Source: qmail-command(8).
    #[must_use]
    pub const fn of_exit(code: u8) -> Verdict {
        match code {
            0 => Verdict::Done,
            99 => Verdict::DoneForGood,
            64 | 65 | 70 | 76 | 77 | 78 | 100 | 112 => Verdict::Hard,
            _ => Verdict::Soft,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(text: &str, forward_only: bool) -> Vec<Result<Instruction<'_>, Refusal>> {
        let file = DotQmail { text: text.as_bytes(), forward_only };
        Plan::new(Some(file), b"./Mailbox").collect()
    }

    #[test]
    fn lines_are_followed_in_order_without_blanks_at_their_ends() {
        use Instruction as I;
        let expected =
            [I::Forward(b"a@b"), I::Maildir(b"./Maildir/"), I::Program(b"exit 0"), I::Mbox(b"./x")];
        let text = "a@b \t\n\n# no\n./Maildir/ \n \t\n|exit 0\n+x\n./x";
        assert_eq!(plan(text, false), expected.map(Ok));
    }

    #[test]
    fn without_a_file_or_with_an_empty_one_the_default_is_followed() {
        let default = b"./a\n|b";
        let expected = [Instruction::Mbox(b"./a"), Instruction::Program(b"b")].map(Ok);
        let empty = DotQmail { text: b"", forward_only: true };
        for file in [None, Some(empty)] {
            assert_eq!(Plan::new(file, default).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_first_line_that_is_blank_is_refused() {
        for text in ["\n./x\n", " \t\n./x\n", " "] {
            assert_eq!(plan(text, false).first(), Some(&Err(Refusal::BlankFirstLine)), "{text:?}");
        }
        assert_eq!(Plan::new(None, b"").next(), Some(Err(Refusal::BlankFirstLine)));
        assert_eq!(plan("#\n \n", false), []);
    }

    #[test]
    fn forwarding_only_excludes_files_and_programs() {
        assert_eq!(plan("./x\n", true), [Err(Refusal::File)]);
        assert_eq!(plan("./x/\n", true), [Err(Refusal::File)]);
        assert_eq!(plan("|x\n", true), [Err(Refusal::Program)]);
        assert_eq!(plan("&x\n", true), [Ok(Instruction::Forward(b"x"))]);
        let mixed = plan("|x\n+list\n&y\n|z\n", false);
        let expected =
            [Ok(Instruction::Program(b"x")), Ok(Instruction::Forward(b"y")), Err(Refusal::Program)];
        assert_eq!(mixed, expected);
    }

    #[test]
    fn a_zero_byte_is_refused_outside_comments() {
        for text in ["./a\0b\n", "\0\n", "a@b\0\n", "|x\0", "&\0"] {
            assert_eq!(plan(text, false), [Err(Refusal::ZeroByte)], "{text:?}");
        }
        assert_eq!(plan("#\0\n", false), []);
    }

    #[test]
    fn the_tally_is_files_forwards_and_programs() {
        assert_eq!(Tally { files: 1, forwards: 20, programs: 3 }.line(), b"did 1+20+3\n");
    }

    #[test]
    fn exit_codes_go_on_stop_bounce_or_defer() {
        for code in 0..=255 {
            let expected = match code {
                0 => Verdict::Done,
                99 => Verdict::DoneForGood,
                64 | 65 | 70 | 76 | 77 | 78 | 100 | 112 => Verdict::Hard,
                _ => Verdict::Soft,
            };
            assert_eq!(Verdict::of_exit(code), expected, "{code}");
        }
    }

    proptest! {
        #[test]
        fn an_executable_file_only_forwards(text: Vec<u8>) {
            let file = DotQmail { text: &text, forward_only: true };
            for instruction in Plan::new(Some(file).filter(|_| !text.is_empty()), b"a@b") {
                prop_assert!(matches!(instruction, Ok(Instruction::Forward(_)) | Err(_)));
            }
        }

        #[test]
        fn no_instruction_holds_a_zero_byte_or_ends_in_a_blank(text: Vec<u8>) {
            let file = DotQmail { text: &text, forward_only: false };
            for instruction in Plan::new(Some(file), b"x").take_while(Result::is_ok).flatten() {
                let (Instruction::Forward(bytes)
                | Instruction::Maildir(bytes)
                | Instruction::Mbox(bytes)
                | Instruction::Program(bytes)) = instruction
                else {
                    panic!("{instruction:?}");
                };
                prop_assert!(!bytes.contains(&0) && !bytes.contains(&b'\n'));
                prop_assert!(!bytes.ends_with(b" ") && !bytes.ends_with(b"\t"));
            }
        }
    }
}
