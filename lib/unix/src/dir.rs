//! Operations relative to an open directory.
#![expect(unsafe_code, reason = "renameat2(2) has no safe wrapper for every C library")]

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat};
use nix::unistd::UnlinkatFlags;

const BASE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// An open directory; names are looked up in it wherever it has been moved to.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Opens `path`; follows a symbolic link.
    pub fn open(path: &Path) -> io::Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Dir(nix::fcntl::openat(AT_FDCWD, path, flags, Mode::empty())?))
    }

    /// Opens a directory in this one.
    pub fn open_dir(&self, name: &Path) -> io::Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Dir(nix::fcntl::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens a directory in this one to look up names in: neither it nor `self` need be readable, and
    /// it can be neither listed nor synced.
    pub fn base(&self, name: &Path) -> io::Result<Dir> {
        Ok(Dir(nix::fcntl::openat(&self.0, name, BASE, Mode::empty())?))
    }

    /// As [`Dir::base`], for a path from the working directory.
    pub fn base_at(path: &Path) -> io::Result<Dir> {
        // musl's open(2) sets close-on-exec once more, by a call of its own.
        Ok(Dir(nix::fcntl::openat(AT_FDCWD, path, BASE, Mode::empty())?))
    }

    /// The names in the directory `name` of this one, `.` and `..` left out; `.` is this one itself.
    pub fn entries(&self, name: &Path) -> io::Result<Entries> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = nix::dir::Dir::openat(&self.0, name, flags, Mode::empty())?;
        Ok(Entries(dir.into_iter()))
    }

    /// The names in this directory that are not themselves directories.
    pub fn files(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = nix::dir::Dir::openat(&self.0, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in dir {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let is_directory = match entry.file_type() {
                Some(kind) => kind == nix::dir::Type::Directory,
                // A file system that keeps no types among the names.
                None => self.stat(Path::new(name)).is_ok_and(|stat| {
                    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
                }),
            };
            if !is_directory {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Opens an existing file for writing, without waiting: a fifo that nobody reads gives `ENXIO`.
    pub fn open_to_write(&self, name: &Path) -> io::Result<File> {
        self.open_with(name, OFlag::O_WRONLY | OFlag::O_NONBLOCK, 0)
    }

    /// Opens the reading end of a fifo, without waiting for a writer; reads do not wait either.
    pub fn open_fifo(&self, name: &Path) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0)
    }

    /// Opens a file for reading.
    pub fn open_file(&self, name: &Path) -> io::Result<File> {
        self.open_with(name, OFlag::O_RDONLY, 0)
    }

    /// Opens a file for appending, created with `mode` (less the umask) if it is not there.
    pub fn open_append(&self, name: &Path, mode: u32) -> io::Result<File> {
        self.open_with(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND, mode)
    }

    /// Opens a file for writing, emptied, or created with `mode` (less the umask).
    pub fn create(&self, name: &Path, mode: u32) -> io::Result<File> {
        self.open_with(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC, mode)
    }

    /// Gives a file a mode.
    pub fn set_mode(&self, name: &Path, mode: u32) -> io::Result<()> {
        let mode = Mode::from_bits_truncate(mode);
        Ok(fchmodat(&self.0, name, mode, FchmodatFlags::FollowSymlink)?)
    }

    /// Creates a file that must not exist yet, for appending.
    pub fn append_new(&self, name: &Path, mode: u32) -> io::Result<File> {
        self.open_with(
            name,
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_APPEND,
            mode,
        )
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

    /// Renames `old` here to `new` here, unless there is something (`EEXIST`).
    pub fn rename_new(&self, old: &Path, new: &Path) -> io::Result<()> {
        let from = CString::new(old.as_os_str().as_bytes())?;
        let to = CString::new(new.as_os_str().as_bytes())?;
        let dir = self.0.as_raw_fd();
        // SAFETY: both names end with a zero byte and outlive the call.
        let result = unsafe {
            let flags = libc::RENAME_NOREPLACE;
            libc::syscall(libc::SYS_renameat2, dir, from.as_ptr(), dir, to.as_ptr(), flags)
        };
        match if result < 0 { Err(Errno::last()) } else { Ok(()) } {
            // A kernel or a file system that cannot look and rename in one step.
            Err(Errno::ENOSYS | Errno::EINVAL) => match self.stat(new) {
                Ok(_) => Err(Errno::EEXIST.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.rename(old, self, new)
                }
                Err(error) => Err(error),
            },
            result => Ok(result?),
        }
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

/// The names in a directory, in no order.
#[derive(Debug)]
pub struct Entries(nix::dir::OwningIter);

impl Iterator for Entries {
    type Item = io::Result<OsString>;

    fn next(&mut self) -> Option<io::Result<OsString>> {
        loop {
            match self.0.next()? {
                Err(error) => return Some(Err(error.into())),
                Ok(entry) if [&b"."[..], b".."].contains(&entry.file_name().to_bytes()) => {}
                Ok(entry) => {
                    return Some(Ok(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()));
                }
            }
        }
    }
}

/// Changes the working directory to an open one.
pub fn change_to(dir: &Dir) -> io::Result<()> {
    Ok(nix::unistd::fchdir(&dir.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_base_finds_names_and_lists_directories() {
        let path = std::env::temp_dir().join(format!("unix-dir-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let base = Dir::base_at(&path).unwrap();
        base.make_dir(Path::new("sub"), 0o700).unwrap();
        let sub = base.base(Path::new("sub")).unwrap();
        sub.create_new(Path::new("a"), 0o600).unwrap().write_all(b"x").unwrap();
        sub.link(Path::new("a"), &base, Path::new("b")).unwrap();
        let mut text = String::new();
        base.open_file(Path::new("b")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        let mut names: Vec<_> = base.entries(Path::new(".")).unwrap().map(Result::unwrap).collect();
        names.sort();
        assert_eq!(names, ["b", "sub"]);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_new_name_takes_the_place_of_nothing() {
        let path = std::env::temp_dir().join(format!("unix-rename-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let dir = Dir::open(&path).unwrap();
        let [a, b] = ["a", "b"].map(Path::new);
        dir.append_new(a, 0o600).unwrap();
        dir.rename_new(a, b).unwrap();
        dir.append_new(a, 0o600).unwrap();
        let error = dir.append_new(b, 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let error = dir.rename_new(a, b).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(dir.rename_new(Path::new("c"), b).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn files_are_what_is_no_directory() {
        let path = std::env::temp_dir().join(format!("unix-files-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let dir = Dir::open(&path).unwrap();
        dir.make_dir(Path::new("sub"), 0o700).unwrap();
        dir.open_append(Path::new("file"), 0o600).unwrap().write_all(b"one").unwrap();
        dir.open_append(Path::new("file"), 0o600).unwrap().write_all(b"two").unwrap();
        dir.set_mode(Path::new("file"), 0o744).unwrap();
        assert_eq!(dir.files().unwrap(), ["file"]);
        let stat = dir.stat(Path::new("file")).unwrap();
        assert_eq!((stat.st_mode & 0o777, stat.st_size), (0o744, 6));
        dir.create(Path::new("file"), 0o600).unwrap();
        assert_eq!(dir.stat(Path::new("file")).unwrap().st_size, 0);
        std::fs::remove_dir_all(&path).unwrap();
    }
}
