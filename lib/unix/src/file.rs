//! Files: open and read with few calls, lock, sync, which version of one it is, and `Replacement`: write aside, sync, rename.
#![expect(unsafe_code, reason = "sync_file_range(2) and statx(2) have no safe wrapper")]

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use crate::clock::{self, Wall};
use crate::signal::{self, Signal};

/// A file changed so short a time before it is looked at (seconds) may change again without a new time
/// stamp.
const SETTLED: i64 = 2;

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// The version that was looked at.
    #[must_use]
    pub fn of(data: &Metadata) -> Version {
        Version {
            device: data.dev(),
            inode: data.ino(),
            size: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }

    /// True if a change from now on is sure to show.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        clock::wall().seconds.saturating_sub(self.changed.0) >= SETTLED
    }
}

/// Opens `path` for reading; a fifo there is not waited for.
pub fn open_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Opens `path` for reading, in one system call; a fifo there is waited for.
pub fn open_file(path: &Path) -> io::Result<File> {
    loop {
        // Not open(2), behind which musl has another call for what is to be closed on exec.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        match nix::fcntl::openat(AT_FDCWD, path, flags, Mode::empty()) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?.into()),
        }
    }
}

/// All that is left of a file, which is expected to be short: nobody asks for its size first.
pub fn read_short(file: &mut File) -> io::Result<Vec<u8>> {
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(text),
            Ok(length) => text.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if text.len() > 2 * piece.len() {
            file.read_to_end(&mut text)?;
            return Ok(text);
        }
    }
}

/// Opens `path` for appending, created with mode 0600 (less the umask) if it is not there; a fifo
/// that nobody reads is not waited for.
pub fn open_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Opens the terminal `path` for appending: it does not become this process's own, and one that is stopped
/// is not waited for (`EAGAIN`).
pub fn open_terminal(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)
}

/// Opens `path` for writing in place, created with mode 0600 (less the umask) if it is not there; a fifo
/// that nobody reads is not waited for.
pub fn open_write(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600).custom_flags(libc::O_NONBLOCK);
    options.truncate(false).open(path)
}

/// Whether this process may execute `path`: no directory, and there.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    // Nearly always it is not there at all, and one question is enough.
    access(path, AccessFlags::X_OK).is_ok() && path.is_file()
}

/// Waits for the exclusive lock (flock) on `file`; held as long as the open file is.
pub fn lock(file: &File) -> io::Result<()> {
    file.lock()
}

/// The exclusive lock (flock) on `file`, or at once `EAGAIN` if another holds it.
pub fn try_lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => error,
        TryLockError::WouldBlock => io::Error::from_raw_os_error(libc::EAGAIN),
    })
}

/// The exclusive lock (flock) on `file`, waited for at most `seconds`: then `ETIMEDOUT`. Uses SIGALRM.
pub fn lock_within(file: &File, seconds: u32) -> io::Result<()> {
    match try_lock(file) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        other => return other,
    }
    let deadline = Instant::now() + Duration::from_secs(seconds.into());
    signal::interrupt_on_alarm()?;
    signal::alarm(seconds);
    let locked = loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                if Instant::now() >= deadline {
                    break Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
                }
            }
            other => break other,
        }
    };
    signal::alarm(0);
    signal::default(Signal::SIGALRM)?;
    locked
}

/// Whether `path` is a name of the open `file`: another may have taken its place meanwhile.
pub fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the name `path` durable.
///
/// A directory that may be written to but not read cannot be synced; that is left to the system.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match File::open(parent.unwrap_or(Path::new("."))) {
        Ok(directory) => directory.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in directory `path` durable.
///
/// On Linux a link, rename or unlink may be undone by a power cut until this has returned.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// When the file was made; `None` where the file system does not keep that.
#[must_use]
pub fn birth(fd: impl AsFd) -> Option<Wall> {
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the name is empty and ends with a zero byte; the kernel writes no more than a statx.
    let result = unsafe {
        let (name, place) = (c"".as_ptr(), found.as_mut_ptr());
        let (flags, mask) = (libc::AT_EMPTY_PATH, libc::STATX_BTIME);
        libc::syscall(libc::SYS_statx, fd, name, flags, mask, place)
    };
    if result < 0 {
        return None;
    }
    // SAFETY: any bytes are a statx, and these were zero before the kernel wrote to them.
    let found = unsafe { found.assume_init() };
    let born = found.stx_btime;
    (found.stx_mask & libc::STATX_BTIME != 0)
        .then_some(Wall { seconds: born.tv_sec, nanos: born.tv_nsec })
}

