//! A process by a descriptor: it stays that process, whoever gets its number later.
#![expect(unsafe_code, reason = "pidfd_open(2) and its like have no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::Pid;
use crate::process::Status;
use crate::signal::Signal;

/// A process, not necessarily a child. Readable once it has ended.
#[derive(Debug)]
pub struct Handle(OwnedFd);

/// What `PIDFD_GET_INFO` gives, up to the exit code. Source: linux/pidfd.h.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The request's number: `_IOWR(0xFF, 11, 64 bytes)`.
const GET_INFO: u64 = 0xC040_FF0B;

/// In `mask`: the exit code.
const EXIT: u64 = 1 << 3;

impl Handle {
    /// The process that has this number now; `ESRCH` if there is none, `ENOSYS` before Linux 5.3.
    pub fn open(pid: Pid) -> io::Result<Handle> {
        // SAFETY: a system call without pointers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Handle(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Sends it a signal; `ESRCH` if it has ended.
    pub fn send(&self, signal: Signal) -> io::Result<()> {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: without siginfo the kernel reads no memory of ours.
        let sent = unsafe {
            let number = signal as i32;
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), number, no_info, 0)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// How it ended, once its parent has taken notice; `None` before that, and before Linux 6.15.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: `info` has the 64 bytes that the request's number tells the kernel.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), GET_INFO as _, &raw mut info) };
        (result == 0 && info.mask & EXIT != 0).then(|| Status::from_raw(info.exit_code))
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Image, search};
    use crate::process;
    use std::ffi::{CString, OsStr};

    fn child(script: &str) -> process::Child {
        let words = ["sh", "-c", script].map(|word| CString::new(word).unwrap());
        let candidates = search(OsStr::new("sh"), b"/bin:/usr/bin").unwrap();
        let image = Image { candidates, argv: words.to_vec(), ..Image::default() };
        process::spawn(&image).unwrap()
    }

    #[test]
    fn a_process_is_signaled_and_its_end_is_seen() {
        assert_eq!(size_of::<Info>(), 64);
        let child = child("exec sleep 600");
        let handle = Handle::open(child.pid).unwrap();
        assert_eq!(handle.status(), None);
        handle.send(Signal::SIGTERM).unwrap();
        assert!(crate::poll::until(&handle, false, None).unwrap());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(15));
        // Where the kernel tells at all, it tells the same.
        assert!(handle.status().is_none_or(|told| told == status));
        let error = handle.send(Signal::SIGTERM).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
