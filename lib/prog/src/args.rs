//! Options and operands: bytes, left to right.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::vec::IntoIter;

use crate::chain::Chain;
use crate::fatal::Fatal;
use crate::message::Piece;
use crate::{Exit, Program};

/// The arguments of a program that have not been taken yet.
///
/// The option dialect is the traditional getopt's: letters may be clustered (`-vR`), a value is
/// attached or the next word (`-c5`, `-c 5`), `--` ends the options, a lone `-` is an operand, and
/// the first operand ends the options too.
#[derive(Debug)]
pub struct Args {
    /// The last part of argv\[0\].
    name: OsString,
    words: IntoIter<OsString>,
    /// What is left of a cluster of option letters.
    cluster: Vec<u8>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its letter.
    pub letter: u8,
    /// Its value; empty for an option that takes none.
    pub value: OsString,
}

impl Opt {
    /// The value as a number, if it is nothing but decimal digits and fits.
    #[must_use]
    pub fn number<T: TryFrom<u64>>(&self) -> Option<T> {
        number(&self.value).and_then(|number| T::try_from(number).ok())
    }
}

/// A decimal number: digits only, at least one.
#[must_use]
pub fn number(text: &OsStr) -> Option<u64> {
    let digits = text.as_bytes();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

impl Args {
    /// The arguments this process was started with.
    pub(crate) fn of_process(program: Program) -> Args {
        let mut words = std::env::args_os();
        let name = words.next().unwrap_or_else(|| program.name.into());
        Args::new(&name, words.collect())
    }

    /// Any arguments; `name` is argv\[0\].
    #[must_use]
    pub fn new(name: &OsStr, words: Vec<OsString>) -> Args {
        let last = name.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let name = OsStr::from_bytes(last).to_owned();
        Args { name, words: words.into_iter(), cluster: Vec::new() }
    }

    /// The name that the program was called by, without directories.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// The next option; `letters` are those allowed, each followed by `:` if it takes a value.
    ///
    /// A letter that is not allowed, or whose value is missing, is wrong usage.
    pub fn option(&mut self, letters: &[u8]) -> Result<Option<Opt>, Fatal> {
        if self.cluster.is_empty() && !self.next_cluster() {
            return Ok(None);
        }
        let letter = self.cluster.remove(0);
        let place = letters.iter().position(|&known| known == letter && letter != b':');
        let Some(place) = place else {
            self.cluster.clear();
            return Err(self.complaint((": illegal option -- ", [letter])));
        };
        if letters.get(place + 1) != Some(&b':') {
            return Ok(Some(Opt { letter, value: OsString::new() }));
        }
        let attached = std::mem::take(&mut self.cluster);
        let value = if attached.is_empty() {
            let next = self.words.next();
            next.ok_or_else(|| self.complaint((": option requires an argument -- ", [letter])))?
        } else {
            OsString::from_vec(attached)
        };
        Ok(Some(Opt { letter, value }))
    }

    /// Drops the letters that are left of the current cluster: the attached value of an option that
    /// may also stand without one.
    pub fn end_cluster(&mut self) {
        self.cluster.clear();
    }

    /// Takes the next word if it holds option letters.
    fn next_cluster(&mut self) -> bool {
        match self.words.as_slice().first().map(|word| word.as_bytes()) {
            Some(b"--") => {
                self.words.next();
                false
            }
            Some([b'-', letters @ ..]) if !letters.is_empty() => {
                self.cluster = letters.to_vec();
                self.words.next();
                true
            }
            _ => false,
        }
    }

    fn complaint(&self, what: impl Piece) -> Fatal {
        Fatal::usage((&self.name, what, "\n"))
    }

    /// The next word, which must be there.
    pub fn operand(&mut self) -> Result<OsString, Fatal> {
        self.words.next().ok_or_else(|| self.usage())
    }

    /// The next word as a path, which must be there.
    pub fn path(&mut self) -> Result<PathBuf, Fatal> {
        self.operand().map(PathBuf::from)
    }

    /// The next word, if there is one.
    pub fn optional(&mut self) -> Option<OsString> {
        self.words.next()
    }

    /// All words that are left.
    pub fn rest(&mut self) -> Vec<OsString> {
        self.words.by_ref().collect()
    }

    /// All words that are left, at least one, as the program to run next.
    pub fn chain(&mut self) -> Result<Chain, Fatal> {
        let words = self.rest();
        if words.is_empty() { Err(self.usage()) } else { Ok(Chain::new(words)) }
    }

    /// Wrong usage: the usage line, and the program's exit code for that.
    #[must_use]
    pub fn usage(&self) -> Fatal {
        Fatal::usage("")
    }

    /// Wrong usage with an exit code of its own.
    #[must_use]
    pub fn usage_with(&self, exit: Exit) -> Fatal {
        Fatal::usage("").exit(exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Args {
        Args::new(OsStr::new("/bin/tool"), words.iter().map(Into::into).collect())
    }

    fn options(words: &[&str], letters: &str) -> (Vec<(char, String)>, Vec<OsString>) {
        let mut args = args(words);
        let mut found = Vec::new();
        while let Some(opt) = args.option(letters.as_bytes()).unwrap() {
            found.push((char::from(opt.letter), opt.value.into_string().unwrap()));
        }
        (found, args.rest())
    }

    #[test]
    fn letters_cluster_and_values_attach() {
        let (found, rest) = options(&["-vRc5", "-l", "x", "prog", "-v"], "vRc:l:");
        let expected = [('v', ""), ('R', ""), ('c', "5"), ('l', "x")];
        assert_eq!(found, expected.map(|(letter, value)| (letter, value.to_owned())));
        assert_eq!(rest, ["prog", "-v"]);
    }

    #[test]
    fn two_dashes_end_the_options_and_one_is_an_operand() {
        assert_eq!(options(&["-v", "--", "-v"], "v").1, ["-v"]);
        assert_eq!(options(&["-", "-v"], "v").1, ["-", "-v"]);
    }

    #[test]
    fn an_unknown_letter_and_a_missing_value_are_wrong_usage() {
        assert!(args(&["-z"]).option(b"v").is_err());
        assert!(args(&["-:"]).option(b"c:").is_err());
        assert!(args(&["-c"]).option(b"c:").is_err());
    }

    #[test]
    fn a_number_is_digits_only() {
        assert_eq!(number(OsStr::new("40")), Some(40));
        for wrong in ["", "4x", "-1", " 4", "99999999999999999999"] {
            assert_eq!(number(OsStr::new(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_chain_needs_a_program() {
        assert!(args(&[]).chain().is_err());
        assert_eq!(args(&["a", "b"]).chain().unwrap().program(), "a");
    }
}
