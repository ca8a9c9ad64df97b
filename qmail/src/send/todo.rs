//! Preprocessing: todo → info, local, remote.
//!
//! Steps over a disk, for many messages at a time: [`split`] each, [`settle`] them together, and only
//! then have their envelopes removed from `todo/`.

mod single;

use std::io::BufRead;

use queue::disk::Disk;
use queue::path::{self, Area, MessageId, Name};
use queue::record::{Reader, Record, Trouble};

use crate::send::log::Log;
use crate::send::route::Routes;
use crate::send::{Channel, Channels};

pub use single::{Single, Written, write_down};

/// A message that lies in `todo/`.
#[derive(Debug)]
pub struct Queued<R> {
    /// Which.
    pub id: MessageId,
    /// The size of its file in `mess/`.
    pub bytes: u64,
    /// Its file in `todo/`, open.
    pub envelope: R,
    /// True if it proved itself, and may not be durable.
    pub is_sealed: bool,
    /// True if it may have files in `local/`, `remote/` or `bounce/` without one in `info/`: left by
    /// a message that had its number before.
    pub has_strays: bool,
}

/// The recipients of one channel of a message that has just been preprocessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// So few that they need not be read from their file: its bytes.
    Few(Vec<u8>),
    /// Too many for that.
    Many,
}

/// A message that is preprocessed but for the removal of its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preprocessed {
    /// Which.
    pub id: MessageId,
    /// Its sender.
    pub sender: Vec<u8>,
    /// Its recipients, where there are any.
    pub recipients: Channels<Option<Recipients>>,
}

/// A message whose files are written and not synced.
#[derive(Debug)]
pub struct Split<F> {
    id: MessageId,
    sender: Vec<u8>,
    is_sealed: bool,
    info: F,
    parts: Channels<Option<Part<F>>>,
}

/// A file of recipients being written.
#[derive(Debug)]
struct Part<F> {
    file: F,
    buffer: Vec<u8>,
    recipients: Recipients,
}

/// Bytes that are written at a time.
const BUFFER: usize = 64 * 1024;

/// What is kept in memory of a message's recipients.
const FEW: usize = 4096;

/// Something went wrong; the log says what. The message stays where it is, to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postponed;

/// Makes durable which envelopes are in `todo/`, before sealed messages get files in `info/`.
///
/// They have been found there before qmail-queued was done with them. If a power cut took the name in `todo/` away
/// and left the file in `info/`, the message would be taken for one that is preprocessed, and need not prove itself.
pub fn anchor<D: Disk>(disk: &mut D, log: &mut Log) -> Result<(), Postponed> {
    for directory in Area::Todo.directories() {
        let synced = disk.sync_directory(&directory);
        synced.map_err(|_| warn(log, "trouble fsyncing ", &directory))?;
    }
    Ok(())
}

/// Writes `info/`, `local/` and `remote/` for one message; [`anchor`] comes before, if it is sealed. What was
/// there of a message that had the number before, or of an earlier attempt, is replaced.
pub fn split<D: Disk, R: BufRead>(
    disk: &mut D,
    routes: &Routes,
    message: Queued<R>,
    log: &mut Log,
) -> Result<Split<D::File>, Postponed> {
    let Queued { id, bytes, envelope, is_sealed, has_strays } = message;
    if has_strays {
        purge(disk, id, log)?;
    }
    let mut info = create_info(disk, id, log)?;
    log.new_message(id);

    let mut records = Reader::new(envelope);
    let (mut uid, mut pid, mut sender) = (0, 0, None);
    let mut parts = Channels::default();
    loop {
        match records.read() {
            Ok(None) => break,
            Ok(Some((_, Record::Uid(number)))) => uid = number,
            Ok(Some((_, Record::Pid(number)))) => pid = number,
            Ok(Some((_, Record::Sender(address)))) => {
                let mut record = Vec::with_capacity(address.len() + 2);
                Record::Sender(address).write(&mut record);
                write(disk, &mut info, &record, &Area::Info.of(id), log)?;
                log.info(id, bytes, address, pid, uid);
                sender.get_or_insert_with(|| address.to_vec());
            }
            Ok(Some((_, Record::Recipient(address)))) => {
                let (channel, address) = routes.route(address);
                let part = part(disk, id, channel, &mut parts, log)?;
                Record::Recipient(&address).write(&mut part.buffer);
                if part.buffer.len() >= BUFFER {
                    part.flush(disk, &channel.area().of(id), log)?;
                }
            }
            Ok(Some((_, Record::Done(_)))) | Err(Trouble::Unknown) => {
                let name = Area::Todo.of(id);
                return Err(warn(log, "unknown record type in ", &name));
            }
            Err(Trouble::Read(_)) => return Err(warn(log, "trouble reading ", &Area::Todo.of(id))),
        }
    }
    // Nobody could ever say whom a message without a sender is from.
    let sender = sender.ok_or_else(|| warn(log, "no sender in ", &Area::Todo.of(id)))?;
    Split { id, sender, is_sealed, info, parts }.finish(disk, log)
}

