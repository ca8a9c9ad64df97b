//! What such a host does with envelopes.

use queue::path::MessageId;
use queue::record::{Reader, Record};

use super::{Host, Preprocesses, text};
use crate::send::log::Log;
use crate::send::machine::Event;
use crate::send::todo::{Preprocessed, Recipients, Single, Written};
use crate::send::{Channel, Channels};

impl Host {
    pub(super) fn preprocess_all(
        &mut self,
        ids: Vec<MessageId>,
        mut room: Channels<usize>,
    ) -> Event {
        let (mut done, mut singles) = (Vec::new(), Vec::new());
        for id in ids {
            match self.single(id, &mut room) {
                Some(single) => singles.push(single),
                None if self.writes != Written::Whole => {}
                None => done.push(self.preprocess(id)),
            }
        }
        Event::Preprocessed(done, singles, Vec::new())
    }

    fn single(&mut self, id: MessageId, room: &mut Channels<usize>) -> Option<Single> {
        let is_known = self.disk.info.contains_key(&id.0) || self.failed.contains(&id);
        if self.preprocesses == Preprocesses::Everything || is_known {
            return None;
        }
        let envelope = self.disk.todo[&id.0].as_bytes();
        let mut log = Log::default();
        let single = Single::read(&self.routes, id, 1, envelope, false, &mut log)?;
        let room = &mut room[single.channel];
        *room = room.checked_sub(1)?;
        self.log.new_message(id);
        Some(single)
    }

    pub(super) fn write_down(&mut self, single: Single) -> Written {
        let Single { id, sender, channel, recipients, .. } = single;
        let written = if self.is_broken { Written::NotAtAll } else { self.writes };
        if written != Written::Whole {
            self.failed.insert(id);
            return written;
        }
        self.disk.info.insert(id.0, (self.now, text(&sender)));
        self.disk.recipients[channel].insert(id.0, recipients);
        Written::Whole
    }

    fn preprocess(&mut self, id: MessageId) -> Preprocessed {
        self.log.new_message(id);
        self.failed.remove(&id);
        let mut sender = Vec::new();
        let mut recipients: Channels<Option<Vec<u8>>> = Channels::default();
        let mut records = Reader::new(self.disk.todo[&id.0].as_bytes());
        while let Some((_, record)) = records.read().unwrap() {
            match record {
                Record::Sender(address) => sender = address.to_vec(),
                Record::Recipient(address) => {
                    let (channel, address) = self.routes.route(address);
                    let file = recipients[channel].get_or_insert_default();
                    Record::Recipient(&address).write(file);
                }
                _ => {}
            }
        }
        self.disk.info.insert(id.0, (self.now, text(&sender)));
        for channel in Channel::ALL {
            if let Some(file) = &recipients[channel] {
                self.disk.recipients[channel].insert(id.0, file.clone());
            }
        }
        // Odd numbers are read from their files.
        let few =
            |file| if id.0.is_multiple_of(2) { Recipients::Few(file) } else { Recipients::Many };
        let Channels { local, remote } = recipients;
        let recipients = Channels { local: local.map(few), remote: remote.map(few) };
        Preprocessed { id, sender, recipients }
    }
}
