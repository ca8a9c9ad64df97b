//! What qmail-queue does, as steps over a disk, with the number of each failure.

mod envelope;
mod turn;

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use prog::{Exit, Outcome, Program};
use wire::{date, decimal};

use crate::disk::Disk;
use crate::path::{Area, MessageId, Name};
use crate::record::Record;

pub use envelope::Envelope;
pub use turn::Turn;

/// Why a message was not queued: the exit codes of qmail-queue(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An address of more than 1002 bytes.
    AddressTooLong = 11,
    /// The message or its envelope could not be written.
    Write = 53,
    /// The message or its envelope could not be read, or the envelope has no end.
    Read = 54,
    /// control/extraqueue could not be read.
    Control = 55,
    /// The home of the host cannot be reached.
    Home = 61,
    /// The queue's directory cannot be reached.
    Queue = 62,
    /// No file could be made in `pid/`.
    Pid = 63,
    /// No name could be made in `mess/`.
    Mess = 64,
    /// No file could be made in `intd/`.
    Intd = 65,
    /// No name could be made in `todo/`.
    Todo = 66,
    /// The process could not set itself up.
    Internal = 81,
    /// The envelope has a record that is neither sender nor recipient.
    Envelope = 91,
}

impl Outcome for Refusal {
    fn conclude(self, _: &Program) -> Exit {
        Exit(self as u8)
    }
}

/// Who hands the message over, and when.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// What it is called in logs: the process that queues it, see [`crate::series::number`].
    pub number: u64,
    /// The user who started that.
    pub uid: u32,
    /// What is known about that user.
    pub origin: Origin,
    /// Seconds since 1970.
    pub time: i64,
}

/// Where a message comes from, as the Received line tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The alias user.
    Alias,
    /// The queue manager.
    Bounce,
    /// The network daemons' user.
    Network,
    /// Any other.
    User,
}

impl Stamp {
    /// The line that is put before the message: `Received: (qmail 12 invoked by uid 0); DATE`.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(96);
        line.extend_from_slice(b"Received: (qmail ");
        decimal::push(&mut line, self.number);
        match self.origin {
            Origin::Alias => line.extend_from_slice(b" invoked by alias"),
            Origin::Bounce => line.extend_from_slice(b" invoked for bounce"),
            Origin::Network => line.extend_from_slice(b" invoked from network"),
            Origin::User => {
                line.extend_from_slice(b" invoked by uid ");
                decimal::push(&mut line, self.uid.into());
            }
        }
        line.extend_from_slice(b"); ");
        date::push_header(&mut line, self.time);
        line.push(b'\n');
        line
    }
}

const SIZE: usize = 64 * 1024;

/// What has been read and not written yet. Not on the heap, where it could be refused, and not on
/// the stack, where it would have to be cleared: a small message touches one page of it.
static BUFFER: Mutex<[u8; SIZE]> = Mutex::new([0; SIZE]);

/// Attempts at a name in `pid/` that nobody has.
const ATTEMPTS: u32 = 9;

/// Queues a message for good: when this returns its number, a power cut cannot lose it.
///
/// On a refusal nothing of it is left behind, as far as the disk obeys. The order of the steps is
/// argued in `doc/queue.md`.
pub fn deposit<D: Disk>(
    disk: &mut D,
    stamp: &Stamp,
    message: &mut impl Read,
    envelope: &mut impl Read,
) -> Result<MessageId, Refusal> {
    Place::make(disk, stamp)?.fill(disk, stamp, message, envelope)
}

/// The file of a message, made and empty: [`deposit`] before there is a message.
#[derive(Debug)]
pub struct Place<F> {
    id: MessageId,
    file: F,
}

impl<F> Place<F> {
    /// Makes the file (S2).
    pub fn make<D: Disk<File = F>>(disk: &mut D, stamp: &Stamp) -> Result<Place<F>, Refusal> {
        let (id, file) = create(disk, stamp)?;
        Ok(Place { id, file })
    }

    /// Does the rest of [`deposit`].
    pub fn fill<D: Disk<File = F>>(
        mut self,
        disk: &mut D,
        stamp: &Stamp,
        message: &mut impl Read,
        envelope: &mut impl Read,
    ) -> Result<MessageId, Refusal> {
        let mut buffer = BUFFER.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = buffer.as_mut_slice();
        let (id, file) = (self.id, &mut self.file);
        let mut intd = None;
        let written = (|| {
            write_message(disk, file, buffer, &stamp.received(), message)?;
            let intd = intd.insert(create_envelope(disk, id)?);
            write_envelope(disk, intd, buffer, stamp, envelope)?;

            disk.start_sync(file);
            disk.start_sync(intd);
            disk.sync_together([intd, file], &Area::Mess.of(id).parent())
                .map_err(|_| Refusal::Write)?;
            disk.link(&Area::Intd.of(id), &Area::Todo.of(id)).map_err(|_| Refusal::Todo)
        })();
        if let Err(refusal) = written {
            take_back(disk, id, file, intd.as_mut());
            return Err(refusal);
        }
        // From the link on the message is qmail-send's. If this fails it may be delivered although it
        // is refused: twice is allowed, lost is not.
        disk.sync_directory(&Area::Todo.of(id).parent()).map_err(|_| Refusal::Todo)?;
        Ok(id)
    }
}