impl<F> Split<F> {
    /// Writes the rest, and lets the disk start on it.
    fn finish<D: Disk<File = F>>(mut self, disk: &mut D, log: &mut Log) -> Result<Self, Postponed> {
        disk.start_sync(&self.info);
        for channel in Channel::ALL {
            if let Some(part) = &mut self.parts[channel] {
                part.flush(disk, &channel.area().of(self.id), log)?;
                disk.start_sync(&part.file);
            }
        }
        Ok(self)
    }
}

/// Makes the files of `splits` durable, and which files there are, all at the same time: each directory is synced
/// once. Of a message that had to prove itself this is also its own file: without an envelope it cannot do so again.
///
/// Gives those whose envelopes may now be removed.
pub fn settle<D: Disk>(
    disk: &mut D,
    splits: Vec<Split<D::File>>,
    log: &mut Log,
) -> Vec<Preprocessed> {
    let (mut names, mut files, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for split in splits {
        let Split { id, sender, is_sealed, info, parts } = split;
        let mut own = vec![(Area::Info.of(id), info)];
        let mut recipients = Channels::default();
        let Channels { local, remote } = parts;
        for (channel, part) in [(Channel::Local, local), (Channel::Remote, remote)] {
            if let Some(part) = part {
                own.push((channel.area().of(id), part.file));
                recipients[channel] = Some(part.recipients);
            }
        }
        if is_sealed {
            let name = Area::Mess.of(id);
            let Ok(message) = disk.open_to_sync(&name) else {
                warn(log, "trouble fsyncing ", &name);
                continue;
            };
            own.push((name, message));
        }
        let (known, synced): (Vec<_>, Vec<_>) = own.into_iter().unzip();
        settled.push((Preprocessed { id, sender, recipients }, known.clone()));
        names.extend(known);
        files.extend(synced);
    }
    let directories = path::each_once(names.iter().map(Name::parent));
    let synced = disk.sync_all_of(&files.iter().collect::<Vec<_>>(), &directories);
    names.extend(directories);
    let failed: Vec<Name> = names
        .into_iter()
        .zip(synced)
        .filter_map(|(name, synced)| synced.is_err().then_some(name))
        .collect();
    for name in &failed {
        warn(log, "trouble fsyncing ", name);
    }
    let is_durable = |name: &Name| !failed.contains(name) && !failed.contains(&name.parent());
    settled.retain(|(_, own)| own.iter().all(is_durable));
    settled.into_iter().map(|(preprocessed, _)| preprocessed).collect()
}

/// Creates the message's file in `info/`. If there is one, it and what else it has is of an earlier
/// attempt.
fn create_info<D: Disk>(disk: &mut D, id: MessageId, log: &mut Log) -> Result<D::File, Postponed> {
    let name = Area::Info.of(id);
    if let Ok(file) = disk.create(&name) {
        return Ok(file);
    }
    purge(disk, id, log)?;
    disk.create(&name).map_err(|_| warn(log, "unable to create ", &name))
}

/// Removes for good what message `id` may have beside `mess/`, `intd/` and `todo/`: no power cut shall
/// bring another message's recipients back. `info/` goes last, because by it the rest is found.
pub fn purge<D: Disk>(disk: &mut D, id: MessageId, log: &mut Log) -> Result<(), Postponed> {
    for area in [Area::Local, Area::Remote, Area::Bounce, Area::Info] {
        let name = area.of(id);
        if disk.unlink(&name).is_err() {
            if matches!(disk.exists(&name), Ok(false)) {
                continue;
            }
            return Err(warn(log, "unable to unlink ", &name));
        }
        let directory = name.parent();
        let synced = disk.sync_directory(&directory);
        synced.map_err(|_| warn(log, "trouble fsyncing ", &directory))?;
    }
    Ok(())
}

/// The file of recipients for a channel, created when there is a first recipient.
fn part<'a, D: Disk>(
    disk: &mut D,
    id: MessageId,
    channel: Channel,
    parts: &'a mut Channels<Option<Part<D::File>>>,
    log: &mut Log,
) -> Result<&'a mut Part<D::File>, Postponed> {
    let slot = &mut parts[channel];
    if slot.is_none() {
        let name = channel.area().of(id);
        let file = disk.create(&name).map_err(|_| warn(log, "unable to create ", &name))?;
        *slot = Some(Part { file, buffer: Vec::new(), recipients: Recipients::Few(Vec::new()) });
    }
    slot.as_mut().ok_or(Postponed) // it is there
}

impl<F> Part<F> {
    fn flush<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        name: &Name,
        log: &mut Log,
    ) -> Result<(), Postponed> {
        write(disk, &mut self.file, &self.buffer, name, log)?;
        match &mut self.recipients {
            Recipients::Few(known) if known.len() + self.buffer.len() <= FEW => {
                known.append(&mut self.buffer);
            }
            recipients => *recipients = Recipients::Many,
        }
        self.buffer.clear();
        Ok(())
    }
}

fn write<D: Disk>(
    disk: &mut D,
    file: &mut D::File,
    bytes: &[u8],
    name: &Name,
    log: &mut Log,
) -> Result<(), Postponed> {
    disk.write(file, bytes).map_err(|_| warn(log, "trouble writing to ", name))
}

fn warn(log: &mut Log, what: &str, name: &Name) -> Postponed {
    log.warning((what, name.as_bytes()));
    Postponed
}

#[cfg(test)]
mod tests;
