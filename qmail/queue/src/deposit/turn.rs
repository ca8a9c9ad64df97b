//! Many whole messages queued together, which wait for the disk once.
//!
//! What may come into `todo/` before it is durable has a seal ([`crate::seal`]). The order of the steps is argued in
//! `doc/queue.md`.

use super::{Refusal, Stamp, create, create_envelope, take_back};
use crate::disk::Disk;
use crate::path::{self, Area, MessageId};
use crate::{deposit, seal};

/// Messages that have all their files, and of which nothing is durable yet.
#[derive(Debug)]
pub struct Turn<F> {
    messages: Vec<Written<F>>,
}

#[derive(Debug)]
struct Written<F> {
    id: MessageId,
    /// The message, and its envelope.
    files: [F; 2],
}

impl<F> Default for Turn<F> {
    fn default() -> Turn<F> {
        Turn { messages: Vec::new() }
    }
}

impl<F> Turn<F> {
    /// True if there is nothing to be made durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Writes a message, and its envelope as a client does, and puts it into `todo/`. On a refusal nothing of it is left
    /// behind, as far as the disk obeys.
    ///
    /// An envelope that is in `todo/` already is not touched: it is of a message whose number a power cut has set
    /// free, and qmail-send will find that out.
    pub fn add<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        stamp: &Stamp,
        message: &[u8],
        envelope: &[u8],
    ) -> Result<(), Refusal> {
        let records = deposit::Envelope::records(envelope)?;
        let received = stamp.received();
        let pieces = [received.as_slice(), message];
        let envelope = seal::envelope(stamp.uid.into(), stamp.number, &pieces, records);

        let (id, mut file) = create(disk, stamp)?;
        let mut intd = None;
        let written = (|| {
            disk.write_all_of(&mut file, &pieces).map_err(|_| Refusal::Write)?;
            let intd = intd.insert(create_envelope(disk, id)?);
            disk.write(intd, &envelope).map_err(|_| Refusal::Write)?;
            disk.link(&Area::Intd.of(id), &Area::Todo.of(id)).map_err(|_| Refusal::Todo)
        })();
        match (written, intd) {
            (Ok(()), Some(envelope)) => {
                self.messages.push(Written { id, files: [file, envelope] });
                Ok(())
            }
            (written, mut intd) => {
                take_back(disk, id, &mut file, intd.as_mut());
                written.and(Err(Refusal::Intd))
            }
        }
    }

    /// Makes all of them durable at the same time. Of each, in the order in which they were added: its number, once a
    /// power cut cannot lose it; or why that is not sure.
    ///
    /// Then no name of it is removed, for it may be delivered already, and its number another message's. But its envelope
    /// is emptied: if qmail-send has not begun with it, it will take that for torn.
    pub fn settle<D: Disk<File = F>>(mut self, disk: &mut D) -> Vec<Result<MessageId, Refusal>> {
        let files: Vec<_> = self.messages.iter().flat_map(|written| &written.files).collect();
        let ids = self.messages.iter().map(|written| written.id);
        let parents = ids.flat_map(|id| [Area::Mess, Area::Todo].map(|area| area.of(id).parent()));
        let directories = path::each_once(parents);
        let mut results = disk.sync_all_of(&files, &directories).into_iter();
        let files: Vec<_> = results.by_ref().take(files.len()).collect();
        let named = directories.into_iter().zip(results).filter(|(_, result)| result.is_ok());
        let named: Vec<_> = named.map(|(directory, _)| directory).collect();
        let is_durable = |area: Area, id| named.contains(&area.of(id).parent());
        let each = self.messages.iter_mut().zip(files.chunks(2));
        each.map(|(Written { id, files: [_, envelope] }, results)| {
            let refusal = if results.iter().any(Result::is_err) || !is_durable(Area::Mess, *id) {
                Refusal::Write
            } else if is_durable(Area::Todo, *id) {
                return Ok(*id);
            } else {
                Refusal::Todo
            };
            let _ = disk.truncate(envelope, 0); // it is refused in any case
            Err(refusal)
        })
        .collect()
    }
}
