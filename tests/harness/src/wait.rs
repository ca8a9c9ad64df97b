//! Waiting for something to become true.

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

/// A TCP port of 127.0.0.1 at which nothing listens now.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback address");
    listener.local_addr().expect("a bound socket").port()
}
