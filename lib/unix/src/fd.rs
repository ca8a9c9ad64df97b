//! Numbered descriptors: take once, make, move, close-on-exec, non-blocking.
#![expect(unsafe_code, reason = "a number becomes an owned descriptor here and nowhere else")]

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{F_GETFD, F_GETFL, F_SETFD, F_SETFL, FdFlag, OFlag, fcntl};
use nix::sys::stat::fstat;

static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Becomes the owner of descriptor `number` (0…63), which the process was started with.
///
/// Gives `EBADF` if it is not open, or was taken before.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    let bit = u32::try_from(number).ok().and_then(|n| 1u64.checked_shl(n)).ok_or_else(bad)?;
    // SAFETY: F_GETFD reads a flag and owns nothing; a number that is not open gives EBADF.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if TAKEN.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(bad());
    }
    // SAFETY: the descriptor is open, and TAKEN makes this the only owner that is ever made of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// One of the three descriptors that the Rust runtime keeps open for the whole process.
#[derive(Clone, Copy, Debug)]
pub enum Standard {
    /// Descriptor 0.
    Input,
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

impl AsFd for Standard {
    fn as_fd(&self) -> BorrowedFd<'static> {
        let number = match self {
            Standard::Input => 0,
            Standard::Output => 1,
            Standard::Error => 2,
        };
        // SAFETY: the runtime opens 0, 1 and 2 on /dev/null if they were closed. A program that
        // closes one (through `take`) gets EBADF here, or its own reuse of the number: no memory
        // is at stake.
        unsafe { BorrowedFd::borrow_raw(number) }
    }
}

/// Reads and writes a descriptor directly: one system call a call, no buffer, no lock.
#[derive(Clone, Copy, Debug)]
pub struct Direct<F>(pub F);

impl<F: AsFd> Read for Direct<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| nix::unistd::read(self.0.as_fd(), buffer))
    }
}