/// S1 → S2: an empty file in `mess/`, named by its own inode number.
fn create<D: Disk>(disk: &mut D, stamp: &Stamp) -> Result<(MessageId, D::File), Refusal> {
    let scratch = |attempt| Name::scratch(stamp.number, stamp.time, attempt);
    let (name, file) = (1..=ATTEMPTS)
        .find_map(|attempt| Some((scratch(attempt), disk.create(&scratch(attempt)).ok()?)))
        .ok_or(Refusal::Pid)?;
    let linked = match disk.number(&file) {
        Err(_) => Err(Refusal::Pid),
        Ok(id) => match disk.link(&name, &Area::Mess.of(id)) {
            Err(_) => Err(Refusal::Mess),
            Ok(()) => Ok(id),
        },
    };
    // A name that stays in pid/ keeps the inode number from being used again, nothing worse;
    // qmail-clean removes it a day and a half later.
    let _ = disk.unlink(&name);
    Ok((linked?, file))
}

/// S2 → S3.
///
/// The number is this message's alone, so an envelope that is there already was left by one that
/// is gone: a power cut undid its removal, or the making of its `mess/` file.
fn create_envelope<D: Disk>(disk: &mut D, id: MessageId) -> Result<D::File, Refusal> {
    let name = Area::Intd.of(id);
    disk.create(&name)
        .or_else(|_| {
            disk.unlink(&name)?;
            disk.create(&name)
        })
        .map_err(|_| Refusal::Intd)
}

fn write_message<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    buffer: &mut [u8],
    received: &[u8],
    message: &mut impl Read,
) -> Result<(), Refusal> {
    let mut filled = put(buffer, received);
    loop {
        let read = read(message, buffer.get_mut(filled..).unwrap_or_default())?;
        filled += read;
        if read == 0 || filled == buffer.len() {
            flush(disk, file, buffer, &mut filled)?;
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn write_envelope<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    buffer: &mut [u8],
    stamp: &Stamp,
    envelope: &mut impl Read,
) -> Result<(), Refusal> {
    let mut head = Vec::with_capacity(32);
    Record::Uid(stamp.uid.into()).write(&mut head);
    Record::Pid(stamp.number).write(&mut head);
    let mut filled = put(buffer, &head);
    let mut parser = Envelope::default();
    while !parser.is_complete() {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = read(envelope, room)?;
        if read == 0 {
            return Err(Refusal::Read);
        }
        filled += parser.accept(room.get(..read).unwrap_or_default())?;
        if filled == buffer.len() {
            flush(disk, file, buffer, &mut filled)?;
        }
    }
    flush(disk, file, buffer, &mut filled)
}

/// Puts `bytes` at the start of `buffer`, which has room for them.
fn put(buffer: &mut [u8], bytes: &[u8]) -> usize {
    for (to, from) in buffer.iter_mut().zip(bytes) {
        *to = *from;
    }
    bytes.len()
}

fn read(from: &mut impl Read, room: &mut [u8]) -> Result<usize, Refusal> {
    loop {
        match from.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(|_| Refusal::Read),
        }
    }
}

fn flush<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    buffer: &[u8],
    filled: &mut usize,
) -> Result<(), Refusal> {
    let bytes = buffer.get(..*filled).unwrap_or_default();
    *filled = 0;
    if bytes.is_empty() {
        return Ok(());
    }
    disk.write(file, bytes).map_err(|_| Refusal::Write)
}

/// Back to S1. The envelope goes first, and if it cannot, the message stays: an envelope without its
/// message is no state. Emptied before, so that what cannot be removed at least takes no room.
fn take_back<D: Disk>(
    disk: &mut D,
    id: MessageId,
    message: &mut D::File,
    envelope: Option<&mut D::File>,
) {
    if let Some(envelope) = envelope {
        let _ = disk.truncate(envelope, 0); // the unlink below is what counts
        if disk.unlink(&Area::Intd.of(id)).is_err() {
            return;
        }
    }
    let _ = disk.truncate(message, 0); // as above
    let _ = disk.unlink(&Area::Mess.of(id)); // left over, it is swept a day and a half later
}

#[cfg(test)]
mod tests;
