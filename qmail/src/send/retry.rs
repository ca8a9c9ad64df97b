//! When a message is tried again.

use crate::send::Channel;

/// By how much the square root of a message's age grows between two attempts.
const fn step(channel: Channel) -> u64 {
    match channel {
        Channel::Local => 10,
        Channel::Remote => 20,
    }
}

/// When a message that was born at `birth` and is being tried at `now` is tried next, in seconds since
/// 1970.
///
/// Attempts lie on a parabola: a local message is tried at the ages of 0, 100 s, 400 s, 900 s …, a
/// remote one at 0, 400 s, 1600 s, 3600 s …; an attempt that comes late moves those after it. A
/// birth in the future counts as now. Source: qmail-send(8).
#[must_use]
pub fn next(birth: i64, now: i64, channel: Channel) -> i64 {
    let age = u64::try_from(now.saturating_sub(birth)).unwrap_or(0);
    let root = age.isqrt() + step(channel);
    birth.saturating_add(i64::try_from(root.saturating_mul(root)).unwrap_or(i64::MAX))
}

/// True if the attempt that begins at `now` is the message's last: recipients that it does not reach
/// are given up. `lifetime` is in seconds.
#[must_use]
pub fn is_last(birth: i64, now: i64, lifetime: u64) -> bool {
    now > birth.saturating_add(i64::try_from(lifetime).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BIRTH: i64 = 1_000_000_000;
    const WEEK: u64 = 604_800;

    /// The ages of all attempts, each made on time, the last one included.
    fn ages(channel: Channel) -> Vec<i64> {
        let mut ages = vec![0];
        let mut now = BIRTH;
        while !is_last(BIRTH, now, WEEK) {
            now = next(BIRTH, now, channel);
            ages.push(now - BIRTH);
        }
        ages
    }

    #[test]
    fn a_remote_message_is_tried_forty_times_in_a_week() {
        let expected = [
            0, 400, 1600, 3600, 6400, 10000, 14400, 19600, 25600, 32400, 40000, 48400, 57600,
            67600, 78400, 90000, 102_400, 115_600, 129_600, 144_400, 160_000, 176_400, 193_600,
            211_600, 230_400, 250_000, 270_400, 291_600, 313_600, 336_400, 360_000, 384_400,
            409_600, 435_600, 462_400, 490_000, 518_400, 547_600, 577_600, 608_400,
        ];
        assert_eq!(ages(Channel::Remote), expected);
    }

    #[test]
    fn a_local_message_is_tried_more_often() {
        let ages = ages(Channel::Local);
        assert_eq!(ages[..7], [0, 100, 400, 900, 1600, 2500, 3600]);
        assert_eq!(ages.last(), Some(&608_400));
        assert_eq!(ages.len(), 79);
    }

    #[test]
    fn an_attempt_that_comes_late_moves_the_next() {
        assert_eq!(next(BIRTH, BIRTH + 399, Channel::Remote), BIRTH + 39 * 39);
        assert_eq!(next(BIRTH, BIRTH + 401, Channel::Remote), BIRTH + 1600);
    }

    #[test]
    fn a_birth_in_the_future_counts_as_now() {
        assert_eq!(next(BIRTH + 500, BIRTH, Channel::Local), BIRTH + 600);
        assert!(!is_last(BIRTH + 500, BIRTH, 0));
    }

    #[test]
    fn the_last_attempt_is_the_first_after_the_lifetime() {
        assert!(!is_last(BIRTH, BIRTH + 604_800, WEEK));
        assert!(is_last(BIRTH, BIRTH + 604_801, WEEK));
        assert!(!is_last(BIRTH, BIRTH, 0));
        assert!(!is_last(BIRTH, i64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn the_next_attempt_lies_ahead(birth: i64, age in 0..100_000_000_i64) {
            let now = birth.saturating_add(age);
            for channel in Channel::ALL {
                let next = next(birth, now, channel);
                prop_assert!(next > now || next == i64::MAX);
            }
        }

        #[test]
        fn no_time_is_too_far(birth: i64, now: i64, lifetime: u64) {
            let _ = (next(birth, now, Channel::Local), is_last(birth, now, lifetime));
        }
    }
}
