//! Sockets that listen already, and were left to the server by the process before it.

use std::os::fd::{IntoRawFd, OwnedFd, RawFd};

use prog::{Chain, Fatal, OrFatal, env};
use unix::{fd, process, socket};

use super::options::Options;

/// The first descriptor that systemd passes. Source: `sd_listen_fds(3)`.
const FIRST: RawFd = 3;

/// What says which descriptors systemd passes, and to whom.
const VARIABLES: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// The sockets of `-s`, and those that systemd passes to this process; usually none.
pub(super) fn sockets(options: &Options) -> Result<Vec<OwnedFd>, Fatal> {
    let passed = (FIRST..FIRST.saturating_add(passed())).filter(|at| !options.sockets.contains(at));
    options.sockets.iter().copied().chain(passed).map(take).collect()
}

/// How many systemd passes to this process.
fn passed() -> RawFd {
    let own = u64::from(process::id().as_raw().unsigned_abs());
    let is_for_us = env::number("LISTEN_PID") == Some(own);
    let count = if is_for_us { env::number("LISTEN_FDS") } else { None };
    count.and_then(|count| RawFd::try_from(count).ok()).unwrap_or_default()
}

/// Hides from the program what was not meant for it.
pub(super) fn hide(program: &mut Chain) {
    if passed() > 0 {
        for name in VARIABLES {
            program.env.unset(name);
        }
    }
}

fn take(number: RawFd) -> Result<OwnedFd, Fatal> {
    let unable = ("unable to use descriptor ", number);
    let given = fd::take(number).or_fatal(unable)?;
    if !socket::is_listening(&given) {
        return Err(Fatal::soft((unable, ": not a socket that listens")));
    }
    // 0 and 1 are for the programs' connections.
    let socket = fd::duplicate(&given, FIRST).or_fatal(unable)?;
    if number < FIRST {
        // The numbers stay taken; what is behind them is replaced later.
        let _ = given.into_raw_fd();
    }
    Ok(socket)
}
