//! Now, as wall time and as monotonic time.

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

/// Sleeps, without being cut short by signals.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
