//! Line patterns.

use memchr::memchr;

use crate::multilog::glob;

/// What a line must look like, as a whole, to be selected or deselected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Manner);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Manner {
    Simple(Vec<Piece>),
    Glob(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// Whatever follows.
    Rest,
    /// Everything before the first such byte, which is looked at next.
    SkipTo(u8),
}

impl Pattern {
    /// The pattern that `text` stands for; any bytes are one.
    ///
    /// A star followed by a byte stands for everything up to the first such byte, so that no other is
    /// skipped; a star at the end stands for the rest; every other byte stands for itself. There is no
    /// going back, and no way to write a star that is none. Source: multilog(8).
    #[must_use]
    pub fn parse(text: &[u8]) -> Pattern {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(star) = memchr(b'*', rest) {
            let (literal, tail) = rest.split_at(star);
            push_literal(&mut pieces, literal);
            rest = tail.split_first().map_or(tail, |(_, after)| after);
            pieces.push(rest.first().map_or(Piece::Rest, |&byte| Piece::SkipTo(byte)));
        }
        push_literal(&mut pieces, rest);
        Pattern(Manner::Simple(pieces))
    }

    /// The pattern that `text` stands for in the manner of file names; see [`glob::matches`].
    #[must_use]
    pub fn glob(text: &[u8]) -> Pattern {
        Pattern(Manner::Glob(text.to_vec()))
    }

    /// Whether the whole of `line` looks like this.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        let pieces = match &self.0 {
            Manner::Simple(pieces) => pieces,
            Manner::Glob(text) => return glob::matches(text, line),
        };
        let mut rest = line;
        for piece in pieces {
            rest = match piece {
                Piece::Literal(text) => match rest.strip_prefix(text.as_slice()) {
                    Some(after) => after,
                    None => return false,
                },
                Piece::Rest => return true,
                Piece::SkipTo(byte) => match memchr(*byte, rest).and_then(|at| rest.get(at..)) {
                    Some(found) => found,
                    None => return false,
                },
            };
        }
        rest.is_empty()
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &[u8]) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern.as_bytes()).matches(line.as_bytes())
    }

    #[test]
    fn without_a_star_only_the_same_line_matches() {
        assert!(matches("one", "one"));
        for line in ["", "on", "onf", "one*", "onetwo"] {
            assert!(!matches("one", line), "{line}");
        }
        assert!(matches("", ""));
        assert!(!matches("", "x"));
    }

    #[test]
    fn a_star_at_the_end_matches_the_rest() {
        assert!(["", "x", "*", "one"].iter().all(|line| matches("*", line)));
        assert!(["one", "one*", "onetwo"].iter().all(|line| matches("one*", line)));
        assert!(["", "x", "on", "onf"].iter().all(|line| !matches("one*", line)));
    }

    #[test]
    fn a_star_stops_at_the_first_byte_that_follows_it() {
        assert!([" one", "x one", "* one", "xy one"].iter().all(|line| matches("* one", line)));
        for line in ["one", " two", "  one", "xy one "] {
            assert!(!matches("* one", line), "{line}");
        }
        assert!(matches("*one", "xone"));
        assert!(!matches("*one", "oone"));
        assert!(matches("* fatal: *", "a fatal: b"));
        assert!(!matches("* fatal: *", "a b fatal: c"));
    }

    #[test]
    fn several_stars_work_from_left_to_right() {
        for line in ["  one", "x  one", " y one", "x y one"] {
            assert!(matches("* * one", line), "{line}");
        }
        for line in ["one", " one", "   one"] {
            assert!(!matches("* * one", line), "{line}");
        }
    }

    #[test]
    fn two_stars_look_for_a_star() {
        assert!(matches("**", "a*b"));
        assert!(!matches("**", "ab"));
    }

    /// The rule as one would say it, a byte at a time.
    fn by_hand(pattern: &[u8], line: &[u8]) -> bool {
        match (pattern, line) {
            ([b'*'], _) => true,
            ([b'*', wanted, ..], [byte, ..]) if wanted != byte => by_hand(pattern, &line[1..]),
            ([b'*', ..], []) => false,
            ([b'*', ..], _) => by_hand(&pattern[1..], line),
            ([wanted, pattern @ ..], [byte, line @ ..]) => wanted == byte && by_hand(pattern, line),
            ([], line) => line.is_empty(),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_rule_says(pattern in "[ab*]{0,6}", line in "[ab*]{0,8}") {
            prop_assert_eq!(
                matches(&pattern, &line),
                by_hand(pattern.as_bytes(), line.as_bytes())
            );
        }
    }
}
