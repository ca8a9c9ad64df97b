//! What the original did, written down: `tests/conformance/recorded/PROGRAM/NAME`.
//!
//! ```text
//! # notqmail 1.09, 2026-11-25
//! $ NAME=value program word
//! exit 0
//! stdout
//!   text of a line\n
//! stderr
//! files
//! file 0644 name
//!   contents\n
//! ```

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Run;
use crate::files::Files;
use crate::{Outcome, unescaped};

/// One recording.
#[derive(Debug)]
pub(crate) struct Transcript(PathBuf);

impl Transcript {
    pub(crate) fn new(program: &str, name: &str) -> Transcript {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/harness");
        Transcript(tests.join("conformance/recorded").join(program).join(name))
    }

    fn write(&self, by: &str, commands: &[String], outcome: &Outcome) {
        let mut text = format!("# {by}\n");
        for command in commands {
            let _ = writeln!(text, "$ {command}"); // into a String, which takes everything
        }
        let _ = writeln!(text, "exit {}", outcome.run.exit); // as above
        for (title, bytes) in [("stdout", &outcome.run.stdout), ("stderr", &outcome.run.stderr)] {
            let _ = writeln!(text, "{title}"); // as above
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                let _ = writeln!(text, "  {}", line.escape_ascii()); // as above
            }
        }
        let _ = write!(text, "files\n{}", outcome.files); // as above
        fs::create_dir_all(self.0.parent().expect("a folder")).expect("a folder");
        fs::write(&self.0, text).expect("a recording");
    }

    /// Who was recorded and with which commands, if that ever happened.
    fn head(&self) -> Option<(String, Vec<String>)> {
        let text = fs::read_to_string(&self.0).ok()?;
        let by = text.lines().next()?.strip_prefix("# ")?.to_owned();
        let commands = text.lines().map_while(|line| match line.split_at_checked(2)? {
            ("# ", _) => Some(None),
            ("$ ", command) => Some(Some(command.to_owned())),
            _ => None,
        });
        Some((by, commands.flatten().collect()))
    }

    /// What the original did, if that was ever recorded.
    pub(crate) fn read(&self) -> Option<Outcome> {
        let text = fs::read_to_string(&self.0).ok()?;
        let (head, files) = text.split_once("\nfiles\n").expect("files in a recording");
        let (head, stderr) = head.split_once("\nstderr").expect("stderr in a recording");
        let (head, stdout) = head.split_once("\nstdout").expect("stdout in a recording");
        let (_, exit) = head.split_once("\nexit ").expect("exit in a recording");
        let lines = |text: &str| -> Vec<u8> {
            text.lines().filter_map(|line| line.strip_prefix("  ")).flat_map(unescaped).collect()
        };
        let run = Run {
            stdout: lines(stdout),
            stderr: lines(stderr),
            exit: exit.trim().parse().expect("an exit code"),
        };
        Some(Outcome { run, files: Files::parse(files) })
    }
}

/// A recording that is being made. When it is dropped, it replaces the old one if that says something
/// else: what [`crate::Case::normalised`] takes out does not count.
#[derive(Debug)]
pub(crate) struct Recording {
    transcript: Transcript,
    by: String,
    commands: Vec<String>,
    seen: Outcome,
    new: Outcome,
    old: Option<Outcome>,
}

impl Recording {
    /// Of what the original did. Its version and the day are `$DAISYCHAIN_RECORD_AS`.
    pub(crate) fn new(transcript: Transcript, seen: &Outcome, commands: Vec<String>) -> Recording {
        let by =
            std::env::var("DAISYCHAIN_RECORD_AS").expect("DAISYCHAIN_RECORD_AS: version, date");
        let old = transcript.read();
        Recording { transcript, by, commands, seen: seen.clone(), new: seen.clone(), old }
    }

    pub(crate) fn change(&mut self, change: &impl Fn(&str) -> String) {
        self.new.change(change);
        if let Some(old) = &mut self.old {
            old.change(change);
        }
    }

    fn is_known(&self) -> bool {
        let version = |by: &str| by.rsplit_once(", ").map(|(version, _)| version.to_owned());
        let head = self.transcript.head();
        self.old.as_ref() == Some(&self.new)
            && head.is_some_and(|(by, commands)| {
                version(&by) == version(&self.by) && commands == self.commands
            })
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if !self.is_known() {
            self.transcript.write(&self.by, &self.commands, &self.seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::files::Entry;

    fn outcome(stdout: &[u8]) -> Outcome {
        let entry = Entry { kind: "file", mode: 0o600, contents: b"x\ny".to_vec() };
        let run = Run { stdout: stdout.to_vec(), stderr: b"stderr\n".to_vec(), exit: -9 };
        Outcome { run, files: Files(BTreeMap::from([("files".to_owned(), entry)])) }
    }

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let transcript = Transcript(folder.path().join("program/name"));
        assert!(transcript.read().is_none());
        let seen = outcome(b"a\n\0\xffb\nexit 3\nfiles\nno end");
        let commands = vec!["A=b printf x\\n".to_owned(), "true".to_owned()];
        transcript.write("notqmail 1.09, 2026-11-25", &commands, &seen);
        assert_eq!(transcript.read(), Some(seen));
        assert_eq!(transcript.head(), Some(("notqmail 1.09, 2026-11-25".to_owned(), commands)));
    }

    #[test]
    fn a_recording_that_differs_in_numbers_alone_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        let record = |stdout: &[u8], by: &str, digit: &str| {
            let seen = outcome(stdout);
            let transcript = Transcript(path.clone());
            let old = transcript.read();
            let by = by.to_owned();
            let commands = Vec::new();
            let mut new =
                Recording { transcript, by, commands, seen: seen.clone(), new: seen, old };
            new.change(&|text| text.replace(['1', '2'], digit));
            drop(new);
            fs::read(&path).unwrap()
        };
        let first = record(b"pid 1\n", "v, monday", "N");
        assert_eq!(record(b"pid 2\n", "v, tuesday", "N"), first);
        assert_ne!(record(b"qid 2\n", "v, tuesday", "N"), first);
        assert_ne!(record(b"qid 2\n", "w, tuesday", "N"), record(b"qid 2\n", "v, tuesday", "N"));
    }
}