/// Starts writing `fd`'s dirty pages to the disk without waiting, so that several files that are
/// synced next wait together. Only speed depends on it, so an error does not matter.
pub fn start_writing(fd: impl AsFd) {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: a system call without pointers.
    unsafe { libc::sync_file_range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// A new version of a file, written under another name and put in place whole.
///
/// Readers see the old contents or the new, never a part; after [`Replacement::commit`] the new
/// contents survive a power cut. Dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    aside: Option<PathBuf>,
}

impl Replacement {
    /// Creates (or truncates) `aside` with `mode` less the umask. It must be on the file system of the
    /// file to replace.
    pub fn create(aside: &Path, mode: u32) -> io::Result<Replacement> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(aside)?;
        Ok(Replacement { file, aside: Some(aside.to_owned()) })
    }

    /// As [`Replacement::create`] for a name that others know: a symbolic link there is not followed
    /// (`ELOOP`), and a file that another replacement is writing is left alone (`EAGAIN`).
    pub fn exclusive(aside: &Path, mode: u32) -> io::Result<Replacement> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(mode)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(aside)?;
        try_lock(&file)?;
        // Between open and lock its writer may have moved it to its place.
        let (ours, named) = (file.metadata()?, std::fs::symlink_metadata(aside)?);
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) || !ours.is_file() {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        file.set_len(0)?;
        Ok(Replacement { file, aside: Some(aside.to_owned()) })
    }

    /// The file being written.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Syncs, renames to `path`, and syncs the directory.
    pub fn commit(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        self.rename(path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
            _ => sync_directory(Path::new(".")),
        }
    }

    /// Renames to `path` without any sync: for state that need not survive a power cut.
    pub fn rename(mut self, path: &Path) -> io::Result<()> {
        match &self.aside {
            Some(aside) => std::fs::rename(aside, path)?,
            None => return Ok(()),
        }
        self.aside = None;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(aside) = &self.aside {
            let _ = std::fs::remove_file(aside); // nobody can be told, and the file is nobody's
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_length_are_read_whole() {
        let path = std::env::temp_dir().join(format!("unix-short-{}", std::process::id()));
        assert_eq!(open_file(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for length in [0, 1, 4095, 4096, 4097, 12_288, 12_289, 1_000_000] {
            let text: Vec<u8> = (0..=255).cycle().take(length).collect();
            std::fs::write(&path, &text).unwrap();
            assert!(read_short(&mut open_file(&path).unwrap()).unwrap() == text, "{length}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read_short(&mut open_file(&std::env::temp_dir()).unwrap()).is_err());
    }

    #[test]
    fn a_replacement_shows_whole_or_not_at_all() {
        let dir = std::env::temp_dir().join(format!("unix-file-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let (path, aside) = (dir.join("file"), dir.join("file.tmp"));

        let mut first = Replacement::create(&aside, 0o644).unwrap();
        first.write_all(b"one").unwrap();
        assert!(!path.exists());
        first.commit(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");

        let mut second = Replacement::create(&aside, 0o644).unwrap();
        second.write_all(b"two").unwrap();
        drop(second);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert!(!aside.exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn an_exclusive_replacement_is_made_once() {
        let dir = std::env::temp_dir().join(format!("unix-exclusive-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let (aside, link) = (dir.join("tmp"), dir.join("link"));
        std::fs::write(&aside, "left by a crash").unwrap();
        let first = Replacement::exclusive(&aside, 0o644).unwrap();
        let error = |path| Replacement::exclusive(path, 0o644).unwrap_err().raw_os_error();
        assert_eq!(error(&aside), Some(libc::EAGAIN));
        std::os::unix::fs::symlink(&aside, &link).unwrap();
        assert_eq!(error(&link), Some(libc::ELOOP));
        first.commit(&dir.join("file")).unwrap();
        assert_eq!(std::fs::read(dir.join("file")).unwrap(), b"");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_name_may_have_gone_over_to_another_file() {
        let dir = std::env::temp_dir().join(format!("unix-name-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let (path, other) = (dir.join("file"), dir.join("other"));
        let file = File::create(&path).unwrap();
        assert!(has_name(&file, &path).unwrap());
        File::create(&other).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(!has_name(&file, &path).unwrap());
        assert!(!has_name(&file, &other).unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_was_made_just_now() {
        let path = std::env::temp_dir().join(format!("unix-birth-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        let now = crate::clock::wall();
        // A file's times are taken from a coarser clock.
        let born = birth(&file).unwrap_or(now);
        assert!((now.seconds - 2..=now.seconds + 2).contains(&born.seconds), "{born:?} {now:?}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_may_be_executed_is_a_file_with_that_permission() {
        assert!(is_executable(Path::new("/bin/sh")));
        for path in ["/bin", "/etc/passwd", "/nonexistent"] {
            assert!(!is_executable(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let path = std::env::temp_dir().join(format!("unix-lock-{}", std::process::id()));
        let first = File::create(&path).unwrap();
        let second = File::create(&path).unwrap();
        lock(&first).unwrap();
        assert_eq!(try_lock(&second).unwrap_err().raw_os_error(), Some(libc::EAGAIN));
        drop(first);
        // One that is held cannot be tried here: the alarm would reach another thread.
        lock_within(&second, 1).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
