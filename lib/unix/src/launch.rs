//! Start one program again and again, at the least cost.
//!
//! [`crate::process::spawn`] puts a whole [`Image`] together for each child. A server that starts
//! the same program for each connection prepares it once, as a [`Launcher`], and gives what differs:
//! a few variables and descriptors. Like there, the child borrows this process's memory until it
//! has executed the program, so nothing is allocated or formatted in it.
#![expect(unsafe_code, reason = "clone(2), and what comes between it and exec")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use crate::Pid;
use crate::errno::Errno;
use crate::image::{Failure, Image, Step};
use crate::process::{Child, Status};
use crate::signal::{self, Held};

/// Enough for the frames of `begin` and what it calls; none of them is deep.
const STACK: usize = 64 * 1024;

/// Variables for one child, beside those of the [`Launcher`]. Kept from child to child, it stops
/// allocating.
#[derive(Debug, Default)]
pub struct Variables {
    /// `NAME=value` and a zero byte, one after another.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Some entries stand for variables that the launcher may have too.
    replaces: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    replaces: bool,
    is_live: bool,
}

impl Variables {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.replaces = false;
    }

    /// Adds a variable that neither the launcher nor this list has; `value` appends its value.
    ///
    /// `EINVAL` if there is a zero byte in it.
    pub fn add(&mut self, name: &[u8], value: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.push(name, value, false)
    }

    /// Sets a variable whoever has it.
    ///
    /// `EINVAL` if there is a zero byte in it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let earlier = self.entries.len();
        self.push(name, |out| out.extend_from_slice(value), true)?;
        self.replaces = true;
        for entry in self.entries.iter_mut().take(earlier) {
            if self.bytes.get(entry.start..entry.start + entry.name) == Some(name) {
                entry.is_live = false;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        name: &[u8],
        value: impl FnOnce(&mut Vec<u8>),
        replaces: bool,
    ) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.push(b'=');
        value(&mut self.bytes);
        if self.bytes.get(start..).unwrap_or_default().contains(&0) {
            self.bytes.truncate(start);
            return Err(Errno::EINVAL.into());
        }
        self.bytes.push(0);
        self.entries.push(Entry { start, name: name.len(), replaces, is_live: true });
        Ok(())
    }

    /// Whether `string`, a `NAME=value` of the launcher, is replaced here.
    fn hides(&self, string: &[u8]) -> bool {
        self.replaces
            && self.entries.iter().filter(|entry| entry.replaces).any(|entry| {
                let name = self.bytes.get(entry.start..=entry.start + entry.name);
                name.is_some_and(|name| string.starts_with(name))
            })
    }
}

/// A line, or several, that the child writes to descriptor 2 before it executes the program: the
/// three parts with its process number between them.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a>(pub &'a [u8], pub &'a [u8], pub &'a [u8]);

/// Why there is no child that runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// The child could not become the program, and has ended so.
    Enter(Failure, Pid, Status),
    /// There could be no child.
    Fork(Errno),
}

/// A program that this process starts many times.
#[derive(Debug)]
pub struct Launcher {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    environment: Vec<CString>,
    stack: Vec<MaybeUninit<u128>>,
    /// Pointers into the strings above and a child's variables; filled before each use.
    argv_pointers: Vec<*const libc::c_char>,
    pointers: Vec<*const libc::c_char>,
}

/// What parent and child share.
struct Launch<'a> {
    launcher: &'a Launcher,
    descriptors: &'a [(RawFd, BorrowedFd<'a>)],
    notice: Option<Notice<'a>>,
    mask: libc::sigset_t,
    ignored: u64,
    failure: Option<Failure>,
}

impl Launcher {
    /// Prepares `image`: its program, arguments and environment. Its other parts are not looked at.
    #[must_use]
    pub fn new(image: Image) -> Launcher {
        Launcher {
            candidates: image.candidates,
            argv: image.argv,
            environment: image.environment,
            stack: Vec::with_capacity(STACK / 16),
            argv_pointers: Vec::new(),
            pointers: Vec::new(),
        }
    }

