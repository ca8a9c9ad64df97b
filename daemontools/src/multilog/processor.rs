//! Running a processor on a file that has been turned over.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use prog::Chain;
use unix::dir::Dir;
use unix::process::{SpawnError, Status};

use crate::multilog::rotate::Name;
use crate::multilog::trouble::{OrTrouble, Trouble};

/// Runs `command` by the shell in the directory `path`, which is open as `dir`, and waits for it.
///
/// It reads the file on descriptor 0 and its state on 4, and writes what is to be kept on 1 and its
/// next state on 5. Source: multilog(8).
pub(super) fn run(command: &OsStr, path: &Path, dir: &Dir) -> Result<(), Trouble> {
    let mut shell = Chain::new([OsStr::new("/bin/sh"), OsStr::new("-c"), command]);
    shell.argv0("sh");
    shell.directory(path);
    for (number, name) in
        [(0, Name::Previous), (1, Name::Processed), (4, Name::State), (5, Name::NewState)]
    {
        let file = Path::new(name.file());
        let opened = match name {
            Name::Processed | Name::NewState => dir.create(file, 0o644),
            _ => dir.open_file(file),
        };
        let opened = match opened {
            // Somebody has removed it; an empty one is where every state begins.
            Err(error) if name == Name::State && error.kind() == io::ErrorKind::NotFound => {
                dir.open_append(file, 0o644).and_then(|_| dir.open_file(file))
            }
            opened => opened,
        };
        let what = ("unable to open ", path, "/", file, " for processor");
        shell.descriptor(number, opened.or_pause(what)?);
    }

    let child = shell.launch().map_err(|error| unable(error, path))?;
    told(child.wait().or_pause(("wait failed for processor in ", path))?, path)
}

/// Why there is no processor.
pub(super) fn unable(error: SpawnError, path: &Path) -> Trouble {
    match error {
        SpawnError::Enter(failure) => {
            Trouble::new(("unable to run processor in ", path), Some(failure.errno.into()))
        }
        SpawnError::Fork(errno) => {
            Trouble::new(("unable to fork for processor in ", path), Some(errno.into()))
        }
    }
}

/// Whether a processor that ended so has worked.
pub(super) fn told(status: Status, path: &Path) -> Result<(), Trouble> {
    match status.signal() {
        Some(signal) => {
            Err(Trouble::new(("processor crashed by signal ", signal, " in ", path), None))
        }
        None if status.is_success() => Ok(()),
        None => Err(Trouble::new(("processor failed in ", path), None)),
    }
}
