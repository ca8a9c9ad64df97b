//! Envelopes in `todo/`: whether they are to be believed, and what is made of them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt;

use prog::Piece;
use queue::disk::Disk;
use queue::path::{Area, MessageId, Name};
use queue::record::Record;
use queue::seal::{self, Head, Seal};

use super::World;
use crate::send::Channels;
use crate::send::log::Log;
use crate::send::machine::Event;
use crate::send::todo::{self, Queued, Single, Written};

/// What is read of an envelope at a time, in bytes.
const ENVELOPE: usize = 8192;

/// Why an envelope is not worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    /// Something that a power cut has left: its message was never accepted.
    Broken,
    /// It could not be looked at. It stays where it is, to be tried again.
    Postponed,
}

impl World {
    /// Preprocesses messages together, but only reads those that may be delivered straight from `todo/`, as
    /// long as there is room for them.
    pub(super) fn preprocess(&mut self, ids: Vec<MessageId>, mut room: Channels<usize>) -> Event {
        let mut log = std::mem::take(&mut self.log);
        let (mut unwritten, mut singles, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            let mut queued = match self.queued(id, &mut log) {
                Ok(queued) => queued,
                Err(Unfit::Broken) => {
                    // Without an envelope they would be taken for a message that is preprocessed.
                    if todo::purge(&mut self.queue, id, &mut log).is_ok() {
                        broken.push(id);
                    }
                    continue;
                }
                Err(Unfit::Postponed) => continue,
            };
            match self.single(&mut queued, &mut room, &mut log) {
                Some(single) => singles.push(single),
                None => unwritten.push(queued),
            }
        }
        if unwritten.iter().any(|queued| queued.is_sealed)
            && todo::anchor(&mut self.queue, &mut log).is_err()
        {
            unwritten.retain(|queued| !queued.is_sealed);
        }
        let sealed = unwritten.iter().filter(|queued| queued.is_sealed);
        let sealed: Vec<_> = sealed.map(|queued| queued.id).collect();
        let mut splits = Vec::with_capacity(unwritten.len());
        for queued in unwritten {
            self.strays.insert(queued.id); // until it is known to have nothing but its own
            splits.extend(todo::split(&mut self.queue, &self.settings.routes, queued, &mut log));
        }
        let mut settled = todo::settle(&mut self.queue, splits, &mut log);
        settled.retain(|message| !sealed.contains(&message.id) || !self.is_emptied(message.id));
        for message in &settled {
            self.strays.remove(&message.id);
        }
        self.log = log;
        Event::Preprocessed(settled, singles, broken)
    }

    /// The message, if it may be delivered from where it lies. What it has of another message, or of an attempt
    /// to preprocess it, must go first: with its envelope gone that would be its own.
    fn single(
        &mut self,
        queued: &mut Queued<impl BufRead>,
        room: &mut Channels<usize>,
        log: &mut Log,
    ) -> Option<Single> {
        if *room == Channels::default() || queued.has_strays {
            return None;
        }
        // A file gives all that was asked for, except at its end.
        let envelope = queued.envelope.fill_buf().ok().filter(|read| read.len() < ENVELOPE)?;
        let (routes, id) = (&self.settings.routes, queued.id);
        if !matches!(self.queue.exists(&Area::Info.of(id)), Ok(false)) {
            return None;
        }
        let mut told = Log::default();
        let single = Single::read(routes, id, queued.bytes, envelope, queued.is_sealed, &mut told)?;
        let room = &mut room[single.channel];
        *room = room.checked_sub(1)?;
        log.extend(told.as_bytes());
        Some(single)
    }

    /// Preprocesses messages after all.
    pub(super) fn write_down(&mut self, messages: &[Single]) -> Event {
        let is_sealed = |id| messages.iter().any(|message| message.id == id && message.is_sealed);
        let mut messages = todo::write_down(&mut self.queue, messages, &mut self.log);
        for (id, written) in &mut messages {
            if *written == Written::Whole && is_sealed(*id) && self.is_emptied(*id) {
                *written = Written::Partly;
            }
            // One that has nothing is not attempted again either, before something can be noted of it.
            if *written == Written::Whole {
                self.strays.remove(id);
            } else {
                self.strays.insert(*id);
            }
        }
        Event::WrittenDown(messages)
    }

    /// Opens a message's envelope, and sees whether it is to be believed.
    fn queued(&self, id: MessageId, log: &mut Log) -> Result<Queued<BufReader<File>>, Unfit> {
        let todo = Area::Todo.of(id);
        let file = self.queue.dir().open_file(todo.as_path());
        let file = file.map_err(|_| postponed(log, "unable to open ", &todo))?;
        let mut envelope = BufReader::with_capacity(ENVELOPE, file);
        let (bytes, is_sealed) = self.believe(id, &mut envelope, log).inspect_err(|unfit| {
            if *unfit == Unfit::Broken {
                tell(log, id, envelope.buffer());
            }
        })?;
        let has_strays = self.strays.contains(&id);
        Ok(Queued { id, bytes, envelope, is_sealed, has_strays })
    }

