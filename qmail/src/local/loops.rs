//! Whether a message has been delivered to this address before.

/// Looks for a line in the header of a message that comes in pieces.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    line: &'a [u8],
    /// How much of `line` the current line has matched; `None` if it differs.
    matched: Option<usize>,
    at_line_start: bool,
}

/// What the pieces so far have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The header has ended without the line.
    Absent,
    /// The line is there.
    Found,
    /// The header goes on.
    Open,
}

impl<'a> Search<'a> {
    /// A search for `line`, which ends in its only newline. Case matters, as observed.
    #[must_use]
    pub fn new(line: &'a [u8]) -> Search<'a> {
        Search { line, matched: Some(0), at_line_start: true }
    }

    /// Looks at the next bytes. The header ends at the first empty line.
    pub fn look(&mut self, bytes: &[u8]) -> Finding {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.at_line_start && part == b"\n" {
                return Finding::Absent;
            }
            self.matched = self.matched.and_then(|matched| {
                let rest = self.line.get(matched..)?;
                rest.starts_with(part).then_some(matched + part.len())
            });
            self.at_line_start = part.ends_with(b"\n");
            if self.at_line_start && self.matched.replace(0) == Some(self.line.len()) {
                return Finding::Found;
            }
        }
        Finding::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"Delivered-To: me@h\n";

    fn look(message: &str) -> Finding {
        Search::new(LINE).look(message.as_bytes())
    }

    #[test]
    fn the_exact_line_in_the_header_counts() {
        assert_eq!(look("A: b\nDelivered-To: me@h\nC: d\n"), Finding::Found);
        assert_eq!(look("A: b\ndelivered-to: me@h\n\n"), Finding::Absent);
        assert_eq!(look("Delivered-To: me@h2\n\n"), Finding::Absent);
        assert_eq!(look("Delivered-To: me@\n\n"), Finding::Absent);
        assert_eq!(look(" Delivered-To: me@h\n\n"), Finding::Absent);
        assert_eq!(look("\nDelivered-To: me@h\n"), Finding::Absent);
        assert_eq!(look("A: b\n\nDelivered-To: me@h\n"), Finding::Absent);
    }

    #[test]
    fn a_line_without_its_newline_does_not_count() {
        assert_eq!(look("Delivered-To: me@h"), Finding::Open);
        assert_eq!(look(""), Finding::Open);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_message_comes_in_pieces(
            message in "(Delivered-To: |me@h|x|\n){0,20}", at in 0..200_usize,
        ) {
            let (one, two) = message.as_bytes().split_at(at.min(message.len()));
            let mut search = Search::new(LINE);
            let found = match search.look(one) {
                Finding::Open => search.look(two),
                found => found,
            };
            prop_assert_eq!(found, look(&message));
        }
    }
}
