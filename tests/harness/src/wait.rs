//! Waiting for something to become true.

use std::fmt::Debug;
use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::ground;

/// Longer than anything takes that is waited for, also where many others want the processor.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Waits until `condition` holds, looking often; false if it does not within a minute.
pub fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until `value` gives `expected`, looking often.
///
/// # Panics
///
/// If it does not within the time of [`until`]: it tells what was seen last.
#[track_caller]
pub fn becomes<T: Debug + PartialEq<E>, E: Debug>(mut value: impl FnMut() -> T, expected: E) {
    let mut last = None;
    let came = until(|| last.insert(value()) == &expected);
    assert!(came, "it stays other than expected:\n found {last:?}\nwanted {expected:?}");
}

/// Tries `what` up to twenty times, until it has taken less than `limit`: what waits for a time that long
/// never does, and a machine that is busy elsewhere is not always.
///
/// # Panics
///
/// If it never does: it tells how long each took.
#[track_caller]
pub fn quickly(limit: Duration, mut what: impl FnMut() -> Duration) {
    sometime(|| {
        let took = what();
        if took < limit { Ok(()) } else { Err(took) }
    });
}

/// Tries `what` up to twenty times until it comes out well: for what a busy machine may spoil, and what never
/// comes out well if the program is wrong.
///
/// # Panics
///
/// If it never does: it tells what came each time.
#[track_caller]
pub fn sometime<E: Debug>(mut what: impl FnMut() -> Result<(), E>) {
    let mut all = Vec::new();
    for _ in 0..20 {
        match what() {
            Ok(()) => return,
            Err(error) => all.push(error),
        }
    }
    panic!("not once in {} times: {all:?}", all.len());
}

/// A TCP port of 127.0.0.1 at which nothing listens, and which nobody else is given: no other caller, and
/// not the kernel's callers either, who want any port at all. Its servers may be slow to come up, or never come.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Range { start, end } = ports();
    // A child that starts meanwhile would keep the listener for a moment.
    let _alone = ground::nothing_starts();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let candidates = (start..end).map(|_| {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(seed());
        start + u16::try_from(turn % u32::from(end - start)).expect("it is less than that")
    });
    candidates.into_iter().find(is_free).expect("a free port")
}

/// Ports that the kernel gives to nobody who does not ask for them by number.
fn ports() -> Range<u16> {
    const USUAL: u16 = 32_768;
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(USUAL);
    10_000..if first > 12_000 { first } else { USUAL }
}

/// Where this process begins: test programs that run at the same time should not meet.
fn seed() -> u32 {
    static SEED: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *SEED.get_or_init(|| {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
        now.rotate_left(16) ^ std::process::id().wrapping_mul(0x9E37_79B9)
    })
}
