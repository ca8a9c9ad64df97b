//! Files of the queue: recipients, senders, lists of messages.

use std::fs::{FileTimes, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use queue::disk::Disk;
use queue::path::{Area, MessageId};
use queue::record::{Reader, Record};
use queue::{sweep, walk};
use unix::clock;

use super::{PAUSE, World};
use crate::send::machine::Event;
use crate::send::{Channel, bounce};

impl World {
    /// Opens a file of recipients for reading, and sees who the sender is.
    pub(super) fn open(&mut self, channel: Channel, id: MessageId) -> Event {
        let Ok(file) = self.queue.dir().open_file(channel.area().of(id).as_path()) else {
            return Event::NotOpened(channel, channel.area());
        };
        let Ok((birth, sender)) = self.sender(id) else {
            return Event::NotOpened(channel, Area::Info);
        };
        self.passes[channel] = Some(file);
        Event::Opened { channel, birth, sender }
    }

    /// A message's birth and sender.
    pub(super) fn sender(&self, id: MessageId) -> io::Result<(i64, Vec<u8>)> {
        let file = self.queue.dir().open_file(Area::Info.of(id).as_path())?;
        let birth = file.metadata()?.mtime();
        let mut records = Reader::new(BufReader::with_capacity(2048, file));
        match records.read() {
            Ok(Some((_, Record::Sender(sender)))) => Ok((birth, sender.to_vec())),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Reads on in a file of recipients.
    pub(super) fn read(&mut self, channel: Channel) -> Event {
        let Some(file) = &mut self.passes[channel] else {
            return Event::NotRead(channel);
        };
        match file.read(&mut self.buffer) {
            // A file gives all that was asked for, except at its end.
            Ok(read) => {
                let bytes = self.buffer.get(..read).unwrap_or_default();
                Event::Read(channel, bytes.to_vec(), read < self.buffer.len())
            }
            Err(_) => Event::NotRead(channel),
        }
    }

    pub(super) fn mark(&mut self, channel: Channel, id: MessageId, offset: u64) {
        let marked = self.ledger.mark(&mut self.queue, channel, id, offset);
        if marked.is_err() {
            let (name, then) = (channel.area().of(id), "; message will be delivered twice!");
            self.log.warning(("trouble marking ", name.as_bytes(), then));
        }
    }

    /// Removes a file of recipients, all of whom are done with. If it stays, the last must be marked
    /// in it.
    pub(super) fn remove(&mut self, channel: Channel, id: MessageId, last: Option<u64>) -> bool {
        let removed = self.ledger.remove(&mut self.queue, channel, id).is_ok();
        if let Some(offset) = last.filter(|_| !removed) {
            self.mark(channel, id, offset);
        }
        removed
    }

    /// Logs the message's end and removes its sender.
    pub(super) fn end(&mut self, id: MessageId) -> bool {
        self.log.end(id);
        let name = Area::Info.of(id);
        let removed = self.ledger.end(&mut self.queue, id).is_ok();
        if !removed {
            self.log.warning(("unable to unlink ", name.as_bytes(), "; will try again later"));
        }
        removed
    }

    /// Adds to a message's bounce, however long it takes.
    pub(super) fn complain(
        &mut self,
        id: MessageId,
        channel: Channel,
        recipient: &[u8],
        report: &[u8],
    ) {
        let recipient = self.settings.routes.without_prepend(channel, recipient);
        let paragraph = bounce::paragraph(recipient, report);
        let path = self.path(Area::Bounce.of(id));
        let before = std::fs::metadata(&path).map_or(0, |file| file.len());
        while bounce::append(&mut self.queue, id, &paragraph).is_err() {
            // What was written of it goes away, or it would be there twice.
            let file = OpenOptions::new().write(true).open(&path);
            let _ = file.and_then(|file| file.set_len(before)); // twice is better than not at all
            self.log.alert("unable to append to bounce message; HELP! sleeping...");
            self.write_log();
            clock::sleep(PAUSE);
        }
    }

    /// Notes when a message is due.
    pub(super) fn save(&mut self, channel: Channel, id: MessageId, time: i64) {
        let since = Duration::from_secs(u64::try_from(time).unwrap_or(0));
        let name = channel.area().of(id);
        let saved = SystemTime::UNIX_EPOCH.checked_add(since).is_some_and(|time| {
            let times = FileTimes::new().set_accessed(time).set_modified(time);
            let file = self.queue.dir().open_to_write(name.as_path());
            file.and_then(|file| file.set_times(times)).is_ok()
        });
        if !saved {
            let then = "; message will be retried too soon";
            self.log.warning(("unable to utime ", name.as_bytes(), then));
        }
    }

    /// Watches the trigger, and only then lists `todo/`: what comes later pulls the trigger.
    pub(super) fn scan(&mut self) -> Event {
        let is_watching = self.trigger.open(&self.home, self.queue.dir(), &mut self.log);
        let ids = Area::Todo.directories().next().and_then(|name| {
            let found = walk::directory(self.queue.dir(), &name).ok()?;
            Some(found.flatten().collect())
        });
        Event::Listed(ids, is_watching)
    }

    /// Messages that have a file in a directory of `mess/`. One that cannot be listed is left for the next time.
    pub(super) fn in_mess(&mut self, directory: u64) -> Vec<MessageId> {
        let number = usize::try_from(directory).unwrap_or(usize::MAX);
        let Some(name) = Area::Mess.directories().nth(number) else {
            return Vec::new();
        };
        if let Ok(found) = walk::directory(self.queue.dir(), &name) {
            return found.flatten().collect();
        }
        self.log.warning(("unable to opendir ", name.as_bytes(), "; will try again later"));
        Vec::new()
    }

    /// Those of `ids` that have been left alone for a day and a half and that nothing refers to.
    pub(super) fn orphans(&mut self, mut ids: Vec<MessageId>) -> Vec<MessageId> {
        let now = clock::wall().seconds;
        ids.retain(|&id| {
            let message = self.queue.dir().stat(Area::Mess.of(id).as_path());
            message.is_ok_and(|message| sweep::is_ossified(message.st_atime, now))
                && matches!(self.queue.exists(&Area::Info.of(id)), Ok(false))
                && matches!(self.queue.exists(&Area::Todo.of(id)), Ok(false))
        });
        ids
    }
}
