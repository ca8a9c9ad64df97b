//! A message with one recipient: read, and written only if that must be.

use queue::disk::Disk;
use queue::path::{Area, MessageId};
use queue::record::Record;

use super::{Postponed, Split, anchor, create_info, part, purge, settle, write};
use crate::send::log::Log;
use crate::send::route::Routes;
use crate::send::{Channel, Channels};

/// A message with one recipient. The first attempt may be made while it lies in `todo/`, and if that
/// succeeds its files in `info/` and `local/` need never be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Single {
    /// Which.
    pub id: MessageId,
    /// Its sender.
    pub sender: Vec<u8>,
    /// The recipient's channel.
    pub channel: Channel,
    /// What the file of recipients is to hold: one record.
    pub recipients: Vec<u8>,
    /// True if it proved itself, and may not be durable.
    pub is_sealed: bool,
}

/// What there is of a message's files after they were to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing.
    NotAtAll,
    /// Some of it.
    Partly,
    /// All of it, for good.
    Whole,
}

impl Single {
    /// The message whose whole envelope is `envelope`, if it has one recipient and nothing is wrong with it.
    /// `bytes` is the size of its file in `mess/`. The log is told only of such a message.
    pub fn read(
        routes: &Routes,
        id: MessageId,
        bytes: u64,
        envelope: &[u8],
        is_sealed: bool,
        log: &mut Log,
    ) -> Option<Single> {
        let (mut uid, mut pid, mut sender, mut recipient) = (0, 0, None, None);
        for record in envelope.strip_suffix(&[0])?.split(|&byte| byte == 0) {
            match (Record::parse(record).ok()?, sender, recipient) {
                (Record::Uid(number), ..) => uid = number,
                (Record::Pid(number), ..) => pid = number,
                (Record::Sender(address), None, _) => sender = Some(address),
                (Record::Recipient(address), _, None) => recipient = Some(address),
                _ => return None,
            }
        }
        let (sender, recipient) = (sender?, recipient?);
        let (channel, address) = routes.route(recipient);
        let mut recipients = Vec::with_capacity(address.len() + 2);
        Record::Recipient(&address).write(&mut recipients);
        log.new_message(id);
        log.info(id, bytes, sender, pid, uid);
        Some(Single { id, sender: sender.to_vec(), channel, recipients, is_sealed })
    }

    /// Writes what [`split`] would have written.
    fn write_down<D: Disk>(
        &self,
        disk: &mut D,
        log: &mut Log,
    ) -> Result<Split<D::File>, Postponed> {
        let id = self.id;
        let mut info = create_info(disk, id, log)?;
        let mut record = Vec::with_capacity(self.sender.len() + 2);
        Record::Sender(&self.sender).write(&mut record);
        write(disk, &mut info, &record, &Area::Info.of(id), log)?;
        let mut parts = Channels::default();
        let part = part(disk, id, self.channel, &mut parts, log)?;
        part.buffer.extend_from_slice(&self.recipients);
        let (sender, is_sealed) = (self.sender.clone(), self.is_sealed);
        Split { id, sender, is_sealed, info, parts }.finish(disk, log)
    }
}

/// Writes `messages`, for good. What cannot be written as a whole is removed again.
pub fn write_down<D: Disk>(
    disk: &mut D,
    messages: &[Single],
    log: &mut Log,
) -> Vec<(MessageId, Written)> {
    let is_anchored =
        !messages.iter().any(|message| message.is_sealed) || anchor(disk, log).is_ok();
    let writable = messages.iter().filter(|message| is_anchored || !message.is_sealed);
    let splits = writable.flat_map(|message| message.write_down(disk, log)).collect();
    let settled = settle(disk, splits, log);
    let written = |message: &Single| {
        let id = message.id;
        let is_whole = settled.iter().any(|it| it.id == id);
        let is_gone = !is_whole && purge(disk, id, log).is_ok();
        (
            id,
            if is_whole {
                Written::Whole
            } else if is_gone {
                Written::NotAtAll
            } else {
                Written::Partly
            },
        )
    };
    messages.iter().map(written).collect()
}
