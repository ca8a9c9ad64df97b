//! A program whose exit code decides what becomes of a message.

use prog::{Chain, Fatal, OrFatal};
use unix::errno;
use unix::process::SpawnError;

/// Runs `program` and waits: true if it exits with 0, false with any other code but 111.
///
/// A program that cannot be run counts as one that exits with another code, or with 111 if trying
/// again may help. That, a crash, and 111 are errors of their own. Source: except(1), condredirect(1).
pub fn holds(program: Chain) -> Result<bool, Fatal> {
    let child = match program.launch() {
        Ok(child) => child,
        Err(SpawnError::Fork(errno)) => return Err(Fatal::because("unable to fork", errno)),
        Err(SpawnError::Enter(failure)) if errno::is_temporary(failure.errno) => {
            return Err(Fatal::soft("temporary child error"));
        }
        Err(SpawnError::Enter(_)) => return Ok(false),
    };
    match child.wait().or_fatal("wait failed")?.code() {
        None => Err(Fatal::soft("child crashed")),
        Some(111) => Err(Fatal::soft("temporary child error")),
        Some(code) => Ok(code == 0),
    }
}