    /// Starts the program with `variables` beside the prepared ones, and `descriptors` under the
    /// numbers given; each must be numbered above all of these numbers. Every other descriptor that
    /// does not close on exec stays, too.
    ///
    /// The signals of `held` are let through again in the child. A handler of this process for
    /// any other signal runs in the child, too, if the signal comes before the exec.
    pub fn start(
        &mut self,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        notice: Option<Notice<'_>>,
        held: &Held,
    ) -> Result<Child, LaunchError> {
        self.fill(variables);
        let top = self.stack.spare_capacity_mut().as_mut_ptr_range().end;
        let mut launch = Launch {
            launcher: self,
            descriptors,
            notice,
            mask: held.mask(),
            ignored: signal::ignored(),
            failure: None,
        };
        // SAFETY: the stack is ours alone and its end is aligned to 16; the parent is suspended
        // while the child uses `launch`, which outlives the call; `begin` makes system calls only.
        let pid = unsafe {
            libc::clone(
                begin,
                top.cast(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                (&raw mut launch).cast(),
            )
        };
        if pid < 0 {
            return Err(LaunchError::Fork(Errno::last()));
        }
        let child = Child { pid: Pid::from_raw(pid) };
        match launch.failure {
            None => Ok(child),
            Some(failure) => {
                let pid = child.pid;
                let status = child.wait().unwrap_or(Status::from_raw(111 << 8));
                Err(LaunchError::Enter(failure, pid, status))
            }
        }
    }

    /// Becomes the program in this process, as [`Launcher::start`] has a child become it. Returns only
    /// on failure.
    #[must_use]
    pub fn enter(
        &mut self,
        variables: &Variables,
        descriptors: &[(RawFd, BorrowedFd<'_>)],
        held: &Held,
    ) -> Failure {
        self.fill(variables);
        let (mask, ignored) = (held.mask(), signal::ignored());
        let launcher = self;
        Launch { launcher, descriptors, notice: None, mask, ignored, failure: None }.enter()
    }

    fn fill(&mut self, variables: &Variables) {
        self.argv_pointers.clear();
        self.argv_pointers.extend(self.argv.iter().map(|string| string.as_ptr()));
        self.argv_pointers.push(ptr::null());
        let kept = self.environment.iter().filter(|string| !variables.hides(string.as_bytes()));
        self.pointers.clear();
        self.pointers.extend(kept.map(|string| string.as_ptr()));
        let live = variables.entries.iter().filter(|entry| entry.is_live);
        self.pointers.extend(live.filter_map(|entry| {
            variables.bytes.get(entry.start..).map(|bytes| bytes.as_ptr().cast())
        }));
        self.pointers.push(ptr::null());
    }
}

extern "C" fn begin(launch: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `start` passes its own `Launch` and is suspended until we exec or exit.
    let launch: &mut Launch<'_> = unsafe { &mut *launch.cast() };
    launch.failure = Some(launch.enter());
    // SAFETY: ends the child only.
    unsafe { libc::_exit(111) }
}

impl Launch<'_> {
    /// Becomes the program; returns only on failure. Allocates nothing, and takes no lock.
    fn enter(&self) -> Failure {
        if let Some(notice) = self.notice {
            notice.write();
        }
        for &(to, from) in self.descriptors {
            let from = from.as_raw_fd();
            if from <= to {
                return Failure { step: Step::Descriptors, errno: Errno::EBADF };
            }
            // SAFETY: dup2 without pointers, in the child's own table.
            if unsafe { libc::dup2(from, to) } < 0 {
                return Failure { step: Step::Descriptors, errno: Errno::last() };
            }
        }
        // Signals that are caught get their default action by exec itself.
        let mut ignored = self.ignored;
        while ignored != 0 {
            // SAFETY: SIG_DFL installs no handler.
            unsafe { libc::signal(ignored.trailing_zeros().cast_signed(), libc::SIG_DFL) };
            ignored &= ignored - 1;
        }
        // SAFETY: the mask is valid; no old mask is asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
        Failure { step: Step::Exec, errno: self.execute() }
    }

    /// As [`Image`]'s search does: the error is the last that says more than "not here".
    fn execute(&self) -> Errno {
        let mut worst = Errno::ENOENT;
        for path in &self.launcher.candidates {
            let (argv, environment) = (&self.launcher.argv_pointers, &self.launcher.pointers);
            // SAFETY: the path and both arrays are valid and null-terminated, and outlive the call.
            unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
            match Errno::last() {
                Errno::ENOENT => {}
                errno @ (Errno::EACCES | Errno::EPERM | Errno::EISDIR | Errno::ENOTDIR) => {
                    worst = errno;
                }
                errno => return errno,
            }
        }
        worst
    }
}

impl Notice<'_> {
    fn write(&self) {
        let mut digits = [0; 12];
        // SAFETY: getpid(2) touches no memory and cannot fail.
        let pid = decimal(unsafe { libc::getpid() }.unsigned_abs(), &mut digits);
        let parts = [self.0, pid, self.1, pid, self.2].map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        // SAFETY: the parts are valid for the call, and only read. A line that cannot be written
        // has nowhere else to go.
        unsafe { libc::writev(2, parts.as_ptr(), 5) };
    }
}

/// `number` in decimal, without allocating.
fn decimal(mut number: u32, digits: &mut [u8; 12]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::search;
    use crate::signal::Signal;
    use std::ffi::OsStr;
    use std::io::Read;
    use std::os::fd::AsFd;

    fn launcher(words: &[&str], environment: &[&str]) -> Launcher {
        let strings = |words: &[&str]| words.iter().map(|w| CString::new(*w).unwrap()).collect();
        Launcher::new(Image {
            candidates: search(OsStr::new(words[0]), b"/bin:/usr/bin").unwrap(),
            argv: strings(words),
            environment: strings(environment),
            ..Image::default()
        })
    }

    #[test]
    fn each_child_has_variables_and_descriptors_of_its_own() {
        let held = Held::new(&[Signal::SIGUSR1]).unwrap();
        let mut launcher = launcher(&["sh", "-c", "echo $A $B $C >&7"], &["A=a", "B=b", "BB=x"]);
        let mut variables = Variables::default();
        for round in ["1", "2"] {
            let (read, write) = crate::fd::pipe().unwrap();
            variables.clear();
            variables.add(b"C", |out| out.extend_from_slice(round.as_bytes())).unwrap();
            variables.set(b"B", b"new").unwrap();
            let write = crate::fd::duplicate(write, 10).unwrap();
            let descriptors = [(7, write.as_fd())];
            let child = launcher.start(&variables, &descriptors, None, &held).unwrap();
            drop(write);
            let mut text = String::new();
            std::fs::File::from(read).read_to_string(&mut text).unwrap();
            assert_eq!(text, format!("a new {round}\n"));
            assert!(child.wait().unwrap().is_success());
        }
        held.release();
    }

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let mut variables = Variables::default();
        variables.add(b"A", |out| out.push(b'1')).unwrap();
        variables.set(b"A", b"2").unwrap();
        variables.set(b"A", b"3").unwrap();
        assert!(variables.set(b"A", b"4\0").is_err());
        assert_eq!(variables.entries.iter().filter(|entry| entry.is_live).count(), 1);
        assert!(variables.hides(b"A=x"));
        assert!(!variables.hides(b"AB=x"));
    }

    #[test]
    fn a_program_that_is_missing_leaves_no_child() {
        let held = Held::new(&[]).unwrap();
        let mut launcher = launcher(&["no such program"], &[]);
        let error = launcher.start(&Variables::default(), &[], None, &held).unwrap_err();
        let LaunchError::Enter(failure, pid, status) = error else { panic!("{error:?}") };
        assert_eq!(failure, Failure { step: Step::Exec, errno: Errno::ENOENT });
        assert_eq!(status.code(), Some(111));
        assert!(crate::process::reap_one(pid).is_err());
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(decimal(0, &mut [0; 12]), b"0");
        assert_eq!(decimal(u32::MAX, &mut [0; 12]), b"4294967295");
    }
}
