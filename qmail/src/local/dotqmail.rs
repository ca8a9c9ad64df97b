//! .qmail files: which one counts, and what a line of it says. Source: dot-qmail(5).

/// A file in the home directory that may say what to do with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: Vec<u8>,
    /// The part of the extension that is left to it as a file for several addresses: `$DEFAULT`.
    pub default: Option<&'a [u8]>,
}

const DEFAULT: &[u8] = b"default";

/// The files to look for, in order: the one of the extension, then one ending in `default` for each
/// beginning of it that ends in a dash, the longest first, and for the empty one.
///
/// In names the extension's letters are lower case, and its dots colons. With an empty dash the last is
/// `.qmaildefault`, as observed.
pub fn candidates<'a>(dash: &'a [u8], ext: &'a [u8]) -> impl Iterator<Item = Candidate<'a>> {
    let safe = safe(ext);
    let name = move |length: usize, end: &[u8]| {
        [b".qmail", dash, safe.get(..length).unwrap_or_default(), end].concat()
    };
    let is_default = ext.to_ascii_lowercase().ends_with(DEFAULT);
    let own = is_default.then(|| ext.get(ext.len() - DEFAULT.len()..).unwrap_or_default());
    let exact = Candidate { name: name(ext.len(), b""), default: own };
    let defaults = (0..=ext.len()).rev().filter_map(move |length| {
        let (head, rest) = ext.split_at_checked(length)?;
        let ends = head.last().is_none_or(|&byte| byte == b'-');
        ends.then(|| Candidate { name: name(length, DEFAULT), default: Some(rest) })
    });
    std::iter::once(exact).chain(defaults)
}

/// The file that makes its owner the sender of what is forwarded, and the one that beside it asks for a
/// sender of its own for each recipient.
#[must_use]
pub fn owners(dash: &[u8], ext: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let owner = [b".qmail", dash, &safe(ext), b"-owner"].concat();
    let each = [&owner[..], b"-default"].concat();
    (owner, each)
}

/// No dot means that no extension leads to another directory.
fn safe(ext: &[u8]) -> Vec<u8> {
    let safe = |byte: &u8| if *byte == b'.' { b':' } else { byte.to_ascii_lowercase() };
    ext.iter().map(safe).collect()
}

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction<'a> {
    /// Send the message on to this address.
    Forward(&'a [u8]),
    /// From here on, only forward.
    ForwardOnly,
    /// Deliver to the maildir of this name, which ends in a slash.
    Maildir(&'a [u8]),
    /// Append to the file of this name.
    Mbox(&'a [u8]),
    /// A comment, or for another program.
    Nothing,
    /// Give the message to this shell command.
    Program(&'a [u8]),
}

impl Instruction<'_> {
    /// Reads a line without its newline, and without the blanks at its end.
    #[must_use]
    pub fn parse(line: &[u8]) -> Instruction<'_> {
        match line {
            [] | [b'#', ..] => Instruction::Nothing,
            [b'|', command @ ..] => Instruction::Program(command),
            [b'.' | b'/', .., b'/'] | [b'/'] => Instruction::Maildir(line),
            [b'.' | b'/', ..] => Instruction::Mbox(line),
            b"+list" => Instruction::ForwardOnly,
            [b'+', ..] => Instruction::Nothing,
            address => Instruction::Forward(address.strip_prefix(b"&").unwrap_or(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files(dash: &str, ext: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        candidates(dash.as_bytes(), ext.as_bytes())
            .map(|file| (text(&file.name), file.default.map(text)))
            .collect()
    }

    fn names(dash: &str, ext: &str) -> Vec<String> {
        files(dash, ext).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_search_goes_from_the_whole_to_the_start() {
        let expected =
            [".qmail-a:b-c-d", ".qmail-a:b-c-default", ".qmail-a:b-default", ".qmail-default"];
        assert_eq!(names("-", "A.b-C-D"), expected);
        assert_eq!(names("", ""), [".qmail", ".qmaildefault"]);
        assert_eq!(names("-", ""), [".qmail-", ".qmail-default"]);
        assert_eq!(names("-", "a-"), [".qmail-a-", ".qmail-a-default", ".qmail-default"]);
        assert_eq!(names("-/", "a"), [".qmail-/a", ".qmail-/default"]);
        assert_eq!(
            names("-", "a--b"),
            [".qmail-a--b", ".qmail-a--default", ".qmail-a-default", ".qmail-default"]
        );
    }

    #[test]
    fn the_rest_keeps_its_case_and_dots() {
        let rests: Vec<_> = files("-", "A.b-C-D.e").into_iter().map(|(_, rest)| rest).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(rests, [None, some("D.e"), some("C-D.e"), some("A.b-C-D.e")]);
    }

    #[test]
    fn an_address_that_ends_in_default_says_so() {
        assert_eq!(files("-", "x-Default")[0].1, Some("Default".to_owned()));
        assert_eq!(files("-", "xdefault")[0].1, Some("default".to_owned()));
        assert_eq!(files("-", "x-defaul")[0].1, None);
    }

    #[test]
    fn owners_are_of_the_whole_extension() {
        let expected = (b".qmail-a:b-owner".to_vec(), b".qmail-a:b-owner-default".to_vec());
        assert_eq!(owners(b"-", b"A.b"), expected);
    }

    #[test]
    fn the_first_byte_says_what_a_line_is() {
        use Instruction as I;
        let cases: [(&[u8], I<'_>); 19] = [
            (b"", I::Nothing),
            (b"# |x", I::Nothing),
            (b"|exit 0", I::Program(b"exit 0")),
            (b"|", I::Program(b"")),
            (b"./Mailbox", I::Mbox(b"./Mailbox")),
            (b"/dev/null", I::Mbox(b"/dev/null")),
            (b".", I::Mbox(b".")),
            (b"./Maildir/", I::Maildir(b"./Maildir/")),
            (b"/", I::Maildir(b"/")),
            (b"./", I::Maildir(b"./")),
            (b"&me@h", I::Forward(b"me@h")),
            (b"& me@h", I::Forward(b" me@h")),
            (b"&", I::Forward(b"")),
            (b"me@h", I::Forward(b"me@h")),
            (b" ./Mailbox", I::Forward(b" ./Mailbox")),
            (b"+list", I::ForwardOnly),
            (b"+list x", I::Nothing),
            (b"+", I::Nothing),
            (b"Maildir/", I::Forward(b"Maildir/")),
        ];
        for (line, expected) in cases {
            assert_eq!(I::parse(line), expected, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_the_home(ext: Vec<u8>) {
            for file in candidates(b"-/", &ext) {
                prop_assert!(!file.name.windows(2).any(|pair| pair == b".."));
            }
        }

        #[test]
        fn every_name_but_the_first_ends_in_default(ext in "[a-zA-Z.-]{0,20}") {
            let mut length = usize::MAX;
            for file in candidates(b"-", ext.as_bytes()).skip(1) {
                prop_assert!(file.name.ends_with(b"default"));
                prop_assert!(file.name.len() < length);
                prop_assert!(ext.as_bytes().ends_with(file.default.unwrap()));
                length = file.name.len();
            }
        }
    }
}
