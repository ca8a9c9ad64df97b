//! qmail-qread — list the messages in the queue, and who is to get them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Write};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::listing::{self, Heading, State, fatal};
use queue::home::Home;
use queue::path::{Area, MessageId};
use queue::record::{Reader, Record, Trouble};
use queue::walk;
use unix::dir::Dir;
use unix::errno::{self, Errno, classic};

const QMAIL_QREAD: Program = Program::new("qmail-qread", "");

/// What is gathered before it is written.
const ENOUGH: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(QMAIL_QREAD, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let queue = Dir::base_at(&Home::find().queue());
    let mut listing = Listing {
        queue: queue.map_err(|error| fatal("unable to chdir", &error))?,
        out: Vec::with_capacity(2 * ENOUGH),
    };
    // First those that are about to move: no message is missed, and none is told twice.
    let unprocessed: BTreeSet<MessageId> = listing.messages(Area::Todo)?.into_iter().collect();
    let processed = listing.messages(Area::Info)?;
    for id in processed.into_iter().filter(|id| !unprocessed.contains(id)) {
        let told = listing.processed(id);
        listing.end(id, told)?;
    }
    for id in unprocessed {
        let told = match listing.unprocessed(id) {
            Err(error) if error.kind() == ErrorKind::NotFound => listing.processed(id),
            told => told,
        };
        listing.end(id, told)?;
    }
    listing.flush()?;
    Ok(Exit::OK)
}

/// The queue, and what is to be said of it.
struct Listing {
    queue: Dir,
    out: Vec<u8>,
}

impl Listing {
    /// The messages in an area, directory by directory.
    fn messages(&mut self, area: Area) -> Result<Vec<MessageId>, Fatal> {
        let mut found = Vec::new();
        for name in area.directories() {
            let failed = |error| fatal(("unable to opendir ", name.as_path()), &error);
            for id in walk::directory(&self.queue, &name).map_err(failed)? {
                found.push(id.map_err(failed)?);
            }
        }
        Ok(found)
    }

    /// A message that qmail-send delivers.
    fn processed(&mut self, id: MessageId) -> io::Result<()> {
        let size = self.size(id)?;
        let info = self.queue.open_file(Area::Info.of(id).as_path())?;
        let birth = seconds(&info)?;
        let mut records = Reader::new(BufReader::new(info));
        let Some((_, Record::Sender(sender))) = records.read().map_err(cause)? else {
            return Err(Errno::EPROTO.into());
        };
        let is_bouncing = self.queue.stat(Area::Bounce.of(id).as_path()).is_ok();
        let state = if is_bouncing { State::Bouncing } else { State::Underway };
        Heading { birth, id, size, sender, state }.push(&mut self.out);
        for area in [Area::Local, Area::Remote] {
            match self.queue.open_file(area.of(id).as_path()) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                file => self.recipients(file?, area.directory())?,
            }
        }
        Ok(())
    }

    /// A message that qmail-send has not looked at.
    fn unprocessed(&mut self, id: MessageId) -> io::Result<()> {
        let size = self.size(id)?;
        let todo = self.queue.open_file(Area::Todo.of(id).as_path())?;
        let birth = seconds(&todo)?;
        let mut records = Reader::new(BufReader::with_capacity(ENOUGH, todo));
        while let Some((_, record)) = records.read().map_err(cause)? {
            match record {
                Record::Sender(sender) => {
                    let state = State::Unprocessed;
                    Heading { birth, id, size, sender, state }.push(&mut self.out);
                }
                Record::Recipient(address) => {
                    listing::push_recipient(&mut self.out, "todo", address, false);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn recipients(&mut self, file: File, channel: &str) -> io::Result<()> {
        let mut records = Reader::new(BufReader::with_capacity(ENOUGH, file));
        while let Some((_, record)) = records.read().map_err(cause)? {
            match record {
                Record::Done(who) => listing::push_recipient(&mut self.out, channel, who, true),
                Record::Recipient(who) => {
                    listing::push_recipient(&mut self.out, channel, who, false);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn size(&self, id: MessageId) -> io::Result<u64> {
        let size = self.queue.stat(Area::Mess.of(id).as_path())?.st_size;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    /// Says what the trouble with a message was, and writes if there is enough.
    fn end(&mut self, id: MessageId, told: io::Result<()>) -> Result<(), Fatal> {
        if let Err(error) = told {
            let words = classic(errno::of(&error));
            // Into memory: cannot fail.
            let _ = writeln!(self.out, "warning: trouble with #{id}: {words}");
        }
        if self.out.len() >= ENOUGH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Fatal> {
        let written = unix::fd::stdout().write_all(&self.out);
        self.out.clear();
        written.map_err(|error| Fatal::because("unable to write output", error))
    }
}

/// When a file was last changed, in seconds since 1970.
fn seconds(file: &File) -> io::Result<i64> {
    Ok(std::os::unix::fs::MetadataExt::mtime(&file.metadata()?))
}

fn cause(trouble: Trouble) -> io::Error {
    match trouble {
        Trouble::Read(error) => error,
        Trouble::Unknown => Errno::EPROTO.into(),
    }
}
