//! What programs find who were started by a test: the same whoever started the test.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Once, PoisonError, RwLock, RwLockWriteGuard};

use unix::fd;
use unix::signal::{self, Signal};

/// Undoes what the test runner's own parents left behind: ignored signals, as a shell gives them to
/// what it runs in the background, and open descriptors. Both survive exec, and programs show them.
pub(crate) fn clear() {
    static CLEARED: Once = Once::new();
    CLEARED.call_once(|| {
        // SIGPIPE the Rust runtime ignores for itself, and resets in what it starts.
        for signal in Signal::iterator().filter(|&signal| signal != Signal::SIGPIPE) {
            if signal::is_ignored(signal) {
                signal::default(signal).expect("a signal that can be set");
            }
        }
        fd::close_all_on_exec(3).expect("a kernel that has close_range(2)");
    });
}

/// A child has everything open that its parent has, from the fork until it executes its program; and a file
/// that somebody has open for writing cannot be executed. So no program of a case is written while another
/// thread starts one.
static STARTING: RwLock<()> = RwLock::new(());

/// As long as this is held, no program is started.
pub(crate) fn nothing_starts() -> RwLockWriteGuard<'static, ()> {
    STARTING.write().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program, which keeps these descriptors, and no program of another thread does.
pub(crate) fn spawn(command: &mut Command, kept: &[BorrowedFd<'_>]) -> io::Result<Child> {
    if kept.is_empty() {
        let _starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
        return command.spawn(); // which returns when the program has been executed
    }
    let _alone = nothing_starts();
    let close = |yes| kept.iter().try_for_each(|descriptor| fd::close_on_exec(descriptor, yes));
    close(false)?;
    let child = command.spawn();
    close(true)?;
    child
}

/// Runs a program to its end, with nothing on standard input unless that was set.
///
/// # Errors
///
/// If it cannot be started.
pub fn output(command: &mut Command) -> io::Result<Output> {
    spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()), &[])?.wait_with_output()
}

/// Writes a file that may be executed afterwards; with a mode also its permissions. One that is there is
/// written over where it is.
pub(crate) fn write(path: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    let _writing = nothing_starts();
    fs::write(path, contents)?;
    mode.map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
}

/// Puts a copy of a program somewhere.
///
/// # Errors
///
/// If it cannot be copied.
pub fn place(program: &Path, to: &Path) -> io::Result<()> {
    let _writing = nothing_starts();
    fs::copy(program, to).map(drop)
}
