//! Fork with a closure, exec, spawn, wait, identity.
#![expect(unsafe_code, reason = "fork, clone and _exit")]

use std::io;
use std::mem::MaybeUninit;

use crate::errno::Errno;
use crate::image::{Failure, Image, Ready, some_id};
use crate::{Gid, Pid, Uid, signal};

/// How a child ended: the 16 bits of wait(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(i32);

impl Status {
    /// A status as wait(2) gives it.
    #[must_use]
    pub const fn from_raw(raw: i32) -> Self {
        Status(raw)
    }

    /// The number wait(2) gave: exit code × 256, or the signal (+ 128 with a core).
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The exit code, unless a signal ended it.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        if self.signal().is_some() { None } else { u8::try_from((self.0 >> 8) & 0xff).ok() }
    }

    /// The number of the signal that ended it, if one did.
    #[must_use]
    pub const fn signal(self) -> Option<i32> {
        match self.0 & 0x7f {
            0 => None,
            signal => Some(signal),
        }
    }

    /// True if it exited with 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

/// A child of this process that has not been waited for.
#[derive(Debug)]
pub struct Child {
    /// Its number.
    pub pid: Pid,
}

impl Child {
    /// Waits until it has ended.
    pub fn wait(self) -> io::Result<Status> {
        match wait(self.pid.as_raw(), 0)? {
            Some((_, status)) => Ok(status),
            None => Err(io::Error::from_raw_os_error(libc::ECHILD)),
        }
    }
}

/// A child that has ended, if there is one; does not wait.
///
/// `ECHILD` (no children at all) counts as none.
pub fn reap() -> io::Result<Option<(Pid, Status)>> {
    match wait(-1, libc::WNOHANG) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        other => other,
    }
}

/// One particular child, if it has ended; does not wait.
pub fn reap_one(pid: Pid) -> io::Result<Option<Status>> {
    Ok(wait(pid.as_raw(), libc::WNOHANG)?.map(|(_, status)| status))
}

fn wait(pid: i32, options: i32) -> io::Result<Option<(Pid, Status)>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for the call.
        match unsafe { libc::waitpid(pid, &raw mut status, options) } {
            0 => return Ok(None),
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return Err(io::Error::last_os_error()),
            pid => return Ok(Some((Pid::from_raw(pid), Status(status)))),
        }
    }
}

/// Becomes the parent of descendants whose own parent ends, in the place of process 1; true unless
/// the kernel cannot do that.
#[must_use]
pub fn take_in_orphans() -> bool {
    // SAFETY: this request passes no pointer.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 }
}

/// Runs `child` in a new process, which ends with the exit code that it returns.
///
/// The closure never returns into the parent's code, runs no destructors of the parent's values,
/// and flushes no buffer of the parent's. Safe because the process has one thread: no lock can be
/// held by another at the moment of the fork.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<Child> {
    debug_assert!(is_single_threaded(), "fork in a process with threads");
    // SAFETY: with one thread the child may do whatever the parent could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = child();
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(i32::from(code)) }
        }
        pid => Ok(Child { pid: Pid::from_raw(pid) }),
    }
}

fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1)
}

/// Replaces this process by `image`; returns only on failure.
#[must_use]
pub fn exec(image: &Image) -> Failure {
    Ready::new(image).enter()
}

/// What parent and child of a spawn share.
struct Launch<'a> {
    ready: Ready<'a>,
    mask: libc::sigset_t,
    failure: Option<Failure>,
}

/// Enough for the frames of [`launch`] and what it calls; none of them is deep.
const STACK: usize = 16 * 1024;

/// Starts `image` as a child, without copying this process (clone with `CLONE_VM|CLONE_VFORK`).
///
/// The parent sleeps until the child has executed the program or failed; a failure is returned
/// here and the child is gone.
pub fn spawn(image: &Image) -> Result<Child, SpawnError> {
    let mut launch = Launch { ready: Ready::new(image), mask: no_signals(), failure: None };
    let mut stack = [const { MaybeUninit::<u128>::uninit() }; STACK / 16];
    let top = stack.as_mut_ptr_range().end;

    let old = block_signals();
    launch.mask = childrens(old);
    // SAFETY: the stack is ours alone and its end is aligned to 16; the parent is suspended while
    // the child uses `launch`, which outlives the call; `launch` makes system calls only.
    let pid = unsafe {
        libc::clone(
            start,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut launch).cast(),
        )
    };
    let cloned = if pid < 0 { Err(Errno::last()) } else { Ok(Pid::from_raw(pid)) };
    restore_signals(&old);

    let child = Child { pid: cloned.map_err(SpawnError::Fork)? };
    match launch.failure {
        None => Ok(child),
        Some(failure) => {
            let _ = child.wait(); // it has ended; only the failure is of interest
            Err(SpawnError::Enter(failure))
        }
    }
}

/// Why a program could not be started as a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// The child could not become the program.
    Enter(Failure),
    /// There could be no child.
    Fork(Errno),
}

extern "C" fn start(launch: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `spawn` passes its own `Launch` and is suspended until we exec or exit.
    let launch: &mut Launch<'_> = unsafe { &mut *launch.cast() };
    let mask = launch.mask;
    launch.failure = Some(launch.ready.before_exec(|| restore_signals(&mask)));
    // SAFETY: ends the child only.
    unsafe { libc::_exit(111) }
}

