//! Whether a service is ready, for those that tell.

use std::time::Duration;

use unix::clock::Wall;

use super::{Action, Time};

/// From a service's start to the first question, and from a first answer to the second question; then
/// twice as long each time.
const FIRST: Duration = Duration::from_millis(20);

/// The longest from an answer to the next question.
const SLOWEST: Duration = Duration::from_secs(1);

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How a service tells that it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Its program `check` exits 0.
    Check,
    /// It does not.
    None,
    /// It writes a line to a descriptor.
    Notification,
}

/// What is known about a service's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    pub(super) is_ready: bool,
    /// Since when it is, or is not.
    pub(super) since: Wall,
    check: Check,
}

#[derive(Clone, Copy, Debug)]
enum Check {
    /// To be run then; the pause after it.
    Due(Duration, Duration),
    Never,
    /// Runs, and is to be ended then; the pause after it.
    Running(Duration, Duration),
}

impl Readiness {
    /// For a service that has just been started; `None` for one that does not tell.
    pub(super) fn new(means: Means, now: Time) -> Option<Readiness> {
        let check = match means {
            Means::Check => Check::Due(now.steady + FIRST, FIRST),
            Means::None => return None,
            Means::Notification => Check::Never,
        };
        Some(Readiness { is_ready: false, since: now.wall, check })
    }

    /// What another supervise has seen.
    pub(super) fn restore(&mut self, is_ready: bool, since: Wall) {
        if is_ready {
            *self = Readiness { is_ready, since, check: Check::Never };
        }
        self.since = since;
    }

    /// It is ready.
    pub(super) fn tell(&mut self, now: Time) {
        if !self.is_ready {
            *self = Readiness { is_ready: true, since: now.wall, check: Check::Never };
        }
    }

    /// The answer of `check`.
    pub(super) fn answer(&mut self, is_ready: bool, now: Time) {
        if is_ready {
            self.tell(now);
        } else if let Check::Running(_, pause) = self.check {
            self.check = Check::Due(now.steady + pause, (pause * 2).min(SLOWEST));
        }
    }

    /// When to tell that time has passed.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.check {
            Check::Due(at, _) | Check::Running(at, _) => Some(at),
            Check::Never => None,
        }
    }

    /// Time has passed.
    pub(super) fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        match self.check {
            Check::Due(at, pause) if at <= now.steady => {
                self.check = Check::Running(now.steady + LIMIT, pause);
                actions.push(Action::Check);
            }
            Check::Running(at, _) if at <= now.steady => {
                actions.push(Action::EndCheck);
                self.answer(false, now);
            }
            _ => {}
        }
    }

    /// The service has ended.
    pub(super) fn end(self, actions: &mut Vec<Action>) {
        if let Check::Running(..) = self.check {
            actions.push(Action::EndCheck);
        }
    }
}
