//! Wait for descriptors and a deadline.
#![expect(unsafe_code, reason = "a slice of ours is handed to poll(2) without copying it")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::time::TimeSpec;

use crate::signal::Held;

/// One descriptor and what is awaited of it.
#[derive(Debug)]
#[repr(transparent)]
pub struct Interest<'a>(PollFd<'a>);

impl<'a> Interest<'a> {
    /// Ready when a read would not block (also at end of file).
    #[must_use]
    pub fn readable(fd: &'a impl AsFd) -> Self {
        Interest(PollFd::new(fd.as_fd(), PollFlags::POLLIN))
    }

    /// Ready when a write would not block (also when it would fail).
    #[must_use]
    pub fn writable(fd: &'a impl AsFd) -> Self {
        Interest(PollFd::new(fd.as_fd(), PollFlags::POLLOUT))
    }

    /// Ready when nobody is left at the other end of a pipe or fifo.
    #[must_use]
    pub fn hangup(fd: &'a impl AsFd) -> Self {
        Interest(PollFd::new(fd.as_fd(), PollFlags::empty()))
    }

    /// Ready when a file of the kernel's tells of a change: such a file is read first, and again after
    /// each change.
    #[must_use]
    pub fn urgent(fd: &'a impl AsFd) -> Self {
        Interest(PollFd::new(fd.as_fd(), PollFlags::POLLPRI))
    }

    /// The same for a descriptor that is already borrowed.
    #[must_use]
    pub fn of(fd: BorrowedFd<'a>, write: bool) -> Self {
        Interest(PollFd::new(fd, if write { PollFlags::POLLOUT } else { PollFlags::POLLIN }))
    }

    /// True after [`wait`] if the descriptor can be used, or has an error to report.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.revents().is_some_and(|events| !events.is_empty())
    }
}

/// Waits until something is ready or `limit` has passed (`None`: for ever).
///
/// Gives the number of descriptors that are ready: 0 when time is up, and also when a signal came,
/// whose descriptor (see [`crate::signal::Signals`]) is then ready at the next call.
pub fn wait(interests: &mut [Interest<'_>], limit: Option<Duration>) -> io::Result<usize> {
    let timeout = limit.map_or(PollTimeout::NONE, |limit| {
        // Rounded up, so that a caller that waits for a moment does not wake just before it.
        let millis = limit.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    });
    counted(poll(descriptors(interests), timeout))
}

/// As [`wait`], and the signals of `held` come through while it waits: then it gives 0.
pub fn wait_held(
    interests: &mut [Interest<'_>],
    limit: Option<Duration>,
    held: &Held,
) -> io::Result<usize> {
    counted(ppoll(descriptors(interests), limit.map(TimeSpec::from), Some(held.waiting())))
}

fn descriptors<'a, 'fd>(interests: &'a mut [Interest<'fd>]) -> &'a mut [PollFd<'fd>] {
    let (start, length) = (interests.as_mut_ptr(), interests.len());
    // SAFETY: an Interest is a transparent PollFd, and the slice stays borrowed as it was.
    unsafe { std::slice::from_raw_parts_mut(start.cast::<PollFd<'fd>>(), length) }
}

fn counted(result: nix::Result<i32>) -> io::Result<usize> {
    match result {
        Ok(ready) => Ok(usize::try_from(ready).unwrap_or(0)),
        Err(Errno::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Waits for one descriptor until `deadline`; false if it passed first.
pub fn until(fd: &impl AsFd, write: bool, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if wait(&mut [Interest::of(fd.as_fd(), write)], left)? > 0 {
            return Ok(true);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pipe_with_bytes_is_ready() {
        let (full, write) = crate::fd::pipe().unwrap();
        let (empty, _keep) = crate::fd::pipe().unwrap();
        nix::unistd::write(&write, b"x").unwrap();
        let mut interests = [Interest::readable(&full), Interest::readable(&empty)];
        assert_eq!(wait(&mut interests, None).unwrap(), 1);
        assert!(interests[0].is_ready());
        assert!(!interests[1].is_ready());
    }

    #[test]
    fn a_held_signal_ends_the_waiting_only() {
        use nix::sys::signal::{Signal, raise};
        let held = Held::new(&[Signal::SIGWINCH]).unwrap();
        let (empty, _keep) = crate::fd::pipe().unwrap();
        raise(Signal::SIGWINCH).unwrap();
        let mut interests = [Interest::readable(&empty)];
        assert_eq!(wait_held(&mut interests, None, &held).unwrap(), 0);
        held.release();
    }

    #[test]
    fn a_writer_is_told_when_the_reader_has_gone() {
        let (read, write) = crate::fd::pipe().unwrap();
        let left = |write: &_| wait(&mut [Interest::hangup(write)], Some(Duration::ZERO)).unwrap();
        assert_eq!(left(&write), 0);
        drop(read);
        assert_eq!(left(&write), 1);
    }

    #[test]
    fn time_runs_out() {
        let (empty, _keep) = crate::fd::pipe().unwrap();
        let mut interests = [Interest::readable(&empty)];
        assert_eq!(wait(&mut interests, Some(Duration::from_millis(1))).unwrap(), 0);
        assert!(!until(&empty, false, Some(Instant::now())).unwrap());
    }
}
