//! How soon a service is started again.

use std::time::Duration;

use unix::clock::Wall;

use super::Time;
use crate::state::End;

/// The least time from one start to the next.
pub const PACE: Duration = Duration::from_secs(1);

/// The longest that a service which keeps failing is left alone.
pub const LONGEST: Duration = Duration::from_secs(30);

/// How many failures in a row are answered at the original's pace.
const PATIENCE: u32 = 5;

/// How long to wait when there can be no more processes.
pub const SCARCITY: Duration = Duration::from_mins(1);

/// From a start to the next, after so many failures in a row: a second after each of the first five,
/// then twice as long each time, up to [`LONGEST`].
#[must_use]
pub fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(PATIENCE).min(5);
    (PACE * 2_u32.pow(doublings)).min(LONGEST)
}

/// When a service may be started again, and why not before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Ends within [`PACE`] that nobody asked for, and starts that came to nothing, in a row.
    pub(super) failures: u32,
    /// The last start, if it was this supervise's.
    started: Option<Duration>,
    /// Somebody has sent the service a signal since.
    is_disturbed: bool,
    /// Before this, nothing is started.
    pub(super) earliest: Duration,
    /// The same on the wall.
    pub(super) until: Wall,
    /// Before this, not even on demand.
    least: Duration,
}

impl Pace {
    pub(super) fn new(now: Time) -> Pace {
        Pace {
            failures: 0,
            started: None,
            is_disturbed: false,
            earliest: now.steady,
            until: now.wall,
            least: now.steady,
        }
    }

    /// The service has been started.
    pub(super) fn start(&mut self, now: Time) {
        self.started = Some(now.steady);
        self.is_disturbed = false;
        self.least = now.steady + PACE;
    }

    /// The service is being told to do something, and may end of it.
    pub(super) fn disturb(&mut self) {
        self.is_disturbed = true;
    }

    /// The service has ended. Gives the pause, if it is longer than the one before.
    pub(super) fn end(&mut self, end: End, now: Time) -> Option<Duration> {
        let Some(started) = self.started.filter(|&at| now.steady < at + PACE) else {
            self.failures = 0;
            self.wait_until(now.steady, now);
            return None;
        };
        if self.is_disturbed || end == End::Exit(0) {
            self.failures = 0;
            self.wait_until(started + PACE, now);
            return None;
        }
        self.fail(started, now)
    }

    /// It could not be started. Gives the pause, if it is longer than the one before.
    pub(super) fn miss(&mut self, now: Time) -> Option<Duration> {
        self.least = now.steady + PACE;
        self.fail(now.steady, now)
    }

    /// There can be no more processes.
    pub(super) fn starve(&mut self, now: Time) {
        self.least = now.steady + PACE;
        self.wait_until(now.steady + SCARCITY, now);
    }

    /// It is wanted now.
    pub(super) fn hurry(&mut self, now: Time) {
        if self.earliest > self.least {
            self.wait_until(self.least, now);
        }
    }

    fn fail(&mut self, started: Duration, now: Time) -> Option<Duration> {
        let before = pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        let pause = pause(self.failures);
        self.wait_until(started + pause, now);
        (pause > before).then_some(pause)
    }

    fn wait_until(&mut self, earliest: Duration, now: Time) {
        self.earliest = earliest;
        let wait = earliest.saturating_sub(now.steady);
        let nanos = now.wall.nanos + wait.subsec_nanos();
        let seconds = wait.as_secs() + u64::from(nanos / 1_000_000_000);
        self.until = Wall {
            seconds: now.wall.seconds.saturating_add_unsigned(seconds),
            nanos: nanos % 1_000_000_000,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_a_second_five_times_and_then_doubles_to_a_bound() {
        let seconds: Vec<u64> = (0..13).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 1, 1, 1, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }

    #[test]
    fn the_time_of_the_next_start_is_told_on_the_wall() {
        let now = Time {
            steady: Duration::from_millis(1900),
            wall: Wall { seconds: 50, nanos: 400_000_000 },
        };
        let mut pace = Pace::new(now);
        pace.starve(now);
        assert_eq!(pace.until, Wall { seconds: 110, nanos: 400_000_000 });
        pace.wait_until(Duration::from_millis(2600), now);
        assert_eq!(pace.until, Wall { seconds: 51, nanos: 100_000_000 });
    }
}
