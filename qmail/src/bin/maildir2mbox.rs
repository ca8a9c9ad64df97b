//! maildir2mbox — move the messages of a maildir to an mbox.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use qmail::inbox;
use qmail::local::mbox::{Quoting, from_line};
use qmail::message::{CopyError, Message};
use unix::file::{self, Replacement};
use unix::{clock, process};

const MAILDIR2MBOX: Program = Program::new("maildir2mbox", "");

/// What is gathered before it is written.
const ENOUGH: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(MAILDIR2MBOX, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    process::umask(0o077);
    let (mbox, aside) = (inbox::variable("MAIL")?, inbox::variable("MAILTMP")?);
    inbox::enter(&inbox::variable("MAILDIR")?)?;
    let now = clock::wall().seconds;
    inbox::clean(now);
    // More may yet come with the time that it is now, so those wait: they could be older.
    let messages = inbox::messages(&["new", "cur"], now)?;
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
