//! Maildirs: unique names, tmp → new. Source: maildir(5).

pub mod batch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use queue::disk::{Disk, Files};
use unix::clock::{self, Wall};
use unix::dir::Dir;
use unix::errno::{self, Errno};
use unix::process;
use wire::decimal;

use crate::message::{CopyError, Message};

/// A delivery that takes longer has failed: readers remove what has lain in tmp/ for 36 hours.
const LIMIT: Duration = Duration::from_hours(24);
/// The mode of a message, less the umask.
const MODE: u32 = 0o600;
/// What the next sequence of names begins behind.
static STARTED: AtomicU64 = AtomicU64::new(0);
/// Names to try before the delivery has failed.
const ATTEMPTS: u32 = 3;

/// Why a message was not delivered. It can be tried again.
#[derive(Debug)]
pub enum Trouble {
    /// There is no such directory, or it may not be entered.
    Missing(io::Error),
    /// The message could not be read.
    Read(io::Error),
    /// It took a day.
    Timeout,
    /// Anything else.
    Other(io::Error),
}

impl Trouble {
    /// The text of the report.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Trouble::Missing(_) => "Unable to chdir to maildir. (#4.2.1)",
            Trouble::Other(_) => "Temporary error on maildir delivery. (#4.3.0)",
            Trouble::Read(_) => "Unable to read message. (#4.3.0)",
            Trouble::Timeout => "Timeout on maildir delivery. (#4.3.0)",
        }
    }
}

/// The names that this process gives to messages.
#[derive(Debug)]
pub struct Names {
    host: Vec<u8>,
    pid: u64,
    sequence: u64,
}

impl Default for Names {
    fn default() -> Names {
        let names = Names::new(&process::host_name(), process::id().as_raw().unsigned_abs().into());
        // Two of them in a process have no sequence in common.
        Names { sequence: STARTED.fetch_add(1 << 20, Ordering::Relaxed), ..names }
    }
}

impl Names {
    /// The names of a process on the machine called `host`.
    #[must_use]
    pub fn new(host: &[u8], pid: u64) -> Names {
        let mut safe = Vec::with_capacity(host.len());
        for &byte in host {
            match byte {
                b'/' => safe.extend_from_slice(b"\\057"),
                b':' => safe.extend_from_slice(b"\\072"),
                _ => safe.push(byte),
            }
        }
        Names { host: safe, pid, sequence: 0 }
    }

    /// A name that no message of any process has: `SECONDS.MmicrosPpidQsequence.HOST`.
    pub fn unique(&mut self, now: Wall) -> Vec<u8> {
        self.sequence += 1;
        let mut name = Vec::with_capacity(96);
        decimal::push(&mut name, now.seconds.unsigned_abs());
        for (letter, number) in
            [(&b".M"[..], u64::from(now.nanos / 1000)), (b"P", self.pid), (b"Q", self.sequence)]
        {
            name.extend_from_slice(letter);
            decimal::push(&mut name, number);
        }
        name.push(b'.');
        name.extend_from_slice(&self.host);
        name
    }

    /// Delivers `head` and `message` to the maildir at `path`, durably: when this returns, a power cut
    /// cannot lose it, and no reader ever sees a part of it.
    ///
    /// On failure nothing is left behind, as far as the disk obeys.
    pub fn deliver(
        &mut self,
        path: &Path,
        head: &[&[u8]],
        message: &mut Message,
    ) -> Result<(), Trouble> {
        self.deliver_until(clock::monotonic() + LIMIT, path, head, message)
    }

    fn deliver_until(
        &mut self,
        deadline: Instant,
        path: &Path,
        head: &[&[u8]],
        message: &mut Message,
    ) -> Result<(), Trouble> {
        let mut disk = Files::of(enter(path)?, MODE);
        self.deliver_on(&mut disk, head, message, || clock::monotonic() > deadline)
    }

    /// The same as steps over a disk whose names are relative to the maildir, until `is_late`.
    pub fn deliver_on<D: Disk>(
        &mut self,
        disk: &mut D,
        head: &[&[u8]],
        message: &mut Message,
        is_late: impl FnOnce() -> bool,
    ) -> Result<(), Trouble>
    where
        D::Error: Into<io::Error>,
    {
        let (aside, new, mut file) = self.create(disk, Path::new("")).map_err(Trouble::Other)?;
        let written = write(disk, &mut file, head, message).and_then(|()| sync(disk, &file));
        let delivered = written.and_then(|()| {
            if is_late() {
                return Err(Trouble::Timeout);
            }
            publish(disk, &aside, &new).map_err(|error| Trouble::Other(error.into()))
        });
        let _ = disk.unlink(&aside); // what stays there is for readers to remove
        delivered
    }

