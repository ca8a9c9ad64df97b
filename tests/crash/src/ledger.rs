//! What has been promised, and whether a disk keeps it.

use std::path::Path;

use queue::path::{Area, MessageId};
use queue::record::Record;

use crate::belief::Belief;
use crate::images::Image;
use crate::replay::Promise;

/// How a promise is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message that was accepted, or reported as delivered, is nowhere: its recipient.
    Lost(String),
    /// A file that is read is not what was written: its name.
    Torn(String),
    /// A file is in the way of others, or asks for what cannot be done: its name.
    Stray(String),
}

#[derive(Debug)]
struct Message {
    inode: u64,
    id: MessageId,
    contents: Vec<u8>,
    envelope: Vec<u8>,
    recipients: Vec<Recipient>,
    /// True once somebody was told that it is accepted.
    is_accepted: bool,
}

#[derive(Debug)]
struct Recipient {
    address: Vec<u8>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// To be delivered.
    Open,
    /// In a mailbox of this host.
    Delivered,
    /// In another message that was accepted: forwarded.
    Forwarded,
    /// At another host.
    Sent,
    /// To be told to the sender.
    Failed,
    /// Told to the sender: another message.
    Told,
}

/// Every message that was accepted.
#[derive(Debug, Default)]
pub struct Ledger {
    messages: Vec<Message>,
    /// The most recipients who would have had a message twice after a power cut.
    pub repeated: usize,
}

impl Ledger {
    /// How many messages there are.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.iter().filter(|message| message.is_accepted).count()
    }

    /// Writes down a promise; `now` is what the running system sees.
    pub fn note(&mut self, promise: &Promise, now: &Image) {
        match promise {
            Promise::Queued(inode) => self.queue(*inode, now),
            Promise::Accepted(inode) => self.accept(*inode),
            Promise::Reported { message, recipient, letter, is_local } => {
                let fate = match (letter, is_local) {
                    (b'K', true) => Fate::Delivered,
                    // Of a remote delivery, the text may begin with a letter for each recipient.
                    (b'K', false) => Fate::Sent,
                    (b'D', _) => Fate::Failed,
                    _ => return,
                };
                let Some(place) = self.messages.iter().position(|known| known.inode == *message)
                else {
                    return;
                };
                let head = self.messages[place].head(recipient);
                let is_forwarded = self
                    .messages
                    .iter()
                    .any(|other| other.is_accepted && other.contents.ends_with(&head));
                let fate = match fate {
                    Fate::Delivered if is_forwarded => Fate::Forwarded,
                    fate => fate,
                };
                let recipients = self.messages[place].recipients.iter_mut();
                for known in recipients.filter(|known| known.address == *recipient) {
                    known.fate = fate;
                }
            }
            Promise::Forgotten(_) => {}
        }
    }

    fn queue(&mut self, inode: u64, now: &Image) {
        let mut names = now.files().filter(|(_, of, _)| *of == inode);
        let Some((id, contents)) = names.find_map(|(name, _, bytes)| {
            let id = MessageId::parse(name.file_name()?.as_encoded_bytes())?;
            name.starts_with("mess").then(|| (id, bytes.to_vec()))
        }) else {
            return;
        };
        let envelope = now.read(&Area::Todo.of(id)).unwrap_or_default().to_vec();
        let address = |record: &[u8]| Some(record.strip_prefix(b"T")?.to_vec());
        let recipients = envelope
            .split(|&byte| byte == 0)
            .filter_map(address)
            .map(|address| Recipient { address, fate: Fate::Open })
            .collect();
        let message = Message { inode, id, contents, envelope, recipients, is_accepted: false };
        self.messages.push(message);
    }

    fn accept(&mut self, inode: u64) {
        let is_new = |message: &&mut Message| message.inode == inode && !message.is_accepted;
        let Some(message) = self.messages.iter_mut().find(is_new) else { return };
        message.is_accepted = true;
        // A bounce tells of the failures of the message that it quotes.
        let contents = message.contents.clone();
        for told in self.messages.iter_mut().filter(|told| told.inode != inode) {
            if holds(&contents, &told.contents) {
                for failed in told.recipients.iter_mut().filter(|one| one.fate == Fate::Failed) {
                    failed.fate = Fate::Told;
                }
            }
        }
    }

    /// Whether a disk keeps everything that was promised; `now` is what the running system sees.
    pub fn check(&mut self, image: &Image, now: &Image) -> Result<(), Fault> {
        let mut repeated = 0;
        for message in self.messages.iter().filter(|message| message.is_accepted) {
            let is_queued = image.read(&Area::Mess.of(message.id)) == Some(&message.contents);
            if is_queued && !message.has_its_sender(image) {
                return Err(Fault::Torn(Area::Info.of(message.id).to_string()));
            }
            for recipient in &message.recipients {
                let is_due = is_queued && message.is_due(&recipient.address, image);
                let is_kept = match recipient.fate {
                    Fate::Open => is_due || message.is_delivered(&recipient.address, image),
                    Fate::Delivered => message.is_delivered(&recipient.address, image),
                    Fate::Failed => {
                        is_due || is_queued && message.is_told(&recipient.address, image)
                    }
                    Fate::Forwarded | Fate::Sent | Fate::Told => true,
                };
                if !is_kept {
                    let address = String::from_utf8_lossy(&recipient.address);
                    return Err(Fault::Lost(format!("{address} ({:?})", recipient.fate)));
                }
                repeated += usize::from(is_due && recipient.fate != Fate::Open);
            }
        }
        self.repeated = self.repeated.max(repeated);
        for message in self.messages.iter().filter(|message| !message.is_accepted) {
            message.is_whole_if_preprocessed(image)?;
        }
        whole(image, now)?;
        strays(image)
    }
}

