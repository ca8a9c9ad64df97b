//! What is in the queue when it begins.

use std::collections::HashSet;
use std::io;

use queue::disk::Disk;
use queue::home::SPLIT;
use queue::path::{Area, MessageId, Name};
use queue::walk;
use unix::clock;

use super::{PAUSE, World};
use crate::send::machine::{Found, Look};
use crate::send::{Channel, Channels};

impl World {
    /// Every message that is preprocessed, and those that could not be looked at.
    ///
    /// Directories are listed, and only files of recipients are asked for their times: a queue of
    /// 100,000 messages must not keep mail waiting.
    pub fn messages(&mut self) -> (Vec<Found>, Vec<MessageId>) {
        let queued: HashSet<_> = self.list(Area::Todo, 0).into_iter().collect();
        let mut bounces: HashSet<_> = self.list(Area::Bounce, 0).into_iter().collect();
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for number in 0..SPLIT {
            let mut recipients = Channels::make(|channel| {
                self.list(channel.area(), number).into_iter().collect::<HashSet<_>>()
            });
            for id in self.list(Area::Info, number) {
                let has = Channels::make(|channel| recipients[channel].remove(&id));
                let has_bounce = bounces.remove(&id);
                if queued.contains(&id) {
                    continue; // half preprocessed: that will be done again
                }
                match self.due(id, has) {
                    Ok(due) => found.push(Found { id, due, has_bounce }),
                    Err(_) => failed.push(id),
                }
            }
            self.strays.extend(
                Channel::ALL
                    .into_iter()
                    .flat_map(|channel| std::mem::take(&mut recipients[channel])),
            );
        }
        self.strays.extend(bounces);
        (found, failed)
    }

    /// A second look at a message.
    pub(super) fn look(&mut self, id: MessageId) -> Look {
        match self.try_look(id) {
            Ok(Some(found)) => Look::Found(found),
            Ok(None) => Look::Gone,
            Err(_) => Look::Trouble,
        }
    }

    fn try_look(&mut self, id: MessageId) -> io::Result<Option<Found>> {
        if !self.has(Area::Info, id)? || self.has(Area::Todo, id)? {
            return Ok(None);
        }
        let due = self.due(id, Channels { local: true, remote: true })?;
        Ok(Some(Found { id, due, has_bounce: self.has(Area::Bounce, id)? }))
    }

    fn has(&mut self, area: Area, id: MessageId) -> io::Result<bool> {
        let name = area.of(id);
        self.queue.exists(&name).inspect_err(|_| self.unseen(name))
    }

    /// When a message is due on the channels that it may have recipients on.
    fn due(&mut self, id: MessageId, has: Channels<bool>) -> io::Result<Channels<Option<i64>>> {
        let mut due = Channels::default();
        for channel in Channel::ALL.into_iter().filter(|&channel| has[channel]) {
            let name = channel.area().of(id);
            match self.queue.dir().stat(name.as_path()) {
                Ok(file) => due[channel] = Some(file.st_mtime),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.unseen(name);
                    return Err(error);
                }
            }
        }
        Ok(due)
    }

    fn unseen(&mut self, name: Name) {
        self.log.warning(("unable to stat ", name.as_bytes(), "; will try again later"));
    }

    /// The messages in a directory of an area, however long it takes.
    fn list(&mut self, area: Area, number: u64) -> Vec<MessageId> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(name) = area.directories().nth(number) else {
            return Vec::new();
        };
        loop {
            let found = walk::directory(self.queue.dir(), &name);
            if let Ok(ids) = found.and_then(Iterator::collect) {
                return ids;
            }
            self.log.alert(("unable to opendir ", name.as_bytes(), ", sleeping..."));
            self.write_log();
            clock::sleep(PAUSE);
        }
    }
}