    /// Creates a file in tmp/ of a maildir; gives its path, and the one it is to have in new/.
    fn create<D: Disk>(
        &mut self,
        disk: &mut D,
        maildir: &Path,
    ) -> io::Result<(PathBuf, PathBuf, D::File)>
    where
        D::Error: Into<io::Error>,
    {
        use std::os::unix::ffi::OsStringExt;
        for _ in 0..ATTEMPTS {
            let name = std::ffi::OsString::from_vec(self.unique(clock::wall()));
            let aside = maildir.join("tmp").join(&name);
            match disk.create(&aside).map_err(Into::into) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => return Ok((aside, maildir.join("new").join(&name), file)),
            }
        }
        Err(Errno::EEXIST.into())
    }
}

/// The maildir at `path`.
fn enter(path: &Path) -> Result<Dir, Trouble> {
    // The dot makes it an error if the directory may not be entered.
    Dir::base_at(&path.join(".")).map_err(|error| {
        let temporary = errno::is_temporary(errno::of(&error));
        if temporary { Trouble::Other(error) } else { Trouble::Missing(error) }
    })
}

fn write<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    head: &[&[u8]],
    message: &mut Message,
) -> Result<(), Trouble>
where
    D::Error: Into<io::Error>,
{
    message.restart();
    let poured = message.pour(head, |pieces| disk.write_all_of(file, pieces).map_err(Into::into));
    poured.map_err(|error| match error {
        CopyError::Read(error) => Trouble::Read(error),
        CopyError::Write(error) => Trouble::Other(error),
    })
}

fn sync<D: Disk>(disk: &mut D, file: &D::File) -> Result<(), Trouble>
where
    D::Error: Into<io::Error>,
{
    disk.sync(file).map_err(|error| Trouble::Other(error.into()))
}

/// Gives the file its name in new/ for good: on Linux a link may be undone by a power cut until the
/// directory is synced.
fn publish<D: Disk>(disk: &mut D, aside: &Path, new: &Path) -> Result<(), D::Error> {
    disk.link(aside, new)?;
    disk.sync_directory("new")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::message;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Wall = Wall { seconds: 1_795_220_734, nanos: 12_345_678 };

    fn maildir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["tmp", "new", "cur"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        dir
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_name_holds_time_process_and_host() {
        let mut names = Names::new(b"mail.example", 42);
        assert_eq!(names.unique(NOW), b"1795220734.M12345P42Q1.mail.example");
        assert_eq!(names.unique(NOW), b"1795220734.M12345P42Q2.mail.example");
        assert_eq!(
            Names::new(b"a/b:c", 1).unique(Wall { seconds: 5, nanos: 0 }),
            b"5.M0P1Q1.a\\057b\\072c"
        );
    }

    #[test]
    fn a_message_lies_in_new_and_nothing_in_tmp() {
        let dir = maildir();
        let mut names = Names::default();
        let mut message = message(b"body\n");
        for _ in 0..2 {
            names.deliver(dir.path(), &[b"one\n", b"two\n"], &mut message).unwrap();
        }
        let new = files(&dir.path().join("new"));
        assert_eq!(new.len(), 2);
        for file in new {
            assert_eq!(std::fs::read(&file).unwrap(), b"one\ntwo\nbody\n");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(files(&dir.path().join("tmp")).is_empty());
    }

    #[test]
    fn trouble_leaves_nothing_behind() {
        let dir = maildir();
        let mut names = Names::default();
        let mut fail = |path: &Path, message: &mut Message| {
            names.deliver(path, &[b"one\n"], message).unwrap_err().text()
        };
        assert_eq!(
            fail(&dir.path().join("x"), &mut message(b"")),
            "Unable to chdir to maildir. (#4.2.1)"
        );
        let (pipe, _write) = unix::fd::pipe().unwrap();
        assert_eq!(
            fail(dir.path(), &mut Message::new(pipe.into())),
            "Unable to read message. (#4.3.0)"
        );
        std::fs::remove_dir(dir.path().join("new")).unwrap();
        assert_eq!(
            fail(dir.path(), &mut message(b"")),
            "Temporary error on maildir delivery. (#4.3.0)"
        );
        assert!(files(&dir.path().join("tmp")).is_empty());
    }

    #[test]
    fn what_takes_too_long_is_not_delivered() {
        let (dir, now) = (maildir(), clock::monotonic());
        let trouble =
            Names::default().deliver_until(now, dir.path(), &[], &mut message(b"")).unwrap_err();
        assert_eq!(trouble.text(), "Timeout on maildir delivery. (#4.3.0)");
        for part in ["tmp", "new"] {
            assert!(files(&dir.path().join(part)).is_empty());
        }
    }

    proptest! {
        #[test]
        fn names_are_names_and_no_two_are_the_same(host: Vec<u8>, pid: u32) {
            let mut names = Names::new(&host, pid.into());
            let mut seen = HashSet::new();
            for _ in 0..5 {
                let name = names.unique(NOW);
                prop_assert!(!name.contains(&b'/') && !name.contains(&b':'));
                prop_assert!(!name.starts_with(b"."));
                prop_assert!(seen.insert(name));
            }
        }
    }
}
