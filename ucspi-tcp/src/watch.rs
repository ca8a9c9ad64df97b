//! How long a connection may last, and be quiet.

use std::time::{Duration, Instant};

/// How long a program has to end before it is sent TERM, and again before KILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has been quiet too long.
    Idle,
    /// It has lasted too long.
    Lifetime,
}

impl Why {
    /// The word of the log.
    #[must_use]
    pub fn word(self) -> &'static [u8] {
        match self {
            Why::Idle => b"idle",
            Why::Lifetime => b"lifetime",
        }
    }
}

/// What is to be done when a watch is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// End the connection, so that the program sees its end.
    Close(Why),
    /// Send the program SIGKILL.
    Kill,
    /// Send the program SIGTERM.
    Term,
}

/// A connection with limits, and what is done when one is reached: the connection is ended, and a
/// program that goes on after that is ended, too.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    end: Option<Instant>,
    idle: Option<Duration>,
    begin: Instant,
    stage: Stage,
    due: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Open,
    Closed,
    Termed,
    Killed,
}

impl Watch {
    /// Watches a connection that was accepted at `since` and has its program from `begin` on; None
    /// without a limit.
    #[must_use]
    pub fn new(
        since: Instant,
        begin: Instant,
        lifetime: Option<Duration>,
        idle: Option<Duration>,
    ) -> Option<Watch> {
        let end = lifetime.and_then(|lifetime| since.checked_add(lifetime));
        let quiet = idle.and_then(|idle| begin.checked_add(idle));
        let due = [end, quiet].into_iter().flatten().min()?;
        Some(Watch { end, idle, begin, stage: Stage::Open, due })
    }

    /// When there may be something to do; None once all is done.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Killed => None,
            _ => Some(self.due),
        }
    }

    /// What is to be done now that it is due. `quiet` tells how long the connection has been quiet.
    pub fn step(&mut self, now: Instant, quiet: impl FnOnce() -> Duration) -> Option<Step> {
        if now < self.due {
            return None;
        }
        let (stage, step) = match self.stage {
            Stage::Open => (Stage::Closed, Step::Close(self.excess(now, quiet)?)),
            Stage::Closed => (Stage::Termed, Step::Term),
            Stage::Termed => (Stage::Killed, Step::Kill),
            Stage::Killed => return None,
        };
        self.stage = stage;
        self.due = now + PATIENCE;
        Some(step)
    }

    /// The limit that is reached; otherwise it is due later.
    fn excess(&mut self, now: Instant, quiet: impl FnOnce() -> Duration) -> Option<Why> {
        if self.end.is_some_and(|end| now >= end) {
            return Some(Why::Lifetime);
        }
        let idle = self.idle?;
        // What came before the program is not its doing.
        let quiet = quiet().min(now.saturating_duration_since(self.begin));
        let left = idle.saturating_sub(quiet);
        if left.is_zero() {
            return Some(Why::Idle);
        }
        self.due = self.end.map_or(now + left, |end| end.min(now + left));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn never() -> Duration {
        panic!("nobody needs to know")
    }

    #[test]
    fn without_a_limit_there_is_nothing_to_watch() {
        assert!(Watch::new(Instant::now(), Instant::now(), None, None).is_none());
    }

    #[test]
    fn a_connection_that_lasts_too_long_is_ended_step_by_step() {
        let start = Instant::now();
        let mut watch = Watch::new(start, start, Some(10 * SECOND), None).unwrap();
        assert_eq!(watch.due(), Some(start + 10 * SECOND));
        assert_eq!(watch.step(start + 9 * SECOND, never), None);
        assert_eq!(watch.step(start + 10 * SECOND, never), Some(Step::Close(Why::Lifetime)));
        assert_eq!(watch.due(), Some(start + 15 * SECOND));
        assert_eq!(watch.step(start + 14 * SECOND, never), None);
        assert_eq!(watch.step(start + 15 * SECOND, never), Some(Step::Term));
        assert_eq!(watch.step(start + 20 * SECOND, never), Some(Step::Kill));
        assert_eq!(watch.due(), None);
        assert_eq!(watch.step(start + 30 * SECOND, never), None);
    }

    #[test]
    fn traffic_puts_the_end_off_but_not_beyond_the_lifetime() {
        let start = Instant::now();
        let mut watch = Watch::new(start, start, Some(25 * SECOND), Some(10 * SECOND)).unwrap();
        assert_eq!(watch.due(), Some(start + 10 * SECOND));
        assert_eq!(watch.step(start + 10 * SECOND, || 3 * SECOND), None);
        assert_eq!(watch.due(), Some(start + 17 * SECOND));
        assert_eq!(watch.step(start + 17 * SECOND, || SECOND), None);
        assert_eq!(watch.due(), Some(start + 25 * SECOND));
        assert_eq!(watch.step(start + 25 * SECOND, never), Some(Step::Close(Why::Lifetime)));
    }

    #[test]
    fn a_quiet_connection_is_ended() {
        let start = Instant::now();
        let mut watch = Watch::new(start, start, None, Some(10 * SECOND)).unwrap();
        assert_eq!(watch.step(start + 10 * SECOND, || 4 * SECOND), None);
        assert_eq!(watch.step(start + 16 * SECOND, || 10 * SECOND), Some(Step::Close(Why::Idle)));
        assert_eq!(watch.step(start + 21 * SECOND, never), Some(Step::Term));
    }

    #[test]
    fn the_time_before_the_program_is_not_idle() {
        let start = Instant::now();
        let begin = start + 60 * SECOND;
        let mut watch = Watch::new(start, begin, None, Some(10 * SECOND)).unwrap();
        assert_eq!(watch.due(), Some(begin + 10 * SECOND));
        let mut late = watch;
        late.due = begin + SECOND;
        assert_eq!(late.step(begin + SECOND, || 61 * SECOND), None);
        assert_eq!(late.due(), Some(begin + 10 * SECOND));
        let step = watch.step(begin + 10 * SECOND, || 70 * SECOND);
        assert_eq!(step, Some(Step::Close(Why::Idle)));
    }
}
