//! Waiting for something to become true.

use std::fmt::Debug;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Waits until `condition` holds, looking often; false if it does not within twenty seconds.
pub fn until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
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
    let mut all = Vec::new();
    for _ in 0..20 {
        let took = what();
        if took < limit {
            return;
        }
        all.push(took);
    }
    panic!("never in less than {limit:?}: {all:?}");
}

/// A TCP port of 127.0.0.1 at which nothing listens now.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback address");
    listener.local_addr().expect("a bound socket").port()
}
