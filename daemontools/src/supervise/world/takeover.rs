//! A service that runs on although its supervise was killed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use unix::clock::{self, Wall};
use unix::kin::Process;
use unix::pidfd::Handle;
use unix::process;
use unix::{Pid, signal};

use crate::state::End;
use crate::status::{Service, Status};

/// How far two clocks may tell the same moment apart.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How often it is looked for a process that there is no handle on.
pub const LOOKING: Duration = Duration::from_secs(1);

/// Where a supervise notes which process it has started, and when: supervise/lock, which it has open.
///
/// `PID NANOSECONDS BOOT` and a newline: the process, when it was started (after the boot, on a clock
/// that nobody sets), and which boot that was. What is behind the newline is older.
#[derive(Debug)]
pub struct Births {
    lock: File,
    /// What the kernel calls this boot; asked for when it is needed.
    boot: Option<String>,
}

impl Births {
    /// Notes go to this file.
    #[must_use]
    pub fn new(lock: File) -> Births {
        Births { lock, boot: None }
    }

    /// Process `pid` was started then, after the boot.
    pub fn note(&mut self, pid: u32, at: Duration) {
        let boot = self.boot.get_or_insert_with(boot);
        let line = format!("{pid} {} {boot}\n", at.as_nanos());
        let _ = self.lock.write_all_at(line.as_bytes(), 0); // without it, the wall clock has to do
    }
}

/// What another supervise of the service in the working directory has noted.
#[must_use]
pub fn births() -> Vec<u8> {
    fs::read("supervise/lock").unwrap_or_default() // no note, then
}

/// What the kernel calls this boot; empty if it does not tell.
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// A service that nobody is the parent of any more.
#[derive(Debug)]
pub struct LeftBehind {
    /// What its supervise said last.
    pub status: Status,
    process: Process,
    /// On its process, where the kernel has such.
    handle: Option<Handle>,
}

/// The service that `status`, of an earlier supervise, tells is up, if its process is still there.
/// `births` gives what that supervise has noted, and `open` opens a handle.
///
/// A process that merely has the same number began at another time.
#[must_use]
pub fn left_behind(
    status: &[u8],
    births: impl FnOnce() -> Vec<u8>,
    open: impl FnOnce(Pid) -> io::Result<Handle>,
) -> Option<LeftBehind> {
    let status = Status::read(status)?;
    let Service::Up { pid, .. } = status.service else { return None };
    let number = Pid::from_raw(i32::try_from(pid).ok()?);
    let handle = open(number).ok();
    let process = Process::of(number).ok().filter(|process| !process.is_over())?;
    let began = process.since_boot();
    let is_same = is_noted(&births(), pid, began, &boot()).unwrap_or_else(|| {
        let age = clock::since_boot().saturating_sub(began);
        is_same_moment(age, status.since, clock::wall())
    });
    is_same.then_some(LeftBehind { status, process, handle })
}

/// Whether a process that began then, in this boot, is the one that was noted; `None` if there is no note
/// about its number.
fn is_noted(births: &[u8], pid: u32, began: Duration, boot: &str) -> Option<bool> {
    let line = births.split(|&byte| byte == b'\n').next()?;
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let (noted, at, in_boot) = (words.next()?, words.next()?, words.next()?);
    let is_about = noted.parse() == Ok(pid) && !boot.is_empty() && !in_boot.is_empty();
    let at = Duration::from_nanos(at.parse().ok()?);
    is_about.then(|| boot == in_boot && began.abs_diff(at) <= TOLERANCE)
}

/// Whether what began `age` ago began at `since`.
fn is_same_moment(age: Duration, since: Wall, now: Wall) -> bool {
    let millis = |time: Wall| i128::from(time.seconds) * 1000 + i128::from(time.nanos / 1_000_000);
    let told = millis(now) - millis(since);
    let age = i128::try_from(age.as_millis()).unwrap_or(i128::MAX);
    told.abs_diff(age) <= TOLERANCE.as_millis()
}