impl<F: AsFd> Write for Direct<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| nix::unistd::write(self.0.as_fd(), bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: AsFd> AsFd for Direct<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads what is there now, whether or not the descriptor waits: `EAGAIN` if nothing is, and
/// `EOPNOTSUPP` where the kernel cannot do that with this kind of file.
pub fn read_now(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let number = fd.as_fd().as_raw_fd();
    let piece = [io::IoSliceMut::new(buffer)];
    let here: libc::c_long = -1; // both halves of the place to read from: where a plain read would
    // SAFETY: an IoSliceMut is an iovec, and the memory it tells is ours for the call.
    let count = unsafe {
        let flags = libc::RWF_NOWAIT;
        let pieces = piece.len();
        libc::syscall(libc::SYS_preadv2, number, piece.as_ptr(), pieces, here, here, flags)
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Standard input, unbuffered.
#[must_use]
pub fn stdin() -> Direct<Standard> {
    Direct(Standard::Input)
}

/// Standard output, unbuffered.
#[must_use]
pub fn stdout() -> Direct<Standard> {
    Direct(Standard::Output)
}

/// Standard error, unbuffered.
#[must_use]
pub fn stderr() -> Direct<Standard> {
    Direct(Standard::Error)
}

/// Writes all of `pieces`, in one system call if the kernel takes them at once.
pub fn write_all_of(to: &mut impl Write, pieces: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    IoSlice::advance_slices(&mut rest, 0); // empty ones at the beginning are written already
    while !rest.is_empty() {
        match to.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A pipe, reading end first; both ends close on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Makes descriptor `number` one for /dev/null, whatever it was: a number that stays taken, so that
/// no other open file gets it. It is not closed on exec.
pub fn replace_by_null(number: RawFd) -> io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: dup2 without pointers; who owns the number goes on owning an open file.
    if unsafe { libc::dup2(null.as_raw_fd(), number) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A second descriptor for the same open file, numbered `least` or above, closed on exec.
pub fn duplicate(fd: impl AsFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC touches no memory.
    let number = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether both are the same file, pipe or socket.
pub fn is_same_file(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Puts another open file behind a standard descriptor; it stays open across exec.
pub fn redirect(which: Standard, fd: impl AsFd) -> io::Result<()> {
    match which {
        Standard::Input => nix::unistd::dup2_stdin(fd)?,
        Standard::Output => nix::unistd::dup2_stdout(fd)?,
        Standard::Error => nix::unistd::dup2_stderr(fd)?,
    }
    Ok(())
}

/// Whether the descriptor closes when another program is executed.
pub fn close_on_exec(fd: impl AsFd, yes: bool) -> io::Result<()> {
    let fd = fd.as_fd();
    let mut flags = FdFlag::from_bits_truncate(fcntl(fd, F_GETFD)?);
    flags.set(FdFlag::FD_CLOEXEC, yes);
    fcntl(fd, F_SETFD(flags))?;
    Ok(())
}

/// Makes every descriptor from `first` on close when another program is executed, whoever opened it.
pub fn close_all_on_exec(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) with this flag closes nothing and touches no memory. By number, for
    // musl has no function of this name.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether reads and writes return `EAGAIN` rather than wait. The flag belongs to the open file, so
/// every process that shares it is affected.
pub fn nonblocking(fd: impl AsFd, yes: bool) -> io::Result<()> {
    let fd = fd.as_fd();
    let old = OFlag::from_bits_retain(fcntl(fd, F_GETFL)?);
    let mut new = old;
    new.set(OFlag::O_NONBLOCK, yes);
    if new != old {
        fcntl(fd, F_SETFL(new))?;
    }
    Ok(())
}

/// Repeats a call that a signal cut short.
fn retry(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(nix::errno::Errno::EINTR) => {}
            other => return other.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_carries_bytes_and_closes_on_exec() {
        let (read, write) = pipe().unwrap();
        Direct(&write).write_all(b"abc").unwrap();
        let mut bytes = [0; 8];
        assert_eq!(Direct(&read).read(&mut bytes).unwrap(), 3);
        assert_eq!(fcntl(&read, F_GETFD).unwrap() & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn pieces_are_written_to_the_last_byte() {
        let mut slow = Slow(Vec::new());
        write_all_of(&mut slow, &[b"", b"abcd", b"", b"e", b"fghijkl"]).unwrap();
        write_all_of(&mut slow, &[b""]).unwrap();
        assert_eq!(slow.0, b"abcdefghijkl");
    }

    #[test]
    fn both_ends_of_a_pipe_are_one_pipe() {
        let ((read, write), (other, _)) = (pipe().unwrap(), pipe().unwrap());
        assert!(is_same_file(&read, &write).unwrap());
        assert!(!is_same_file(&read, &other).unwrap());
    }

    #[test]
    fn a_number_that_is_not_open_cannot_be_taken() {
        assert_eq!(take(62).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(take(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }

    #[test]
    fn what_is_there_now_is_read_without_waiting() {
        let (read, write) = pipe().unwrap();
        let mut room = [0; 4];
        let error = read_now(&read, &mut room).unwrap_err().raw_os_error();
        if error == Some(libc::EOPNOTSUPP) {
            return; // an old kernel
        }
        assert_eq!(error, Some(libc::EAGAIN));
        nix::unistd::write(&write, b"abcdef").unwrap();
        assert_eq!(read_now(&read, &mut room).unwrap(), 4);
        assert_eq!(&room, b"abcd");
        drop(write);
        assert_eq!(read_now(&read, &mut room).unwrap(), 2);
        // A child of another test may have the other end, until it executes its program.
        assert!(crate::poll::until(&read, false, None).unwrap());
        assert_eq!(read_now(&read, &mut room).unwrap(), 0);
    }

    #[test]
    fn an_empty_pipe_does_not_block_when_told_so() {
        let (read, _write) = pipe().unwrap();
        nonblocking(&read, true).unwrap();
        let error = Direct(&read).read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