    /// The length of the message, and whether it has a seal; if it is to be believed.
    fn believe(
        &self,
        id: MessageId,
        envelope: &mut BufReader<File>,
        log: &mut Log,
    ) -> Result<(u64, bool), Unfit> {
        let (todo, mess) = (Area::Todo.of(id), Area::Mess.of(id));
        let trouble = |log: &mut Log| postponed(log, "trouble reading ", &todo);
        let mut head = Head::of(envelope.fill_buf().map_err(|_| trouble(log))?);
        if matches!(head, Head::Torn | Head::Foreign) {
            let is_whole = read_whole(envelope).map_err(|_| trouble(log))?;
            head = if is_whole { Head::of(envelope.buffer()) } else { Head::Foreign };
        }
        match head {
            Head::Plain => {
                let message = self.queue.dir().stat(mess.as_path());
                let message = message.map_err(|_| postponed(log, "unable to stat ", &mess))?;
                Ok((u64::try_from(message.st_size).unwrap_or(0), false))
            }
            Head::Sealed(seal) => {
                self.prove(&seal, id, envelope, log)?;
                Ok((seal.length(), true))
            }
            Head::Torn => Err(broken(log, (todo.as_bytes(), " is torn"))),
            // As long as it is there, no message can have its number.
            Head::Foreign if self.is_gone(&mess) => {
                Err(broken(log, (todo.as_bytes(), " has no message")))
            }
            Head::Foreign => Err(postponed(log, "unknown record type in ", &todo)),
        }
    }

    /// Sees that message and envelope are those that were sealed. What cannot be read proves nothing, neither
    /// way. The whole envelope is in its buffer then.
    fn prove(
        &self,
        seal: &Seal,
        id: MessageId,
        envelope: &mut BufReader<File>,
        log: &mut Log,
    ) -> Result<(), Unfit> {
        let (todo, mess) = (Area::Todo.of(id), Area::Mess.of(id));
        let is_whole = read_whole(envelope);
        let is_whole = is_whole.map_err(|_| postponed(log, "trouble reading ", &todo))?;
        let message = match self.queue.dir().open_file(mess.as_path()) {
            Ok(message) => read_sealed(message, seal.length()),
            Err(_) if self.is_gone(&mess) => {
                return Err(broken(log, (todo.as_bytes(), " has no message")));
            }
            Err(_) => return Err(postponed(log, "unable to open ", &mess)),
        };
        match message.map_err(|_| postponed(log, "trouble reading ", &mess))? {
            Some(message) if is_whole && seal.proves(&message, envelope.buffer()) => Ok(()),
            _ => Err(broken(log, (todo.as_bytes(), " does not prove ", mess.as_bytes()))),
        }
    }

    /// True if qmail-queued has refused a message that proved itself: it was told that the disk had failed, and whoever
    /// syncs the file of the message later may not be.
    fn is_emptied(&self, id: MessageId) -> bool {
        let envelope = self.queue.dir().stat(Area::Todo.of(id).as_path());
        envelope.is_ok_and(|envelope| envelope.st_size == 0)
    }

    /// True if there is no such file where it would be. Without its directory there is no telling: `mess/` may be on a
    /// file system that is yet to be mounted.
    fn is_gone(&self, name: &Name) -> bool {
        let dir = self.queue.dir();
        let is_missing = || {
            let found = dir.stat(name.as_path());
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        // The directory first: it may be mounted in between.
        dir.stat(name.parent().as_path()).is_ok() && is_missing()
    }
}

/// Has all of an envelope in the buffer; false if it is longer than any that is sealed.
fn read_whole(envelope: &mut BufReader<File>) -> io::Result<bool> {
    // A file gives all that was asked for, except at its end.
    if envelope.buffer().len() < ENVELOPE {
        return Ok(true);
    }
    let mut file = envelope.get_ref().try_clone()?;
    file.rewind()?;
    let size = file.metadata()?.size();
    let room = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
    if size > seal::MOST {
        return Ok(false);
    }
    *envelope = BufReader::with_capacity(room, file);
    Ok(envelope.fill_buf()?.len() < room)
}

/// The file's bytes, if there are so many and no more.
fn read_sealed(mut file: File, length: u64) -> io::Result<Option<Vec<u8>>> {
    if length > seal::MOST || file.metadata()?.size() != length {
        return Ok(None);
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact(&mut message)?;
    Ok(Some(message))
}

fn postponed(log: &mut Log, what: &str, name: &Name) -> Unfit {
    log.warning((what, name.as_bytes()));
    Unfit::Postponed
}

fn broken(log: &mut Log, what: impl Piece) -> Unfit {
    log.warning((what, "; removing it"));
    Unfit::Broken
}

/// Tells whose message it was that is not believed, as far as its envelope can be read: the disk may have damaged one
/// that was accepted, and the message is there for a while.
fn tell(log: &mut Log, id: MessageId, envelope: &[u8]) {
    let (mut sender, mut recipients) = (None, Vec::new());
    for record in envelope.split(|&byte| byte == 0) {
        match Record::parse(record) {
            Ok(Record::Sender(address)) => sender = Some(address),
            Ok(Record::Recipient(address)) => recipients.push(address),
            _ => {}
        }
    }
    if let Some(sender) = sender {
        log.forgotten(id, sender, &recipients);
    }
}
