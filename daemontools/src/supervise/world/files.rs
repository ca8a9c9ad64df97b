//! The files that a supervise keeps in `supervise/`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use unix::file::{self, Replacement};

use crate::state::{Beside, State};
use crate::supervise::Machine;

/// What stands in supervise/status and supervise/state.
#[derive(Debug)]
pub struct Record {
    program: prog::Program,
    /// The service's name as it was given, for messages.
    dir: PathBuf,
    status: Vec<u8>,
    state: Vec<u8>,
}

impl Record {
    /// What another supervise of this service has left there.
    #[must_use]
    pub fn open(program: prog::Program, dir: &Path) -> Record {
        // Where there is nothing, or it cannot be read, nothing is known.
        let read = |path| fs::read(path).unwrap_or_default();
        Record {
            program,
            dir: dir.to_owned(),
            status: read("supervise/status"),
            state: read("supervise/state"),
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> &[u8] {
        &self.status
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        State::read(&self.state)
    }

    /// Writes what is not there already: the state first, and in it which status it belongs to.
    pub fn tell(&mut self, machine: &Machine) {
        let (status, state) = (machine.status(), machine.state().write());
        // Where there is nothing to tell there need not be a file.
        let is_nothing = state.is_empty() && self.state.is_empty();
        let state = [state, Beside::of(&status).write()].concat();
        if !is_nothing && state != self.state && self.replace("state", &state) {
            self.state = state;
        }
        let status = status.write();
        if status[..] != self.status && self.replace("status", &status) {
            self.status = status.to_vec();
        }
    }

    /// Replaces a file as a whole; false, and a warning, if that cannot be. It is state, not data: no
    /// sync.
    fn replace(&self, name: &str, bytes: &[u8]) -> bool {
        let (path, aside) = (format!("supervise/{name}"), format!("supervise/{name}.new"));
        let new = (&self.dir, "/", &aside);
        let mut replacement = match Replacement::create(Path::new(&aside), 0o644) {
            Ok(replacement) => replacement,
            Err(error) => return self.warn(("unable to open ", new), error),
        };
        match replacement.write(bytes) {
            Ok(count) if count == bytes.len() => {}
            Ok(_) => return self.warn(("unable to write ", new, ": partial write"), ()),
            Err(error) => return self.warn(("unable to write ", new), error),
        }
        match replacement.rename(Path::new(&path)) {
            Ok(()) => true,
            Err(error) => self.warn(("unable to rename ", new, " to ", name), error),
        }
    }

    fn warn(&self, what: impl prog::Piece, cause: impl prog::Cause) -> bool {
        self.program.warning(what, cause);
        false
    }
}

/// The lock that one supervise of a service holds. Makes the directory it lies in; where that is a
/// symbolic link to nothing, makes what the link names.
pub fn lock() -> io::Result<File> {
    let dir = Path::new("supervise");
    let path = Path::new("supervise/lock");
    let is_missing = |opened: &io::Result<File>| {
        opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let mut opened = file::open_write(path);
    if is_missing(&opened) {
        let _ = make_private(dir); // the next opening says what is wrong
        opened = file::open_write(path);
    }
    if is_missing(&opened)
        && let Ok(target) = fs::read_link(dir)
    {
        let _ = make_private(&target); // as above
        opened = file::open_write(path);
    }
    let file = opened?;
    file::try_lock(&file)?;
    Ok(file)
}

fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(dir)
}
