//! Appending to an mbox: lock, write, sync, or leave it as it was. Source: mbox(5).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use queue::disk::{Disk, Queue};
use unix::dir::Dir;
use unix::errno::{self, Errno};
use unix::file;

use crate::local::mbox::Quoting;
use crate::message::Message;

/// How long another may hold the file, in seconds.
const PATIENCE: u32 = 30;
/// How often another file may have taken its place.
const ATTEMPTS: u32 = 5;
/// What is gathered before it is written.
const ENOUGH: usize = 64 * 1024;

/// Why a message was not appended. It can be tried again.
#[derive(Debug)]
pub enum Trouble {
    /// Another holds the file.
    Locked,
    /// The file could not be opened.
    Open(io::Error),
    /// The message could not be read.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
}

impl Trouble {
    /// The text of the report about the file `name`.
    #[must_use]
    pub fn text(&self, name: &[u8]) -> Vec<u8> {
        let words = |error: &io::Error| errno::classic(errno::of(error)).as_bytes();
        match self {
            Trouble::Locked => b"File has been locked for 30 seconds straight. (#4.3.0)".to_vec(),
            Trouble::Open(error) => {
                [b"Unable to open ", name, b": ", words(error), b". (#4.2.1)"].concat()
            }
            Trouble::Read(error) => {
                [b"Unable to read message: ", words(error), b". (#4.3.0)"].concat()
            }
            Trouble::Write(error) => {
                [b"Unable to write ", name, b": ", words(error), b". (#4.3.0)"].concat()
            }
        }
    }
}

/// Appends `head`, which begins with the `From ` line, and `message` to the mbox at `path`, durably;
/// creates the file if need be.
///
/// If that fails, the file is as it was. Where no lock is to be had (some file systems have none), the
/// message is appended without one, and a part of it may be left behind a failure.
pub fn append(path: &Path, head: &[&[u8]], message: &mut Message) -> Result<(), Trouble> {
    let (mut file, is_locked) = open(path)?;
    let end = file.metadata().map_err(Trouble::Write)?.len();
    // Behind a symbolic link it is another directory's name.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut disk = Queue::of(Dir::base_at(Path::new(".")).map_err(Trouble::Write)?, 0o600);
    let mbox = Mbox { directory: path.parent().unwrap_or(Path::new(".")), end, is_locked };
    let is_open_line = end > 0 && !ends_a_line(&path, end);
    append_on(&mut disk, &mut file, &mbox, is_open_line, head, message)
}

/// True if another holds the mbox at `path` just now, so that [`append`] would have to wait.
#[must_use]
pub fn is_held(path: &Path) -> bool {
    let held =
        |file: &File| file::try_lock(file).is_err_and(|error| errno::of(&error) == Errno::EAGAIN);
    file::open_read(path).is_ok_and(|file| held(&file))
}

/// An mbox that is open for appending.
#[derive(Clone, Copy, Debug)]
pub struct Mbox<'a> {
    /// The directory that holds its name.
    pub directory: &'a Path,
    /// How many bytes it has.
    pub end: u64,
    /// False if others may append meanwhile, so that it cannot be cut off after a failure.
    pub is_locked: bool,
}

/// The steps of [`append`] over a disk. `is_open_line`: the file ends within a line, which a power cut
/// has torn; it is ended first, or the message would be a part of it.
///
/// The name of an empty file is made durable before there is anything in it: it may be new. So what
/// is appended to any other needs no name.
pub fn append_on<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    mbox: &Mbox<'_>,
    is_open_line: bool,
    head: &[&[u8]],
    message: &mut Message,
) -> Result<(), Trouble>
where
    D::Error: Into<io::Error>,
{
    if mbox.end == 0 {
        sync_name(disk, mbox.directory).map_err(Trouble::Write)?;
    }
    let start = if is_open_line { b"\n\n".to_vec() } else { Vec::new() };
    let written = write(disk, file, start, head, message)
        .and_then(|()| disk.sync(file).map_err(|error| Trouble::Write(error.into())));
    if written.is_err() && mbox.is_locked {
        let _ = disk.truncate(file, mbox.end); // the first trouble is the one to tell
    }
    written
}

