//! What becomes of a process at exec, prepared while allocation is still allowed.
//!
//! Between vfork and exec a child runs in its parent's memory. So everything that needs memory is
//! put together here first, and entering it makes only system calls.
#![expect(unsafe_code, reason = "the steps between fork and exec are raw system calls")]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use crate::errno::Errno;
use crate::limit::Resource;
use crate::signal;

/// A program with its arguments and environment, and the state it is to be started in.
#[derive(Debug, Default)]
pub struct Image {
    /// Paths to try in turn, as [`search`] gives them.
    pub candidates: Vec<CString>,
    /// The arguments, argv\[0\] first.
    pub argv: Vec<CString>,
    /// `NAME=value` each.
    pub environment: Vec<CString>,
    /// Descriptors the program finds under the given number.
    pub descriptors: Vec<(RawFd, OwnedFd)>,
    /// Numbers that the program finds closed.
    pub closed: Vec<RawFd>,
    /// Working directory.
    pub directory: Option<CString>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Soft and hard limits.
    pub limits: Vec<(Resource, u64, u64)>,
    /// Starts a session of its own.
    pub session: bool,
    /// The file `cgroup.procs` of the cgroup that it is to be in, open for writing. Source: cgroups(7).
    pub cgroup: Option<OwnedFd>,
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// Real, effective and saved group.
    pub gid: Option<u32>,
    /// Real, effective and saved user.
    pub uid: Option<u32>,
}

/// The step at which a program could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Entering the cgroup.
    Cgroup,
    /// Moving descriptors into place.
    Descriptors,
    /// Changing the working directory.
    Directory,
    /// Setting a resource limit.
    Limits,
    /// Setting the supplementary groups or the group.
    Group,
    /// Setting the user.
    User,
    /// Executing the program.
    Exec,
}

/// Why a program could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub step: Step,
    /// What the kernel said.
    pub errno: Errno,
}

/// The paths at which `program` may lie: itself if it has a slash, else below each part of `path`
/// (`$PATH`; an empty part is the working directory).
pub fn search(program: &OsStr, path: &[u8]) -> io::Result<Vec<CString>> {
    let name = program.as_bytes();
    if name.contains(&b'/') {
        return Ok(vec![CString::new(name)?]);
    }
    path.split(|&byte| byte == b':')
        .map(|part| {
            let part = if part.is_empty() { b"." } else { part };
            Ok(CString::new([part, b"/", name].concat())?)
        })
        .collect()
}

/// Executes each of `candidates` in turn, as long as there is hope; the error is the last that says
/// more than "not here".
pub(crate) fn try_each(candidates: &[CString], execute: impl Fn(&CStr) -> Errno) -> Errno {
    let mut worst = Errno::ENOENT;
    for path in candidates {
        match execute(path) {
            Errno::ENOENT => {}
            errno @ (Errno::EACCES | Errno::EPERM | Errno::EISDIR) => {
                worst = errno;
            }
            errno => return errno,
        }
    }
    worst
}

/// Pointers for execve, ended by a null pointer; valid as long as `strings` is.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// [`Image`] with the pointers execve wants; made before a fork.
pub(crate) struct Ready<'a> {
    image: &'a Image,
    argv: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
    /// Descriptors to move out of the way of others' numbers first, then into place.
    moves: Vec<(RawFd, RawFd)>,
    defaults: u64,
}

impl<'a> Ready<'a> {
    pub(crate) fn new(image: &'a Image) -> Self {
        Ready {
            image,
            argv: pointers(&image.argv),
            environment: pointers(&image.environment),
            moves: image.descriptors.iter().map(|(to, from)| (*to, from.as_raw_fd())).collect(),
            defaults: signal::changed(),
        }
    }

    /// Becomes the program; returns only on failure. Allocates nothing, and takes no lock.
    pub(crate) fn enter(&mut self) -> Failure {
        self.before_exec(|| ())
    }

    /// As [`Ready::enter`], with `last` done when nothing but the exec is left.
    pub(crate) fn before_exec(&mut self, last: impl FnOnce()) -> Failure {
        match self.prepare() {
            Ok(()) => {
                last();
                Failure { step: Step::Exec, errno: self.execute() }
            }
            Err(failure) => failure,
        }
    }