fn no_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: written just above.
    unsafe { set.assume_init() }
}

/// Blocks every signal, so that no handler runs while memory is shared; gives the old mask.
pub(crate) fn block_signals() -> libc::sigset_t {
    let (mut all, mut old) = (no_signals(), no_signals());
    // SAFETY: `all` is valid.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both sets are valid.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut old) };
    old
}

/// What is blocked in a child whose parent has `mask`.
fn childrens(mut mask: libc::sigset_t) -> libc::sigset_t {
    let mut posted = signal::posted();
    while posted != 0 {
        // SAFETY: `mask` is valid; the bits are numbers of signals.
        unsafe { libc::sigdelset(&raw mut mask, posted.trailing_zeros().cast_signed()) };
        posted &= posted - 1;
    }
    mask
}

pub(crate) fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is valid; no old mask is asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// This process.
#[must_use]
pub fn id() -> Pid {
    Pid::this()
}

/// Becomes `gid` for good, with it as the only supplementary group.
pub fn become_group(gid: Gid) -> io::Result<()> {
    some_id(gid.as_raw())?;
    nix::unistd::setgroups(&[gid])?;
    Ok(nix::unistd::setresgid(gid, gid, gid)?)
}

/// Becomes `uid` for good; groups stay as they are.
pub fn become_uid(uid: Uid) -> io::Result<()> {
    some_id(uid.as_raw())?;
    Ok(nix::unistd::setresuid(uid, uid, uid)?)
}

/// Real and effective user of this process.
#[must_use]
pub fn user() -> (Uid, Uid) {
    (Uid::current(), Uid::effective())
}

/// Becomes `uid` and `gid` for good, with `gid` as the only supplementary group.
pub fn become_user(uid: Uid, gid: Gid) -> io::Result<()> {
    become_group(gid)?;
    become_uid(uid)
}

/// Whether this process can become root again after it has given that up; if so, it has.
#[must_use]
pub fn regains_root() -> bool {
    nix::unistd::seteuid(Uid::from_raw(0)).is_ok()
}

/// True if the kernel gave this process rights that its caller has not (set-id bit, capabilities).
#[must_use]
pub fn is_privileged_by_file() -> bool {
    // SAFETY: getauxval reads what the kernel put beside the arguments.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Ends this process at once with `code`: no destructor runs. For the panic hook.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: _exit does not return.
    unsafe { libc::_exit(i32::from(code)) }
}

/// The name of this machine, at most 64 bytes. Empty if it has none.
#[must_use]
pub fn host_name() -> Vec<u8> {
    let mut name = vec![0; 65];
    // SAFETY: the kernel writes at most `name.len()` bytes into it.
    if unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) } != 0 {
        return Vec::new();
    }
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

/// Sets the file mode creation mask.
pub fn umask(mask: u32) {
    // SAFETY: umask(2) touches no memory and cannot fail.
    unsafe { libc::umask(mask) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Step, search};
    use std::ffi::{CString, OsStr};

    fn image(words: &[&str]) -> Image {
        Image {
            candidates: search(OsStr::new(words[0]), b"/bin:/usr/bin").unwrap(),
            argv: words.iter().map(|word| CString::new(*word).unwrap()).collect(),
            ..Image::default()
        }
    }

    #[test]
    fn a_child_runs_and_its_status_is_read() {
        let child = spawn(&image(&["sh", "-c", "exit 3"])).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.raw()), (Some(3), 768));
    }

    #[test]
    fn a_program_that_is_missing_is_an_error_of_the_parent() {
        let error = spawn(&image(&["no such program"])).unwrap_err();
        let failure = Failure { step: Step::Exec, errno: Errno::ENOENT };
        assert_eq!(error, SpawnError::Enter(failure));
    }

    #[test]
    fn nobody_becomes_the_number_that_changes_nothing() {
        let invalid = |step| SpawnError::Enter(Failure { step, errno: Errno::EINVAL });
        let mut image = image(&["true"]);
        image.uid = Some(u32::MAX);
        assert_eq!(spawn(&image).unwrap_err(), invalid(Step::User));
        image.gid = Some(u32::MAX);
        assert_eq!(spawn(&image).unwrap_err(), invalid(Step::Group));
        assert!(become_uid(Uid::from_raw(u32::MAX)).is_err());
    }

    #[test]
    fn descriptors_may_change_places() {
        let (first, first_end) = crate::fd::pipe().unwrap();
        let (second, second_end) = crate::fd::pipe().unwrap();
        let mut image = image(&["sh", "-c", "echo one >&8; echo two >&9"]);
        image.descriptors = vec![(8, first_end), (9, second_end)];
        let child = spawn(&image).unwrap();
        assert!(child.wait().unwrap().is_success());
        drop(image);
        let read = |fd| std::io::read_to_string(std::fs::File::from(fd)).unwrap();
        assert_eq!((read(first), read(second)), ("one\n".into(), "two\n".into()));
    }

    #[test]
    fn the_machine_has_the_kernel_s_name() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(host_name(), name.trim_end().as_bytes());
    }

    #[test]
    fn a_signal_is_not_an_exit_code() {
        let status = spawn(&image(&["sh", "-c", "kill -9 $$"])).unwrap().wait().unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(9)));
    }
}
