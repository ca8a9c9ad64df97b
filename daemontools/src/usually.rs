//! Lines that match none of some patterns.

use memchr::memchr;

use crate::multilog::pattern::Pattern;

/// Bytes of a line that are looked at and shown; one that has so many ends in `...`.
const LONGEST: usize = 500;

/// The lines that are usual. Source: usually(8).
#[derive(Clone, Debug)]
pub struct Usual(Vec<Pattern>);

impl Usual {
    /// From a file with a pattern a line. A blank line is always usual.
    #[must_use]
    pub fn parse(file: &[u8]) -> Usual {
        let blank: &[u8] = b"";
        let lines = file.split(|&byte| byte == b'\n').chain([blank]);
        Usual(lines.map(Pattern::parse).collect())
    }

    fn has(&self, line: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(line))
    }
}

/// A stream of lines, which may come in parts.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The line that is not yet over, as far as it is looked at.
    line: Vec<u8>,
}

impl Lines {
    /// Appends to `out` those lines of the stream's next part that are not usual. What comes behind the
    /// last newline is looked at when the line is over.
    pub fn feed(&mut self, input: &[u8], usual: &Usual, out: &mut Vec<u8>) {
        let mut rest = input;
        while let Some(end) = memchr(b'\n', rest) {
            let (part, after) = rest.split_at(end);
            self.take(part);
            if self.line.len() == LONGEST {
                self.line.extend_from_slice(b"...");
            }
            if !usual.has(&self.line) {
                out.extend_from_slice(&self.line);
                out.push(b'\n');
            }
            self.line.clear();
            rest = after.get(1..).unwrap_or_default();
        }
        self.take(rest);
    }

    fn take(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unusual(file: &str, parts: &[&str]) -> String {
        let (usual, mut lines, mut out) = (Usual::parse(file.as_bytes()), Lines::default(), vec![]);
        for part in parts {
            lines.feed(part.as_bytes(), &usual, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_that_no_pattern_matches_are_unusual() {
        assert_eq!(unusual("one*\n* two\n", &["one\nx two\ntwo\nthree\n"]), "two\nthree\n");
        assert_eq!(unusual("one", &["one\ntwo\n"]), "two\n");
    }

    #[test]
    fn a_blank_line_is_usual_and_an_unfinished_one_is_not_looked_at() {
        assert_eq!(unusual("", &["\nx\n\ny"]), "x\n");
    }

    #[test]
    fn a_line_is_cut_before_it_is_looked_at() {
        let (short, long) = ("x".repeat(499), "x".repeat(600));
        let cut = "x".repeat(500) + "...";
        assert_eq!(unusual("", &[&short, "\n"]), short.clone() + "\n");
        assert_eq!(unusual("", &[&long, &long, "\n"]), cut.clone() + "\n");
        assert_eq!(unusual(&cut, &[&long, "\n"]), "");
    }

    proptest! {
        #[test]
        fn parts_do_not_matter(text in "([ab]{1,3}|\n){0,12}", size in 1..9_usize) {
            let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let parts: Vec<&str> = parts.iter().map(|part| str::from_utf8(part).unwrap()).collect();
            prop_assert_eq!(unusual("a*\n", &parts), unusual("a*\n", &[&text]));
        }
    }
}
