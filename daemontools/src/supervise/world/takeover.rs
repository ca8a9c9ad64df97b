//! A service that runs on although its supervise was killed.

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

/// A service that nobody is the parent of any more.
#[derive(Debug)]
pub struct LeftBehind {
    /// What its supervise said last.
    pub status: Status,
    /// Its process; readable when it ends.
    pub handle: Handle,
}

/// The service that `status`, of an earlier supervise, tells is up, if its process is still there.
///
/// A process that merely has the same number began at another time.
#[must_use]
pub fn left_behind(status: &[u8]) -> Option<LeftBehind> {
    let status = Status::read(status)?;
    let Service::Up { pid, .. } = status.service else { return None };
    let pid = Pid::from_raw(i32::try_from(pid).ok()?);
    let handle = Handle::open(pid).ok()?;
    let process = Process::of(pid).ok().filter(|process| !process.is_over())?;
    let age = clock::since_boot().saturating_sub(process.since_boot());
    is_same_moment(age, status.since, clock::wall()).then_some(LeftBehind { status, handle })
}

/// Whether what began `age` ago began at `since`.
fn is_same_moment(age: Duration, since: Wall, now: Wall) -> bool {
    let millis = |time: Wall| i128::from(time.seconds) * 1000 + i128::from(time.nanos / 1_000_000);
    let told = millis(now) - millis(since);
    let age = i128::try_from(age.as_millis()).unwrap_or(i128::MAX);
    told.abs_diff(age) <= TOLERANCE.as_millis()
}

impl LeftBehind {
    /// How it ended. Only its parent knows for certain: others are told by newer kernels, as soon as
    /// the parent does.
    #[must_use]
    pub fn end(&self) -> End {
        for _ in 0..10 {
            if let Some(status) = self.handle.status() {
                return how(status);
            }
            clock::sleep(Duration::from_millis(1)); // its parent is about to be told
        }
        End::Unknown
    }

    /// Sends it a signal.
    pub fn send(&self, signal: signal::Signal) {
        let _ = self.handle.send(signal); // it may have ended
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
    fn nothing_is_taken_over_where_nothing_is_told() {
        assert!(left_behind(b"").is_none());
        assert!(left_behind(&[0; 18]).is_none());
    }
}