impl LeftBehind {
    /// Readable when its process ends; `None` where the kernel has no such thing, or does not allow it:
    /// then it has to be looked, every [`LOOKING`].
    #[must_use]
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Whether its process has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let now = Process::of(self.process.pid);
        now.map_or(true, |now| now.is_over() || now.start != self.process.start)
    }

    /// How it ended. Only its parent knows for certain: others are told by newer kernels, as soon as
    /// the parent does.
    #[must_use]
    pub fn end(&self) -> End {
        let Some(handle) = &self.handle else { return End::Unknown };
        for _ in 0..10 {
            if let Some(status) = handle.status() {
                return how(status);
            }
            clock::sleep(Duration::from_millis(1)); // its parent is about to be told
        }
        End::Unknown
    }

    /// Sends it a signal.
    pub fn send(&self, signal: signal::Signal) {
        let _ = match &self.handle {
            Some(handle) => handle.send(signal), // it may have ended
            None if self.is_over() => Ok(()),
            None => signal::send(self.process.pid, signal), // as above
        };
    }
}

/// The end that a parent is told of.
#[must_use]
pub fn how(status: process::Status) -> End {
    let signal = status.signal().and_then(|number| u8::try_from(number).ok());
    match (status.code(), signal) {
        (Some(code), _) => End::Exit(code),
        (None, Some(number)) => End::Signal(number),
        (None, None) => End::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Want;
    use unix::errno::Errno;
    use unix::signal::Signal;

    #[test]
    fn a_number_that_another_process_has_got_is_told_from_the_old_one() {
        let at = |seconds, nanos| Wall { seconds, nanos };
        let ten = Duration::from_secs(10);
        assert!(is_same_moment(ten, at(1000, 0), at(1010, 0)));
        assert!(is_same_moment(ten, at(999, 300_000_000), at(1010, 0)));
        assert!(!is_same_moment(ten, at(990, 0), at(1010, 0)));
        assert!(!is_same_moment(ten, at(1005, 0), at(1010, 0)));
        assert!(!is_same_moment(ten, at(2000, 0), at(1010, 0)));
        assert!(!is_same_moment(ten, at(i64::MIN, 0), at(i64::MAX, 0)));
    }

    #[test]
    fn a_note_counts_for_its_process_and_its_boot() {
        let note = b"17 10000000000 boot\n8 boot\n";
        let ten = Duration::from_millis(10_200);
        assert_eq!(is_noted(note, 17, ten, "boot"), Some(true));
        assert_eq!(is_noted(note, 17, ten, "other"), Some(false));
        assert_eq!(is_noted(note, 17, ten * 2, "boot"), Some(false));
        assert_eq!(is_noted(note, 18, ten, "boot"), None);
        assert_eq!(is_noted(note, 17, ten, ""), None);
        for torn in [&b""[..], b"17", b"17 1000", b"17 x boot", b"\xff 1 boot", b"17 1000 "] {
            assert_eq!(is_noted(torn, 17, ten, "boot"), None);
        }
    }

    #[test]
    fn nothing_is_taken_over_where_nothing_is_told() {
        assert!(left_behind(b"", Vec::new, Handle::open).is_none());
        assert!(left_behind(&[0; 18], Vec::new, Handle::open).is_none());
    }

    #[test]
    fn without_handles_it_is_looked_for_the_process() {
        let child = prog::Chain::new(["sleep", "600"]).spawn().unwrap();
        let pid = u32::try_from(child.pid.as_raw()).unwrap();
        let service = Service::Up { pid, paused: false };
        let status = Status { since: clock::wall(), service, want: Want::Up }.write();
        let none = |_| Err(Errno::ENOSYS.into());
        let left = left_behind(&status, Vec::new, none).unwrap();
        assert!(left.handle().is_none() && !left.is_over());
        left.send(Signal::SIGTERM);
        child.wait().unwrap();
        assert!(left.is_over());
        assert_eq!(left.end(), End::Unknown);
        left.send(Signal::SIGTERM); // to nobody
        assert!(left_behind(&status, Vec::new, none).is_none());
    }
}
