//! Every program beside its original: the same case on both sides, and what came of it compared.
//!
//! ```no_run
//! use harness::case;
//!
//! case(|side| {
//!     side.write("lock", b"");
//!     side.run(["setlock", "lock", "echo", "held"])
//! })
//! .same_stdout()
//! .same_stderr()
//! .same_exit()
//! .same_files();
//! ```
//!
//! The closure runs once for each side, in an empty directory of its own; what it starts is ended
//! with it. Programs are found by name: ours in `$DAISYCHAIN_COMMAND` (or the build's own folder),
//! the originals in `$DAISYCHAIN_ORIGINALS`, the folder that `tests/run` unpacks Debian's packages into.
//!
//! qmail's programs are not in Debian. [`recorded`] compares ours with what the original did when it was
//! last asked, which lies in `tests/conformance/recorded`; with `$DAISYCHAIN_RECORD` naming the home
//! of a built notqmail, it asks again and writes that down.
//!
//! A deliberate difference is pinned on both sides: [`Case::differing_stdout`] and its like.

mod account;
mod background;
mod clients;
mod command;
mod dns;
mod files;
mod host;
mod side;
mod smtp;
mod transcript;
mod wait;

use std::fmt::Write;

pub use background::Background;
pub use clients::{client, start};
pub use command::{Command, Run};
pub use dns::{Answer, Asked, Dns, Record};
pub use files::{Entry, Files};
pub use host::{ADDRESS, DOMAIN, Host};
pub use side::{Side, Which, executable};
pub use smtp::Smtp;
pub use wait::{free_port, until};

use transcript::Transcript;

/// What one side did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run that the case returned.
    pub run: Run,
    /// What lay in the case's directory afterwards.
    pub files: Files,
}

/// Both sides' outcomes. The original's is missing where there is no original on this machine: then
/// comparisons say so once and pass, except in CI, where a missing original is a failure.
#[derive(Debug)]
pub struct Case {
    ours: Outcome,
    original: Option<Outcome>,
}

/// Runs a case on ours and on Debian's original.
pub fn case(run: impl Fn(&Side) -> Run) -> Case {
    let ours = on(&Side::ours(), &run);
    let original = Side::debian().map(|side| on(&side, &run));
    if original.is_none() {
        skipped("the originals ($DAISYCHAIN_ORIGINALS)");
    }
    Case { ours, original }
}

/// Runs a case on ours and on Debian's IPv6 edition of ucspi-tcp.
pub fn case_v6(run: impl Fn(&Side) -> Run) -> Case {
    let ours = on(&Side::ours(), &run);
    let original = Side::debian_v6().map(|side| on(&side, &run));
    if original.is_none() {
        skipped("the IPv6 originals ($DAISYCHAIN_ORIGINALS_V6)");
    }
    Case { ours, original }
}

/// Runs a case on ours, and compares with the recording `PROGRAM/NAME` of the original.
pub fn recorded(program: &str, name: &str, run: impl Fn(&Side) -> Run) -> Case {
    let transcript = Transcript::new(program, name);
    let ours = on(&Side::ours(), &run);
    let original = match Side::recording() {
        Some(side) => {
            let outcome = on(&side, &run);
            transcript.write(&outcome);
            Some(outcome)
        }
        None => transcript.read(),
    };
    if original.is_none() {
        skipped(&format!("the recording {program}/{name}"));
    }
    Case { ours, original }
}

/// Says in one line that something cannot be tested here, or fails where it must be (`CI=true`).
///
/// # Panics
///
/// In CI.
pub fn skipped(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "missing in CI: {what}");
    eprintln!("skipped, missing: {what}");
}

