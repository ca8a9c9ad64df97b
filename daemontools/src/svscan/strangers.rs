//! What process 1 has to end beside its services: processes that were left to it.

use std::collections::HashSet;
use std::time::Duration;

use unix::Pid;
use unix::kin::Process;
use unix::process;
use unix::signal::{self, Signal};

/// How long they are waited for when all services have ended.
pub const LIMIT: Duration = Duration::from_secs(2);

/// The children of this process that it has not started.
#[derive(Debug, Default)]
pub struct Strangers {
    told: HashSet<(Pid, u64)>,
}

impl Strangers {
    /// Whether they are this process's to end: it is process 1, and they would be killed with it.
    #[must_use]
    pub fn are_ours() -> bool {
        process::id() == Pid::from_raw(1)
    }

    /// Tells each of them once to end; those do not count that `is_known`. Gives how many there are.
    pub fn end(&mut self, is_known: impl Fn(Pid) -> bool) -> usize {
        let mut count = 0;
        for process in Process::all().unwrap_or_default() {
            let is_stranger = process.parent == process::id() && !is_known(process.pid);
            if !is_stranger || process.is_over() {
                continue;
            }
            count += 1;
            if self.told.insert((process.pid, process.start)) {
                for signal in [Signal::SIGTERM, Signal::SIGCONT] {
                    let _ = signal::send(process.pid, signal); // it may have ended
                }
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_and_those_that_are_known_are_not() {
        assert!(!Strangers::are_ours());
        let [known, other] = [(); 2].map(|()| prog::Chain::new(["sleep", "600"]).spawn().unwrap());
        // Other tests have children too.
        let stranger = other.pid;
        let is_known = |pid| pid != stranger;
        let mut strangers = Strangers::default();
        assert_eq!(strangers.end(is_known), 1);
        assert_eq!(other.wait().unwrap().signal(), Some(15));
        assert_eq!(strangers.end(is_known), 0);
        assert!(Process::of(known.pid).is_ok_and(|process| !process.is_over()));
        signal::send(known.pid, Signal::SIGKILL).unwrap();
        known.wait().unwrap();
    }
}