    fn prepare(&mut self) -> Result<(), Failure> {
        let fail = |step| move |errno| Failure { step, errno };
        if let Some(cgroup) = &self.image.cgroup {
            let itself = b"0";
            // SAFETY: the kernel reads one byte of a string that is always there.
            system(unsafe { libc::write(cgroup.as_raw_fd(), itself.as_ptr().cast(), 1) } as _)
                .map_err(fail(Step::Cgroup))?;
        }
        self.place_descriptors().map_err(fail(Step::Descriptors))?;
        if let Some(directory) = &self.image.directory {
            // SAFETY: a valid string.
            check(unsafe { libc::chdir(directory.as_ptr()) }).map_err(fail(Step::Directory))?;
        }
        if let Some(umask) = self.image.umask {
            // SAFETY: umask(2) touches no memory.
            unsafe { libc::umask(umask) };
        }
        for &(resource, soft, hard) in &self.image.limits {
            let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
            // SAFETY: `limit` is valid for the call; the raw number is a resource of this system.
            check(unsafe { libc::setrlimit(resource as _, &raw const limit) })
                .map_err(fail(Step::Limits))?;
        }
        if self.image.session {
            // SAFETY: setsid(2) touches no memory; it fails only for a leader, who has what it wants.
            unsafe { libc::setsid() };
        }
        self.become_user()?;
        self.reset_signals();
        Ok(())
    }

    /// Ids by raw system call: libc's own functions signal other threads, of which there are none.
    fn become_user(&self) -> Result<(), Failure> {
        let group = |errno| Failure { step: Step::Group, errno };
        if let Some(groups) = &self.image.groups {
            // SAFETY: the kernel reads `groups.len()` numbers from a valid slice.
            system(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
                .map_err(group)?;
        }
        if let Some(gid) = self.image.gid {
            some_id(gid).map_err(group)?;
            // SAFETY: a system call without pointers.
            system(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map_err(group)?;
        }
        if let Some(uid) = self.image.uid {
            let user = |errno| Failure { step: Step::User, errno };
            some_id(uid).map_err(user)?;
            // SAFETY: a system call without pointers.
            system(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map_err(user)?;
        }
        Ok(())
    }

    fn place_descriptors(&mut self) -> Result<(), Errno> {
        let above = self.moves.iter().map(|&(to, _)| to + 1).max().unwrap_or(0);
        for (to, from) in &mut self.moves {
            if *from < above && from != to {
                // SAFETY: fcntl without pointers.
                let moved = unsafe { libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, above) };
                check(moved)?;
                *from = moved;
            }
        }
        for &(to, from) in &self.moves {
            if to == from {
                // SAFETY: fcntl without pointers.
                check(unsafe { libc::fcntl(to, libc::F_SETFD, 0) })?;
            } else {
                // SAFETY: dup2 without pointers; the numbers are the caller's to give away.
                check(unsafe { libc::dup2(from, to) })?;
            }
        }
        for &number in &self.image.closed {
            // SAFETY: closes a number of this process's table, which is about to be replaced.
            unsafe { libc::close(number) };
        }
        Ok(())
    }

    fn reset_signals(&self) {
        for number in 1..64 {
            if self.defaults & (1 << number) != 0 {
                // SAFETY: SIG_DFL installs no handler, so no code of ours can run in signal context.
                unsafe { libc::signal(number, libc::SIG_DFL) };
            }
        }
    }

    fn execute(&self) -> Errno {
        try_each(&self.image.candidates, |path| self.execute_one(path))
    }

    fn execute_one(&self, path: &CStr) -> Errno {
        // SAFETY: the path and both arrays are valid and null-terminated, and outlive the call.
        unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.environment.as_ptr()) };
        Errno::last()
    }
}

/// Refuses the number that to the kernel means "as it is": whoever became it would stay root.
pub(crate) fn some_id(number: u32) -> Result<(), Errno> {
    if number == u32::MAX { Err(Errno::EINVAL) } else { Ok(()) }
}

fn check(result: libc::c_int) -> Result<(), Errno> {
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

fn system(result: libc::c_long) -> Result<(), Errno> {
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(program: &str, path: &str) -> Vec<String> {
        let found = search(OsStr::new(program), path.as_bytes()).unwrap();
        found.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_slash_ends_the_search() {
        assert_eq!(names("./run", "/bin:/usr/bin"), ["./run"]);
    }

    #[test]
    fn an_empty_part_of_the_path_is_the_working_directory() {
        assert_eq!(names("a", "/bin::/usr/bin"), ["/bin/a", "./a", "/usr/bin/a"]);
    }
}
