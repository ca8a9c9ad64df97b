//! Something that runs while a case goes on.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;

use tempfile::TempDir;
use unix::Pid;
use unix::signal::{self, Signal};

use crate::kept::Session;
use crate::wait::until;

/// A program in the background, with its process group. Dropped, it is ended.
#[derive(Debug)]
pub struct Background {
    child: Child,
    output: TempDir,
    /// What it has instead of pipes, where it has served other connections before.
    session: Option<Session>,
}

/// Ends a process group; one that is gone already is no matter.
pub(crate) fn kill_group(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::send_group(Pid::from_raw(pid), Signal::SIGKILL); // it may be gone
    }
}

/// Ends every process whose working directory is `directory` or below, until there is none.
pub(crate) fn end_inside(directory: &Path) {
    let own = std::process::id();
    let inside = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| u32::try_from(*pid) != Ok(own))
            .filter(|pid| {
                // One that ends meanwhile, or is not ours, has none to read; a dead one has none either.
                fs::read_link(format!("/proc/{pid}/cwd"))
                    .is_ok_and(|working| working.starts_with(directory))
            })
            .collect::<Vec<_>>()
    };
    let _ = until(|| {
        let found = inside();
        for pid in &found {
            let _ = signal::send(Pid::from_raw(*pid), Signal::SIGKILL); // it may be gone
        }
        found.is_empty()
    });
}

/// Waits until nothing of a process group runs any more.
pub(crate) fn group_ends(group: u32) {
    let runs = |stat: &str| {
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next().unwrap_or_default();
        fields.nth(1).and_then(|word| word.parse().ok()) == Some(group) && !"ZX".contains(state)
    };
    let is_over = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        !stats.into_iter().any(|stat| runs(&stat))
    };
    assert!(until(is_over), "process group {group} does not end");
}

impl Background {
    pub(crate) fn new(child: Child, output: TempDir) -> Background {
        Background { child, output, session: None }
    }

    /// The same, for a program that has been handed a connection.
    pub(crate) fn with_session(child: Child, output: TempDir, session: Session) -> Background {
        Background { child, output, session: Some(session) }
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process number");
        signal::send(Pid::from_raw(pid), signal).expect("a running program");
    }

    /// What it has written on standard output so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        fs::read(self.output.path().join("out")).unwrap_or_default()
    }

    /// What it has written on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> Vec<u8> {
        let said = fs::read(self.output.path().join("err")).unwrap_or_default();
        let before = self.session.as_ref().map_or(0, Session::before);
        said.get(before..).unwrap_or_default().to_vec()
    }

    /// Waits until its standard error holds `text`.
    pub fn hears(&self, text: &str) {
        let held = || String::from_utf8_lossy(&self.stderr()).contains(text);
        assert!(until(held), "no {text:?} in {}", self.stderr().escape_ascii());
    }

    /// Waits until its standard output holds `text`.
    pub fn says(&self, text: &str) {
        let held = || String::from_utf8_lossy(&self.stdout()).contains(text);
        assert!(until(held), "no {text:?} in {}", self.stdout().escape_ascii());
    }

    /// Writes `bytes` and then reads until what was read ends with `end`; gives what was read. Only for
    /// programs started by [`crate::Command::converse`].
    pub fn talk(&mut self, bytes: impl AsRef<[u8]>, end: &str) -> String {
        if let Some(session) = &mut self.session {
            session.stream().write_all(bytes.as_ref()).expect("a program that listens");
            return heard(session.stream(), end);
        }
        let pipe = self.child.stdin.as_mut().expect("a program that is talked to");
        pipe.write_all(bytes.as_ref()).expect("a program that listens");
        heard(self.child.stdout.as_mut().expect("a program that is talked to"), end)
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
        if let Some(session) = &self.session {
            session.close_input();
        }
    }

    /// What it says until it closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.session.as_mut().map(Session::rest).unwrap_or_default()
    }

    /// True if it has ended.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits until it has ended by itself; gives the exit code, −N for signal N. For one that was handed a
    /// connection, until that is over.
    pub fn ends(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let code = self.session.as_ref().map(Session::ends);
        let mut status = None;
        assert!(
            until(|| {
                status = self.child.try_wait().expect("a child");
                status.is_some()
            }),
            "it does not end"
        );
        let status = status.expect("a child that has ended");
        let end = status.code().or(status.signal().map(|signal| -signal)).unwrap_or(-1);
        code.map_or(end, |code| {
            assert_eq!(end, 0, "a program without further connections");
            code
        })
    }
}

/// Reads until what was read ends with `end`.
fn heard(output: &mut impl Read, end: &str) -> String {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !heard.ends_with(end.as_bytes()) && output.read(&mut byte).unwrap_or(0) > 0 {
        heard.push(byte[0]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

impl Drop for Background {
    fn drop(&mut self) {
        let has_been_waited_for = !matches!(self.child.try_wait(), Ok(None));
        let is_another = Path::new("/proc").join(self.pid().to_string()).exists();
        // The number of one that is gone, with its group, may be that of a program of another test by now.
        if !(has_been_waited_for && is_another) {
            kill_group(self.pid());
        }
        let _ = self.child.wait(); // it has just been ended
    }
}
