//! Appending to an mbox: lock, write, sync, or leave it as it was. Source: mbox(5).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use unix::errno::{self, Errno};
use unix::file;

use crate::local::mbox::Quoting;
use crate::message::Message;

/// How long another may hold the file, in seconds.
const PATIENCE: u32 = 30;
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
    let mut file = file::open_append(path).map_err(Trouble::Open)?;
    let is_locked = match file::lock_within(&file, PATIENCE) {
        Err(error) if errno::of(&error) == Errno::ETIMEDOUT => return Err(Trouble::Locked),
        locked => locked.is_ok(),
    };
    let end = file.metadata().map_err(Trouble::Write)?.len();
    let written = write(&mut file, head, message)
        .and_then(|()| sync(path, &file, end).map_err(Trouble::Write));
    if written.is_err() && is_locked {
        let _ = file.set_len(end); // the first trouble is the one to tell
    }
    written
}

fn write(file: &mut File, head: &[&[u8]], message: &mut Message) -> Result<(), Trouble> {
    message.restart();
    let mut quoting = Quoting::default();
    let mut out = head.concat();
    loop {
        let block = message.block().map_err(Trouble::Read)?;
        if block.is_empty() {
            break;
        }
        quoting.push(&mut out, block);
        if out.len() >= ENOUGH {
            file.write_all(&out).map_err(Trouble::Write)?;
            out.clear();
        }
    }
    quoting.finish(&mut out);
    file.write_all(&out).map_err(Trouble::Write)
}

/// Makes the bytes durable, and the name too if the file was empty: it may be new.
fn sync(path: &Path, file: &File, end: u64) -> io::Result<()> {
    file.sync_all()?;
    if end == 0 {
        // Behind a symbolic link it is another directory's name.
        file::sync_name(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn message(bytes: &[u8]) -> Message {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Message::new(file)
    }

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
}