/// Opens the mbox and locks it; false if no lock is to be had.
///
/// While the lock was waited for, a reader may have put another file in its place: then that one is
/// the mbox.
fn open(path: &Path) -> Result<(File, bool), Trouble> {
    for _ in 0..ATTEMPTS {
        let file = file::open_append(path).map_err(Trouble::Open)?;
        match file::lock_within(&file, PATIENCE) {
            Err(error) if errno::of(&error) == Errno::ETIMEDOUT => return Err(Trouble::Locked),
            Err(_) => return Ok((file, false)),
            Ok(()) => {}
        }
        if file::has_name(&file, path).map_err(Trouble::Open)? {
            return Ok((file, true));
        }
    }
    Err(Trouble::Locked)
}

/// A directory that may be written to but not read cannot be synced; that is left to the system.
fn sync_name<D: Disk>(disk: &mut D, directory: &Path) -> io::Result<()>
where
    D::Error: Into<io::Error>,
{
    match disk.sync_directory(directory).map_err(Into::into) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

/// False if the last byte of the file, at `end`, is known not to be a newline.
fn ends_a_line(path: &Path, end: u64) -> bool {
    let mut last = [b'\n'];
    // What cannot be read, or is no file, is taken as it is.
    let _ = file::open_read(path).and_then(|file| file.read_exact_at(&mut last, end - 1));
    last == *b"\n"
}

fn write<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    mut out: Vec<u8>,
    head: &[&[u8]],
    message: &mut Message,
) -> Result<(), Trouble>
where
    D::Error: Into<io::Error>,
{
    let mut put = |out: &[u8]| disk.write(file, out).map_err(|error| Trouble::Write(error.into()));
    message.restart();
    let mut quoting = Quoting::default();
    out.extend(head.concat());
    loop {
        let block = message.block().map_err(Trouble::Read)?;
        if block.is_empty() {
            break;
        }
        quoting.push(&mut out, block);
        if out.len() >= ENOUGH {
            put(&out)?;
            out.clear();
        }
    }
    quoting.finish(&mut out);
    put(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::message;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    const HEAD: [&[u8]; 2] = [b"From me date\n", b"Delivered-To: you\n"];

    #[test]
    fn messages_follow_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Mailbox");
        append(&path, &HEAD, &mut message(b"\nFrom x\nend")).unwrap();
        append(&path, &HEAD, &mut message(b"")).unwrap();
        let expected = "From me date\nDelivered-To: you\n\n>From x\nend\n\n\
                        From me date\nDelivered-To: you\n\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_large_message_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Mailbox");
        let body = b"From the beginning\n".repeat(20_000);
        append(&path, &HEAD, &mut message(&body)).unwrap();
        let body = b">From the beginning\n".repeat(20_000);
        assert!(fs::read(&path).unwrap() == [&HEAD.concat(), &body[..], b"\n"].concat());
    }

    #[test]
    fn after_a_failure_the_file_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Mailbox");
        fs::write(&path, "before\n").unwrap();
        let (pipe, _write) = unix::fd::pipe().unwrap();
        let trouble = append(&path, &HEAD, &mut Message::new(pipe.into())).unwrap_err();
        assert_eq!(
            trouble.text(b"Mailbox"),
            b"Unable to read message: unseekable descriptor. (#4.3.0)"
        );
        assert_eq!(fs::read(&path).unwrap(), b"before\n");
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let trouble = append(dir.path(), &HEAD, &mut message(b"")).unwrap_err();
        assert_eq!(trouble.text(b"./x"), b"Unable to open ./x: is a directory. (#4.2.1)");
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Mailbox");
        fs::write(&path, "From a b\n\ntor").unwrap();
        append(&path, &HEAD, &mut message(b"x\n")).unwrap();
        let expected = "From a b\n\ntor\n\nFrom me date\nDelivered-To: you\nx\n\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    /// As a reader does that writes the mbox anew: it holds the lock of the old file meanwhile.
    #[test]
    fn a_file_that_was_put_in_its_place_meanwhile_gets_the_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Mailbox");
        fs::write(&path, "old\n").unwrap();
        let old = File::open(&path).unwrap();
        file::lock(&old).unwrap();
        let inode = old.metadata().unwrap().ino();
        let waits = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|line| line.contains("->") && line.contains(&format!(":{inode} ")))
        };
        std::thread::scope(|scope| {
            let appending = scope.spawn(|| append(&path, &HEAD, &mut message(b"")));
            let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
            while !waits() {
                assert!(std::time::Instant::now() < deadline, "it does not wait for the lock");
                std::thread::yield_now();
            }
            fs::write(dir.path().join("new"), "new\n").unwrap();
            fs::rename(dir.path().join("new"), &path).unwrap();
            drop(old);
            appending.join().unwrap().unwrap();
        });
        let expected = "new\nFrom me date\nDelivered-To: you\n\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}
