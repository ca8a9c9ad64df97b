//! Read and Write that give up after a duration.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::fd::Direct;
use crate::poll;

/// A descriptor of which each single read or write may take at most `limit`.
///
/// A call that takes longer gives [`io::ErrorKind::TimedOut`]. The descriptor may be blocking:
/// it is waited for before each call; a blocking write of more than the kernel has room for may
/// then still wait, so sockets should be non-blocking.
#[derive(Debug)]
pub struct Timed<F> {
    inner: Direct<F>,
    limit: Duration,
}

impl<F: AsFd> Timed<F> {
    /// Gives each call on `fd` at most `limit`.
    pub const fn new(fd: F, limit: Duration) -> Self {
        Timed { inner: Direct(fd), limit }
    }

    /// The descriptor back.
    pub fn into_inner(self) -> F {
        self.inner.0
    }

    fn ready(&self, write: bool) -> io::Result<()> {
        if poll::until(&self.inner, write, Some(Instant::now() + self.limit))? {
            Ok(())
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

impl<F: AsFd> Read for Timed<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.ready(false)?;
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl<F: AsFd> Write for Timed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.ready(true)?;
            match self.inner.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: AsFd> AsFd for Timed<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_given_up() {
        let (read, _write) = crate::fd::pipe().unwrap();
        let mut timed = Timed::new(read, Duration::from_millis(1));
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
