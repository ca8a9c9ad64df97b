//! What the original did, written down: `tests/conformance/recorded/PROGRAM/NAME`.
//!
//! ```text
//! # notqmail 1.09, 2026-11-25
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
pub(crate) struct Transcript(PathBuf);

impl Transcript {
    pub(crate) fn new(program: &str, name: &str) -> Transcript {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/harness");
        Transcript(tests.join("conformance/recorded").join(program).join(name))
    }

    /// Writes down what the original did; its version and the day are `$DAISYCHAIN_RECORD_AS`.
    pub(crate) fn write(&self, outcome: &Outcome) {
        let by =
            std::env::var("DAISYCHAIN_RECORD_AS").expect("DAISYCHAIN_RECORD_AS: version, date");
        let mut text = format!("# {by}\nexit {}\n", outcome.run.exit);
        for (title, bytes) in [("stdout", &outcome.run.stdout), ("stderr", &outcome.run.stderr)] {
            let _ = writeln!(text, "{title}"); // into a String, which takes everything
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                let _ = writeln!(text, "  {}", line.escape_ascii()); // as above
            }
        }
        let _ = write!(text, "files\n{}", outcome.files); // as above
        fs::create_dir_all(self.0.parent().expect("a folder")).expect("a folder");
        fs::write(&self.0, text).expect("a recording");
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
