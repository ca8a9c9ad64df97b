//! maildir2mbox — move the messages of a maildir to an mbox.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program, env};
use qmail::local::mbox::{Quoting, from_line};
use qmail::message::{CopyError, Message};
use unix::dir::{self, Dir};
use unix::file::{self, Replacement};
use unix::{clock, process};

const MAILDIR2MBOX: Program = Program::new("maildir2mbox", "");

/// What is gathered before it is written.
const ENOUGH: usize = 64 * 1024;
/// A file in tmp/ that nobody has read for so many seconds is nobody's: 36 hours.
const ABANDONED: i64 = 129_600;

fn main() -> ExitCode {
    prog::main(MAILDIR2MBOX, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    process::umask(0o077);
    let (mbox, aside, maildir) = (variable("MAIL")?, variable("MAILTMP")?, variable("MAILDIR")?);
    let entered = Dir::base_at(&maildir).and_then(|maildir| dir::change_to(&maildir));
    entered.or_fatal(("unable to chdir to ", &maildir))?;
    let now = clock::wall().seconds;
    clean(now);
    let messages = messages(now)?;
    if messages.is_empty() {
        return Ok(Exit::OK);
    }

    // Held until the process ends.
    let _lock = lock(&mbox).or_fatal(("unable to lock ", &mbox))?;
    let old = File::open(&mbox).or_fatal(("unable to read ", &mbox))?;
    let new = Replacement::create(&aside, 0o600).or_fatal(("unable to create ", &aside))?;
    let unwritten = |error| Fatal::because(("unable to write to ", &aside), error);
    Message::new(old).copy(&[], &mut new.file()).map_err(|error| match error {
        CopyError::Read(error) => Fatal::because(("unable to read ", &mbox), error),
        CopyError::Write(error) => unwritten(error),
    })?;
    for (birth, name) in &messages {
        append(new.file(), name, *birth).map_err(|error| match error {
            CopyError::Read(error) => Fatal::because(("unable to read $MAILDIR/", name), error),
            CopyError::Write(error) => unwritten(error),
        })?;
    }
    new.file().sync_all().map_err(unwritten)?;
    new.commit(&mbox).or_fatal(("unable to move ", &aside, " to ", &mbox))?;

    for (_, name) in &messages {
        if let Err(error) = fs::remove_file(name) {
            let what = " will be delivered twice; unable to unlink";
            MAILDIR2MBOX.warning(("$MAILDIR/", name, what), error);
        }
    }
    Ok(Exit::OK)
}

/// Locks the mbox: the file that has its name once the lock is there.
fn lock(mbox: &Path) -> io::Result<File> {
    loop {
        let file = file::open_append(mbox)?;
        file::lock(&file)?;
        if file::has_name(&file, mbox)? {
            return Ok(file);
        }
    }
}

fn variable(name: &'static str) -> Result<PathBuf, Fatal> {
    let value = env::get(name).ok_or_else(|| Fatal::soft((name, " not set")))?;
    Ok(std::ffi::OsString::from_vec(value).into())
}

/// Removes what deliveries have left behind. That can wait, so errors do not matter.
fn clean(now: i64) {
    for entry in fs::read_dir("tmp").into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        let read = fs::metadata(entry.path()).map(|file| file.atime());
        if !is_hidden && read.is_ok_and(|read| now > read.saturating_add(ABANDONED)) {
            let _ = fs::remove_file(entry.path()); // as above
        }
    }
}

/// The messages and when they were delivered, the oldest first. More may yet come with the time that it is
/// now, so those wait: they could be older.
fn messages(now: i64) -> Result<Vec<(i64, PathBuf)>, Fatal> {
    let mut found = Vec::new();
    for folder in ["new", "cur"] {
        let entries = fs::read_dir(folder).or_fatal(("unable to scan $MAILDIR/", folder))?;
        for entry in entries {
            let path = entry.or_fatal(("unable to read $MAILDIR/", folder))?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
            match fs::metadata(&path) {
                Ok(file) if !is_hidden && file.mtime() < now => found.push((file.mtime(), path)),
                _ => {} // another reader may have moved it
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Appends the message in the file `name`.
fn append(mut mbox: &File, name: &Path, birth: i64) -> Result<(), CopyError> {
    let mut message = Message::new(File::open(name).map_err(CopyError::Read)?);
    let mut quoting = Quoting::default();
    let mut out = from_line(message.block().map_err(CopyError::Read)?, birth);
    message.restart();
    loop {
        let block = message.block().map_err(CopyError::Read)?;
        if block.is_empty() {
            break;
        }
        quoting.push(&mut out, block);
        if out.len() >= ENOUGH {
            mbox.write_all(&out).map_err(CopyError::Write)?;
            out.clear();
        }
    }
    quoting.finish(&mut out);
    mbox.write_all(&out).map_err(CopyError::Write)
}