impl Message {
    /// True if the sender is its own, where there is no envelope any more.
    fn has_its_sender(&self, image: &Image) -> bool {
        let mut records = self.envelope.split_inclusive(|&byte| byte == 0);
        let sender = records.find(|record| record.starts_with(b"F")).unwrap_or_default();
        image.read(&Area::Todo.of(self.id)).is_some()
            || image.read(&Area::Info.of(self.id)).is_none_or(|info| info == sender)
    }

    /// Once it has no envelope that it must prove itself by, what the queue is to deliver is whole.
    fn is_whole_if_preprocessed(&self, image: &Image) -> Result<(), Fault> {
        let files = image.of(self.id);
        let is_asked = files.has(Area::Local) || files.has(Area::Remote);
        let mess = Area::Mess.of(self.id);
        if files.has(Area::Todo) || !files.has(Area::Info) || !is_asked {
            return Ok(());
        }
        // Unless another message has the number by now.
        let message = image.read(&mess).unwrap_or_default();
        if image.inode(&mess) == Some(self.inode) && message != self.contents {
            return Err(Fault::Torn(mess.to_string()));
        }
        Ok(())
    }

    /// True if the queue is to deliver it to that recipient.
    fn is_due(&self, address: &[u8], image: &Image) -> bool {
        if image.read(&Area::Todo.of(self.id)) == Some(&self.envelope) {
            return true;
        }
        let mut record = Vec::new();
        Record::Recipient(address).write(&mut record);
        image.read(&Area::Info.of(self.id)).is_some()
            && [Area::Local, Area::Remote]
                .into_iter()
                .any(|area| image.read(&area.of(self.id)).is_some_and(|file| holds(file, &record)))
    }

    /// What a delivery to that recipient ends with.
    fn head(&self, address: &[u8]) -> Vec<u8> {
        [b"Delivered-To: ", address, b"\n", &self.contents].concat()
    }

    /// True if it is in a mailbox.
    fn is_delivered(&self, address: &[u8], image: &Image) -> bool {
        let head = self.head(address);
        image.files().any(|(name, _, bytes)| {
            if name.ends_with("Mailbox") {
                return holds(bytes, &head);
            }
            is_new(name) && bytes.ends_with(&head)
        })
    }

    /// True if its bounce names that recipient.
    fn is_told(&self, address: &[u8], image: &Image) -> bool {
        let head = [b"<", address, b">:\n"].concat();
        image.read(&Area::Info.of(self.id)).is_some()
            && image.read(&Area::Bounce.of(self.id)).is_some_and(|bounce| holds(bounce, &head))
    }
}

/// True of an envelope in `todo/` that is what a power cut has left of one.
fn is_broken(image: &Image, name: &Path) -> bool {
    let id = name.file_name().and_then(|name| MessageId::parse(name.as_encoded_bytes()));
    id.and_then(|id| Belief::of(image, id)) == Some(Belief::Broken)
}

fn is_new(name: &Path) -> bool {
    name.parent().is_some_and(|parent| parent.ends_with("new"))
}

/// What is read as a whole is whole: messages of maildirs, and envelopes that are believed.
fn whole(image: &Image, now: &Image) -> Result<(), Fault> {
    for (name, inode, bytes) in image.files() {
        let is_believed = || name.starts_with("todo") && !is_broken(image, name);
        if now.contents(inode) != bytes && (is_new(name) || is_believed()) {
            return Err(Fault::Torn(name.display().to_string()));
        }
    }
    Ok(())
}

/// Nothing asks for a message that is not there.
fn strays(image: &Image) -> Result<(), Fault> {
    for id in image.messages() {
        let files = image.of(id);
        if files.has(Area::Mess) {
            continue;
        }
        let is_asked = files.has(Area::Local) || files.has(Area::Remote);
        let is_stray = match Belief::of(image, id) {
            // qmail-send removes all of it.
            Some(Belief::Broken) => false,
            Some(Belief::Plain | Belief::Proved) => true,
            None => files.has(Area::Info) && is_asked,
        };
        if is_stray {
            return Err(Fault::Stray(id.to_string()));
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(part) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
