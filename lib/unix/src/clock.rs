//! Now, as wall time and as monotonic time; wall time as people here write it.
#![expect(unsafe_code, reason = "localtime_r(3) has no safe wrapper")]

use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point of wall time: seconds since 1970-01-01 00:00:00 UTC, and nanoseconds below a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall {
    /// Seconds since the epoch; negative before it.
    pub seconds: i64,
    /// 0…999,999,999.
    pub nanos: u32,
}

/// The wall clock now. It may step; use [`monotonic`] for intervals.
#[must_use]
pub fn wall() -> Wall {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Wall {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: since.subsec_nanos(),
        },
        Err(before) => Wall {
            seconds: i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
            nanos: 0,
        },
    }
}

/// A clock that never steps.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Time since the machine was started, that during which it slept among it.
#[must_use]
pub fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Sleeps, without being cut short by signals.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Year of the common era; 0 and below before it.
    pub year: i64,
    /// 1…12.
    pub month: u8,
    /// 1…31.
    pub day: u8,
    /// 0…23.
    pub hour: u8,
    /// 0…59.
    pub minute: u8,
    /// 0…60.
    pub second: u8,
}

/// `seconds` since 1970-01-01 00:00:00 UTC on a calendar and a clock of the place that `$TZ` (or else
/// /etc/localtime) names. `None` for a year too far away.
#[must_use]
pub fn local(seconds: i64) -> Option<Calendar> {
    let mut broken = MaybeUninit::uninit();
    // SAFETY: both pointers are valid for the call. localtime_r may read the environment, which
    // nothing of ours ever writes.
    if unsafe { libc::localtime_r(&raw const seconds, broken.as_mut_ptr()) }.is_null() {
        return None;
    }
    // SAFETY: localtime_r has filled it, as it did not return a null pointer.
    let broken: libc::tm = unsafe { broken.assume_init() };
    Some(Calendar {
        year: i64::from(broken.tm_year) + 1900,
        month: u8::try_from(broken.tm_mon + 1).ok()?,
        day: u8::try_from(broken.tm_mday).ok()?,
        hour: u8::try_from(broken.tm_hour).ok()?,
        minute: u8::try_from(broken.tm_min).ok()?,
        second: u8::try_from(broken.tm_sec).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_shown_within_a_day_of_its_date_in_utc() {
        // Wherever this runs; that $TZ counts is shown by tai64nlocal's tests.
        let noon = local(994_723_200).unwrap(); // 2001-07-10 00:00:00 UTC
        assert_eq!((noon.year, noon.month), (2001, 7));
        assert!((9..=10).contains(&noon.day));
    }

    #[test]
    fn a_year_beyond_the_calendar_is_none() {
        assert_eq!(local(i64::MAX), None);
        assert_eq!(local(i64::MIN), None);
    }
}
