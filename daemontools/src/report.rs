//! What svstat says: the original's line, a row of a table for people, an object for machines.

mod json;
mod table;

use unix::clock::Wall;

use crate::state::State;
use crate::status::{Normally, Status};

pub use json::object;
pub use table::{Table, duration, size};

/// What is known about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The service's name as it was given.
    pub name: Vec<u8>,
    /// Its facts, or the words that say why there are none.
    pub facts: Result<Facts, Vec<u8>>,
}

/// The facts about a service that is supervised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it does when its supervise starts.
    pub normally: Normally,
    /// The 18 bytes.
    pub status: Status,
    /// What stands beside them.
    pub state: State,
    /// Memory of its process and all that it has started, in bytes; `None` if it does not run.
    pub memory: Option<u64>,
    /// The cgroup that its process is in, from the root of the hierarchy of version 2; `None` if it
    /// does not run, or nobody knows.
    pub cgroup: Option<Vec<u8>>,
}

impl Report {
    /// The original's line. Source: svstat(8).
    pub fn line(&self, now: Wall, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.name);
        out.extend_from_slice(b": ");
        match &self.facts {
            Ok(facts) => {
                out.extend_from_slice(facts.status.words(facts.normally, now).as_bytes());
            }
            Err(words) => out.extend_from_slice(words),
        }
        out.push(b'\n');
    }

    /// The same but for what changes by itself.
    #[must_use]
    pub fn is_as(&self, other: &Report) -> bool {
        let still = |report: &Report| {
            let still = |facts: Facts| Facts { memory: None, cgroup: None, ..facts };
            (report.name.clone(), report.facts.clone().map(still))
        };
        still(self) == still(other)
    }
}

/// Seconds from one time to another; 0 if the clock was set back between them.
fn seconds(from: Wall, to: Wall) -> u64 {
    u64::try_from(to.seconds.saturating_sub(from.seconds)).unwrap_or(0)
}

/// Facts to try the forms on.
#[cfg(test)]
mod example {
    use super::*;
    use crate::state::{End, Ready};
    use crate::status::{Service, Want};

    pub(super) const NOW: Wall = Wall { seconds: 100_000, nanos: 0 };

    pub(super) fn at(ago: i64) -> Wall {
        Wall { seconds: NOW.seconds - ago, nanos: 250_000_000 }
    }

    pub(super) fn up() -> Facts {
        let service = Service::Up { pid: 1234, paused: false };
        let state = State {
            last: Some((End::Signal(9), at(3700))),
            pause: None,
            ready: Some(Ready { pid: 1234, is_ready: true, since: at(50) }),
        };
        Facts {
            normally: Normally::Up,
            status: Status { since: at(61), service, want: Want::Up },
            state,
            memory: Some(5_400_000),
            cgroup: Some(b"/sv-x-7".to_vec()),
        }
    }

    pub(super) fn down() -> Facts {
        let status = Status { since: at(5), service: Service::Down, want: Want::Down };
        Facts { status, state: State::default(), memory: None, cgroup: None, ..up() }
    }

    pub(super) fn report(facts: Facts) -> Report {
        Report { name: b"/service/x".to_vec(), facts: Ok(facts) }
    }

    pub(super) fn trouble() -> Report {
        Report { name: b"/service/y".to_vec(), facts: Err(b"supervise not running".to_vec()) }
    }

    #[test]
    fn the_line_is_the_original_s() {
        let mut out = Vec::new();
        report(up()).line(NOW, &mut out);
        trouble().line(NOW, &mut out);
        let expected = "/service/x: up (pid 1234) 61 seconds\n/service/y: supervise not running\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn memory_alone_is_no_news() {
        let more = Facts { memory: Some(1), ..up() };
        assert!(report(up()).is_as(&report(more)));
        assert!(!report(up()).is_as(&report(down())));
        assert!(!report(up()).is_as(&trouble()));
    }
}