/// Says in one line that a case is left out because of who runs the tests: also in CI, which runs them
/// as root.
pub fn skipped_for(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn on(side: &Side, run: &impl Fn(&Side) -> Run) -> Outcome {
    let result = run(side);
    side.end_background();
    Outcome { run: result.named(side), files: Files::of(side.path()).named(side) }
}

impl Case {
    /// Puts both sides' texts (stdout, stderr, contents of files) through `change`: for times and
    /// process numbers, which differ.
    #[must_use]
    pub fn normalised(mut self, change: impl Fn(&str) -> String) -> Case {
        for outcome in [Some(&mut self.ours), self.original.as_mut()].into_iter().flatten() {
            let text = |bytes: &mut Vec<u8>| {
                *bytes = unescaped(&change(&bytes.escape_ascii().to_string()));
            };
            text(&mut outcome.run.stdout);
            text(&mut outcome.run.stderr);
            outcome.files.change(&change);
        }
        self
    }

    /// Both wrote the same on standard output.
    pub fn same_stdout(self) -> Case {
        self.agreeing("stdout", |outcome| outcome.run.stdout.clone())
    }

    /// Both wrote the same on standard error.
    pub fn same_stderr(self) -> Case {
        self.agreeing("stderr", |outcome| outcome.run.stderr.clone())
    }

    /// Both ended with the same exit code or signal.
    pub fn same_exit(self) -> Case {
        self.agreeing("exit", |outcome| outcome.run.exit.to_string().into_bytes())
    }

    /// Both left the same files: names, kinds, modes and contents.
    pub fn same_files(self) -> Case {
        self.agreeing("files", |outcome| outcome.files.to_string().into_bytes())
    }

    /// Everything is the same.
    pub fn same(self) {
        let _ = self.same_exit().same_stdout().same_stderr().same_files();
    }

    /// Ours wrote `ours` on standard output where the original wrote `original`.
    pub fn differing_stdout(self, ours: &str, original: &str) -> Case {
        self.differing("stdout", ours, original, |outcome| outcome.run.stdout.clone())
    }

    /// Ours wrote `ours` on standard error where the original wrote `original`.
    pub fn differing_stderr(self, ours: &str, original: &str) -> Case {
        self.differing("stderr", ours, original, |outcome| outcome.run.stderr.clone())
    }

    /// Ours ended with `ours` where the original ended with `original` (−9 for signal 9).
    pub fn differing_exit(self, ours: i32, original: i32) -> Case {
        self.differing("exit", &ours.to_string(), &original.to_string(), |outcome| {
            outcome.run.exit.to_string().into_bytes()
        })
    }

    /// Our outcome, for what no comparison covers.
    #[must_use]
    pub fn ours(&self) -> &Outcome {
        &self.ours
    }

    /// The original's outcome, if there is one.
    #[must_use]
    pub fn original(&self) -> Option<&Outcome> {
        self.original.as_ref()
    }

    fn agreeing(self, part: &str, of: impl Fn(&Outcome) -> Vec<u8>) -> Case {
        if let Some(original) = &self.original {
            let (ours, original) = (of(&self.ours), of(original));
            assert!(ours == original, "{part} differs{}", side_by_side(&ours, &original));
        }
        self
    }

    fn differing(
        self,
        part: &str,
        ours: &str,
        original: &str,
        of: impl Fn(&Outcome) -> Vec<u8>,
    ) -> Case {
        let found = of(&self.ours);
        assert!(found == ours.as_bytes(), "our {part}{}", side_by_side(&found, ours.as_bytes()));
        if let Some(outcome) = &self.original {
            let found = of(outcome);
            let expected = original.as_bytes();
            assert!(found == expected, "the original's {part}{}", side_by_side(&found, expected));
        }
        self
    }
}

/// Both texts, escaped, a line a line.
fn side_by_side(first: &[u8], second: &[u8]) -> String {
    let mut text = String::new();
    for (title, bytes) in
        [("first (ours, or found)", first), ("second (original, or expected)", second)]
    {
        let _ = writeln!(text, "\n-- {title}:"); // into a String, which takes everything
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let _ = writeln!(text, "  {}", line.escape_ascii()); // as above
        }
    }
    text
}

/// The inverse of `escape_ascii`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            bytes.extend(char.to_string().bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                bytes.extend(u8::from_str_radix(&digits, 16));
            }
            Some(other) => bytes.extend(other.to_string().bytes()),
            None => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_escaping() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&all.escape_ascii().to_string()), all);
    }

    #[test]
    #[should_panic(expected = "stdout differs")]
    fn a_difference_is_found() {
        let outcome = |text: &[u8]| Outcome {
            run: Run { stdout: text.to_vec(), stderr: Vec::new(), exit: 0 },
            files: Files::default(),
        };
        let case = Case { ours: outcome(b"a"), original: Some(outcome(b"b")) };
        let _ = case.same_stdout();
    }
}
