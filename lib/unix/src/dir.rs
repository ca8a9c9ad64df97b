//! Operations relative to an open directory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::UnlinkatFlags;

/// An open directory; names are looked up in it wherever it has been moved to.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Opens `path`; follows a symbolic link.
    pub fn open(path: &Path) -> io::Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Dir(nix::fcntl::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory in this one.
    pub fn open_dir(&self, name: &Path) -> io::Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Dir(nix::fcntl::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens a file for reading.
    pub fn open_file(&self, name: &Path) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDONLY, 0)
    }

    /// Creates a file that must not exist yet, for writing.
    pub fn create_new(&self, name: &Path, mode: u32) -> io::Result<File> {
        self.open_with(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, mode)
    }

    /// Opens with flags of open(2); always closed on exec.
    pub fn open_with(&self, name: &Path, flags: OFlag, mode: u32) -> io::Result<File> {
        let mode = Mode::from_bits_truncate(mode);
        Ok(nix::fcntl::openat(&self.0, name, flags | OFlag::O_CLOEXEC, mode)?.into())
    }

    /// Makes a directory.
    pub fn make_dir(&self, name: &Path, mode: u32) -> io::Result<()> {
        Ok(nix::sys::stat::mkdirat(&self.0, name, Mode::from_bits_truncate(mode))?)
    }

    /// Gives the file `old` here a second name, `new` in `to`.
    pub fn link(&self, old: &Path, to: &Dir, new: &Path) -> io::Result<()> {
        Ok(nix::unistd::linkat(&self.0, old, &to.0, new, AtFlags::empty())?)
    }

    /// Renames `old` here to `new` in `to`, replacing what is there.
    pub fn rename(&self, old: &Path, to: &Dir, new: &Path) -> io::Result<()> {
        Ok(nix::fcntl::renameat(&self.0, old, &to.0, new)?)
    }

    /// Removes a name that is not a directory.
    pub fn unlink(&self, name: &Path) -> io::Result<()> {
        Ok(nix::unistd::unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// What is there, following a symbolic link.
    pub fn stat(&self, name: &Path) -> io::Result<FileStat> {
        Ok(nix::sys::stat::fstatat(&self.0, name, AtFlags::empty())?)
    }

    /// Makes the names in this directory durable.
    pub fn sync(&self) -> io::Result<()> {
        Ok(nix::unistd::fsync(&self.0)?)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Changes the working directory to an open one.
pub fn change_to(dir: &Dir) -> io::Result<()> {
    Ok(nix::unistd::fchdir(&dir.0)?)
}
