//! Building a database.

use std::io;
use std::path::{Path, PathBuf};

use cdb2::CDBMake;
use unix::errno::Errno;
use unix::file::{self, Replacement};

/// A database being written aside, to be put in place whole.
///
/// Records go to the file as they come; 8 bytes a record are kept in memory. The bytes are those
/// that the original cdbmake and tcprules write for the same records in the same order. Dropped
/// before [`Finished::commit`], it leaves nothing behind.
pub struct Writer {
    make: CDBMake,
    replacement: Replacement,
}

/// A database that is written and safe on the disk, but not in place yet.
#[derive(Debug)]
pub struct Finished {
    replacement: Replacement,
}

impl Writer {
    /// Begins a database in the file `aside` (mode 0644 less the umask), which must be on the file
    /// system of the file to replace.
    ///
    /// What a crashed run left there is overwritten; a symbolic link is not followed (`ELOOP`), and
    /// a file that another run is writing is left alone (`EAGAIN`).
    pub fn create(aside: &Path) -> io::Result<Writer> {
        let replacement = Replacement::exclusive(aside, 0o644)?;
        let make = CDBMake::new(replacement.file().try_clone()?)?;
        Ok(Writer { make, replacement })
    }

    /// Adds a record. `ENOMEM` when the file would grow beyond 4 GiB.
    pub fn add(&mut self, key: &[u8], data: &[u8]) -> io::Result<()> {
        self.make.add(key, data).map_err(too_big)
    }

    /// Writes the hash tables and waits until all is on the disk.
    pub fn finish(self) -> io::Result<Finished> {
        let Writer { make, replacement } = self;
        make.finish().map_err(too_big)?;
        replacement.file().sync_all()?;
        Ok(Finished { replacement })
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("replacement", &self.replacement).finish_non_exhaustive()
    }
}

impl Finished {
    /// Puts the database in place at `path`, durably.
    pub fn commit(self, path: &Path) -> io::Result<()> {
        self.replacement.rename(path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => file::sync_directory(parent),
            _ => file::sync_directory(&PathBuf::from(".")),
        }
    }
}

/// The crate's own errors are all about the size; the original says "out of memory" then.
fn too_big(error: io::Error) -> io::Error {
    if error.raw_os_error().is_none() && error.kind() == io::ErrorKind::Other {
        Errno::ENOMEM.into()
    } else {
        error
    }
}
