//! Read and Write that give up after a duration.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{F_GETFL, OFlag, fcntl};
use socket2::SockRef;

use crate::fd::Direct;
use crate::{poll, socket};

/// A descriptor of which each single read or write may take at most `limit`.
///
/// A call that takes longer gives [`io::ErrorKind::TimedOut`]. The descriptor may be blocking. Where it is
/// a socket, the kernel looks at the clock (`SO_RCVTIMEO`, which the socket then has for everybody), and a
/// read is one system call. Anything else is waited for before each call; a blocking write of more than
/// the kernel has room for may then still wait.
#[derive(Debug)]
pub struct Timed<F> {
    inner: Direct<F>,
    limit: Duration,
    watch: Watch,
}

/// Who looks at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// That is seen at the first call.
    Unknown,
    /// The kernel: it is a socket.
    Kernel,
    /// We do.
    Ours,
}

impl<F: AsFd> Timed<F> {
    /// Gives each call on `fd` at most `limit`.
    pub const fn new(fd: F, limit: Duration) -> Self {
        Timed { inner: Direct(fd), limit, watch: Watch::Unknown }
    }

    /// The descriptor back.
    pub fn into_inner(self) -> F {
        self.inner.0
    }

    fn ready(&self, write: bool) -> io::Result<()> {
        let deadline = Instant::now().checked_add(self.limit); // for ever, if no clock gets there
        if poll::until(&self.inner, write, deadline)? {
            Ok(())
        } else {
            Err(io::ErrorKind::TimedOut.into())
        }
    }

    fn is_blocking(&self) -> bool {
        let flags = fcntl(&self.inner, F_GETFL).map(OFlag::from_bits_retain);
        flags.is_ok_and(|flags| !flags.contains(OFlag::O_NONBLOCK))
    }
}

impl<F: AsFd> Read for Timed<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch == Watch::Unknown {
            // No time at all would be for ever to the kernel.
            let is_set = !self.limit.is_zero()
                && SockRef::from(&self.inner).set_read_timeout(Some(self.limit)).is_ok();
            self.watch = if is_set { Watch::Kernel } else { Watch::Ours };
        }
        loop {
            if self.watch == Watch::Ours {
                self.ready(false)?;
            }
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.watch == Watch::Kernel && self.is_blocking() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    self.watch = Watch::Ours; // the kernel does not wait with such a socket
                }
                other => return other,
            }
        }
    }
}

impl<F: AsFd> Write for Timed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = if self.watch == Watch::Ours {
                self.ready(true)?;
                self.inner.write(bytes)
            } else {
                socket::send(&self.inner, bytes)
            };
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready(true)?,
                Err(error) if socket::is_not_one(&error) => self.watch = Watch::Ours,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
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
    use std::os::unix::net::UnixStream;

    const MOMENT: Duration = Duration::from_millis(1);

    fn is_given_up(mut timed: Timed<impl AsFd>) {
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_silent_peer_is_given_up() {
        let (read, _write) = crate::fd::pipe().unwrap();
        is_given_up(Timed::new(read, MOMENT));
        for blocks in [true, false] {
            let (here, _there) = UnixStream::pair().unwrap();
            here.set_nonblocking(!blocks).unwrap();
            is_given_up(Timed::new(here, MOMENT));
        }
    }

    #[test]
    fn a_peer_that_does_not_read_is_given_up() {
        for blocks in [true, false] {
            let (here, _there) = UnixStream::pair().unwrap();
            here.set_nonblocking(!blocks).unwrap();
            let mut timed = Timed::new(here, MOMENT);
            let error = (0..10_000).find_map(|_| timed.write(&[0; 4096]).err());
            assert_eq!(error.unwrap().kind(), io::ErrorKind::TimedOut);
        }
        let (_read, write) = crate::fd::pipe().unwrap();
        let mut timed = Timed::new(write, MOMENT);
        let error = (0..10_000).find_map(|_| timed.write(&[0; 4096]).err());
        assert_eq!(error.unwrap().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_is_said_in_time_is_heard() {
        for limit in [Duration::from_mins(1), Duration::MAX] {
            let (here, mut there) = UnixStream::pair().unwrap();
            let mut timed = Timed::new(here, limit);
            assert_eq!(timed.write(b"abc").unwrap(), 3);
            let mut heard = [0; 3];
            there.read_exact(&mut heard).unwrap();
            there.write_all(&heard).unwrap();
            drop(there);
            let mut all = Vec::new();
            timed.read_to_end(&mut all).unwrap();
            assert_eq!(all, b"abc");
        }
    }
}
