//! A case on both sides, and what is said about it.

use std::fmt::Write;

use crate::command::Run;
use crate::files::Files;
use crate::kept::PROGRAMS;
use crate::side::Side;
use crate::transcript::{Recording, Transcript};
use crate::{skipped, unescaped};

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
    /// Ours once more, from a process that has served other connections before.
    kept: Option<Outcome>,
    original: Option<Outcome>,
    recording: Option<Recording>,
}

/// Runs a case on ours and on Debian's original.
pub fn case(run: impl Fn(&Side) -> Run) -> Case {
    beside(Side::debian(), "the originals ($DAISYCHAIN_ORIGINALS)", run)
}

/// Runs a case on ours and on Debian's IPv6 edition of ucspi-tcp.
pub fn case_v6(run: impl Fn(&Side) -> Run) -> Case {
    beside(Side::debian_v6(), "the IPv6 originals ($DAISYCHAIN_ORIGINALS_V6)", run)
}

fn beside(original: Option<Side>, name: &str, run: impl Fn(&Side) -> Run) -> Case {
    let ours = on(&Side::ours(), &run);
    let original = original.map(|side| on(&side, &run));
    if original.is_none() {
        skipped(name);
    }
    Case { ours, kept: None, original, recording: None }
}

/// Runs a case on ours, and compares with the recording `PROGRAM/NAME` of the original.
pub fn recorded(program: &str, name: &str, run: impl Fn(&Side) -> Run) -> Case {
    let transcript = Transcript::new(program, name);
    let ours = on(&Side::ours(), &run);
    let kept = PROGRAMS.contains(&program).then(|| on(&Side::kept(), &run));
    if let Some(side) = Side::recording().filter(|side| side.programs().join(program).is_file()) {
        let outcome = on(&side, &run);
        let recording = Recording::new(transcript, &outcome, side.commands());
        return Case { ours, kept, original: Some(outcome), recording: Some(recording) };
    }
    let original = transcript.read();
    if original.is_none() {
        skipped(&format!("the recording {program}/{name}"));
    }
    Case { ours, kept, original, recording: None }
}

fn on(side: &Side, run: &impl Fn(&Side) -> Run) -> Outcome {
    let result = run(side);
    side.end_background();
    Outcome { run: result.named(side), files: Files::of(side.path()).named(side) }
}

impl Outcome {
    /// Puts stdout, stderr, and names and contents of files, escaped, through `change`.
    pub(crate) fn change(&mut self, change: &impl Fn(&str) -> String) {
        for bytes in [&mut self.run.stdout, &mut self.run.stderr] {
            *bytes = unescaped(&change(&bytes.escape_ascii().to_string()));
        }
        self.files.change(change);
    }
}

impl Case {
    /// Puts both sides' texts (stdout, stderr, names and contents of files) through `change`: for times
    /// and process numbers, which differ. Each text comes escaped, in one line.
    #[must_use]
    pub fn normalised(mut self, change: impl Fn(&str) -> String) -> Case {
        self.ours.change(&change);
        if let Some(kept) = &mut self.kept {
            kept.change(&change);
        }
        if let Some(original) = &mut self.original {
            original.change(&change);
        }
        if let Some(recording) = &mut self.recording {
            recording.change(&change);
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
        self.as_if_alone(part, &of);
        if let Some(original) = &self.original {
            let (ours, original) = (of(&self.ours), of(original));
            assert!(ours == original, "{part} differs{}", side_by_side(&ours, &original));
        }
        self
    }

    /// Those that a program has served before have left nothing behind.
    fn as_if_alone(&self, part: &str, of: &impl Fn(&Outcome) -> Vec<u8>) {
        if let Some(kept) = &self.kept {
            let (ours, kept) = (of(&self.ours), of(kept));
            assert!(ours == kept, "{part} of a kept process differs{}", side_by_side(&kept, &ours));
        }
    }

    fn differing(
        self,
        part: &str,
        ours: &str,
        original: &str,
        of: impl Fn(&Outcome) -> Vec<u8>,
    ) -> Case {
        self.as_if_alone(part, &of);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &[u8]) -> Outcome {
        Outcome {
            run: Run { stdout: stdout.to_vec(), stderr: Vec::new(), exit: 0 },
            files: Files::default(),
        }
    }

    fn of(ours: &[u8], original: Option<&[u8]>) -> Case {
        Case { ours: outcome(ours), kept: None, original: original.map(outcome), recording: None }
    }

    #[test]
    #[should_panic(expected = "stdout differs")]
    fn a_difference_is_found() {
        let _ = of(b"a", Some(b"b")).same_stdout();
    }

    #[test]
    #[should_panic(expected = "the original's stdout")]
    fn a_pinned_difference_that_is_gone_is_found() {
        let _ = of(b"a", Some(b"a")).differing_stdout("a", "b");
    }

    #[test]
    #[should_panic(expected = "our stdout")]
    fn ours_is_checked_where_the_original_is_missing() {
        let _ = of(b"c", None).differing_stdout("a", "b");
    }

    #[test]
    fn what_is_normalised_on_both_sides_is_the_same() {
        of(b"pid 1\n", Some(b"pid 23\n"))
            .normalised(|text| text.replace("pid 1", "pid N").replace("pid 23", "pid N"))
            .same();
    }
}
