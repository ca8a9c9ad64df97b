//! Several syncs at a time, from a process that has one thread.
//!
//! A sync is mostly waiting: for the disk, and on a busy machine for a processor. Several, one after the
//! other, wait as many times. So each but one is made by a child for the moment: it shares this process's memory
//! and open files, makes the one system call, puts down its result, and ends.
#![expect(unsafe_code, reason = "clone(2), with memory that is shared for a moment")]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::errno::Errno;
use crate::{process, raw};

/// What is to be made durable.
#[derive(Clone, Copy, Debug)]
pub enum Durable<'a> {
    /// A file's bytes: fdatasync(2).
    Bytes(BorrowedFd<'a>),
    /// The names in a directory: fsync(2).
    Names(BorrowedFd<'a>),
}

/// No call has returned yet.
const NONE: i32 = -1;

/// One sync, and what came of it: 0 or the number of the error.
struct Work {
    descriptor: c_int,
    is_bytes: bool,
    result: AtomicI32,
}

impl Work {
    fn new(sync: Durable<'_>) -> Work {
        let (fd, is_bytes) = match sync {
            Durable::Bytes(fd) => (fd, true),
            Durable::Names(fd) => (fd, false),
        };
        Work { descriptor: fd.as_raw_fd(), is_bytes, result: AtomicI32::new(NONE) }
    }

    /// Makes the call. Touches nothing but itself.
    fn perform(&self) {
        let result = raw::sync(self.descriptor, self.is_bytes);
        self.result.store(result.map_or_else(|errno| errno as i32, |()| 0), Ordering::Release);
    }

    fn result(&self) -> io::Result<()> {
        match self.result.load(Ordering::Acquire) {
            0 => Ok(()),
            NONE => Err(Errno::EIO.into()), // whoever was to make it was killed
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Far more than [`begin`] and what it calls take; no signal handler comes on top.
const STACK: usize = 8 * 1024;

type Stack = [MaybeUninit<u128>; STACK / size_of::<u128>()];

/// Makes all of `syncs` durable, at the same time where that can be; the first error of any.
///
/// Each has been tried when this returns.
pub fn sync_all<const N: usize>(syncs: [Durable<'_>; N]) -> io::Result<()> {
    let works = syncs.map(Work::new);
    let mut stacks: [Stack; N] = [const { [const { MaybeUninit::uninit() }; _] }; N];
    let mut children = [None; N];
    if raw::LEAVES_ERRNO {
        let old = process::block_signals();
        for ((work, stack), child) in works.iter().zip(&mut stacks).zip(&mut children).skip(1) {
            *child = start(work, stack);
        }
        process::restore_signals(&old);
    }
    for (work, child) in works.iter().zip(children) {
        if child.is_none() {
            work.perform();
        }
    }
    for child in children.into_iter().flatten() {
        wait(child);
    }
    works.iter().try_for_each(Work::result)
}

/// Starts a child that does `work`; `None` if there can be none.
fn start(work: &Work, stack: &mut Stack) -> Option<c_int> {
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS | libc::CLONE_SIGHAND;
    let top = stack.as_mut_ptr_range().end.cast();
    let argument = ptr::from_ref(work).cast_mut().cast();
    // SAFETY: the stack is this child's alone and its end aligned to 16. `sync_all` does not return, and so
    // keeps both alive, before the child has ended; the child changes the result only, which is atomic.
    let pid = unsafe { libc::clone(begin, top, flags, argument) };
    (pid > 0).then_some(pid)
}

extern "C" fn begin(work: *mut c_void) -> c_int {
    // SAFETY: `start` passes a `Work` that outlives this child.
    let work: &Work = unsafe { &*work.cast() };
    work.perform();
    raw::exit(0)
}

/// Waits for a child of [`start`], which ends without a signal: only who asks for such children sees it.
fn wait(child: c_int) {
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(child, ptr::null_mut(), libc::__WALL) } < 0
        && Errno::last() == Errno::EINTR
    {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn files_and_a_directory_are_synced_at_once_again_and_again() {
        let path = std::env::temp_dir().join(format!("unix-together-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let directory = File::open(&path).unwrap();
        for round in 0..50 {
            let mut files = ["a", "b"].map(|name| File::create(path.join(name)).unwrap());
            for file in &mut files {
                write!(file, "{round}").unwrap();
            }
            let [a, b] = files.each_ref().map(|file| Durable::Bytes(file.as_fd()));
            sync_all([Durable::Names(directory.as_fd()), a, b]).unwrap();
        }
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn an_error_of_any_is_the_error_of_all() {
        let file = unnamed();
        let (pipe, _end) = crate::fd::pipe().unwrap(); // a pipe cannot be synced
        let (good, bad) = (Durable::Bytes(file.as_fd()), Durable::Bytes(pipe.as_fd()));
        for syncs in [[bad, good, good], [good, bad, good], [good, good, bad]] {
            assert_eq!(sync_all(syncs).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        }
        sync_all([good]).unwrap();
    }

    fn unnamed() -> File {
        let path = std::env::temp_dir().join(format!("unix-together-file-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }
}
