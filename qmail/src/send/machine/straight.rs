//! Messages delivered straight from `todo/`.
//!
//! A message with one recipient is mostly done with a moment after it has come. So its files are not written
//! before the first attempt, but only if that does not succeed, or takes long. Until then the message lies in
//! `todo/`, and to everybody else it is one that nobody has looked at. What is reported of it waits until its
//! envelope is gone: then it either is done with, or preprocessed like any other.
//!
//! This is so where the spawner is ours. Another's is used as its qmail-send uses it.

use std::collections::HashMap;

use queue::path::{Area, MessageId};

use super::deliver::Fresh;
use super::message::{Asked, Message};
use super::{Action, Machine, SYSTEM_FAILURE};
use crate::send::jobs::Delivery;
use crate::send::log::Outcome;
use crate::send::schedule::Schedule;
use crate::send::todo::{Single, Written};
use crate::send::{Channel, Channels};

/// A first attempt that is not over in this time is no reason any more to leave the message where it is. In
/// seconds, the one begun counted.
pub(super) const PATIENCE: i64 = 2;

/// At most so many messages wait for a slot on a channel whose slots become free in time, and not more than it
/// has slots.
const WAITING: u16 = 64;

/// Those messages.
#[derive(Debug, Default)]
pub(super) struct Straight {
    messages: HashMap<MessageId, Lying>,
    /// When they are to be preprocessed after all; one that is delivered, when its envelope is to be removed at
    /// last.
    due: Schedule,
    /// How many wait for a slot.
    waiting: Channels<usize>,
    /// True after one has waited too long, until a new message has a slot at once.
    is_slow: Channels<bool>,
    /// What is to be preprocessed in this step.
    unwritten: Vec<MessageId>,
    /// True once qmail-clean has shown that it is another's.
    pub(super) is_cleaner_others: bool,
}

/// One of them.
#[derive(Debug)]
struct Lying {
    single: Single,
    stage: Stage,
    is_waiting: bool,
    /// The attempt that is over, and what has become of it.
    heard: Option<(Delivery, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has an envelope and nothing else.
    Untouched,
    /// Its files are being written, or are there and its envelope is about to go.
    Written,
    /// It is delivered, and its envelope is about to go.
    Delivered,
    /// Nothing can be noted of it any more: it will be found where it is.
    Lost,
}

impl Straight {
    pub(super) fn has(&self, id: MessageId) -> bool {
        self.messages.contains_key(&id)
    }

    /// True if it is delivered, and about to go.
    pub(super) fn is_delivered(&self, id: MessageId) -> bool {
        self.messages.get(&id).is_some_and(|lying| lying.stage == Stage::Delivered)
    }

    /// When one has been left alone for long enough.
    pub(super) fn next(&self) -> Option<i64> {
        self.due.next()
    }

    /// The pass of a message begins: it waits no more.
    pub(super) fn begun(&mut self, id: MessageId) {
        if let Some(lying) = self.messages.get_mut(&id) {
            let channel = lying.single.channel;
            if std::mem::replace(&mut lying.is_waiting, false) {
                self.waiting[channel] = self.waiting[channel].saturating_sub(1);
            }
        }
    }

    /// Nobody waits for the channel's slots, or not for long.
    pub(super) fn relax(&mut self, channel: Channel) {
        self.is_slow[channel] = false;
    }

    /// True if everything is told that was heard.
    pub(super) fn is_told(&self) -> bool {
        self.messages.values().all(|lying| lying.heard.is_none())
    }

    fn remove(&mut self, id: MessageId) -> Option<Lying> {
        self.begun(id);
        let removed = self.messages.remove(&id);
        if self.messages.is_empty() {
            self.due = Schedule::default(); // nobody is to be woken for those that are done with
        }
        removed
    }
}

impl Machine {
    /// How many messages more may lie in `todo/` until they are delivered.
    pub(super) fn room(&self) -> Channels<usize> {
        Channels::make(|channel| {
            let lane = &self.lanes[channel];
            if self.is_leaving || !self.has_cleaner || !lane.is_alive || !lane.is_wide {
                return 0;
            }
            let slots = &lane.slots;
            let is_quick = self.is_quick(channel);
            let most = if is_quick { slots.limit().min(WAITING) } else { slots.free() };
            usize::from(most).saturating_sub(self.straight.waiting[channel])
        })
    }

    /// How many of those that are listed may be looked at now: where slots become free in time, waiting for one
    /// costs less than preprocessing. But those behind them may be for another channel.
    pub(super) fn may_look_at(&self, now: i64, most: usize) -> usize {
        if self.todo.has_waited(now) {
            return most;
        }
        let room = self.room();
        let quick = Channel::ALL.into_iter().filter(|&channel| self.is_quick(channel));
        quick.map(|channel| room[channel]).min().unwrap_or(most).min(most)
    }

    fn is_quick(&self, channel: Channel) -> bool {
        let lane = &self.lanes[channel];
        lane.is_alive && lane.is_wide && lane.slots.limit() > 0 && !self.straight.is_slow[channel]
    }

    /// A message that has only been read.
    pub(super) fn lie(&mut self, now: i64, single: Single) {
        let (id, channel) = (single.id, single.channel);
        let has = Channels::make(|it| it == channel);
        self.messages.insert(id, Message { has, has_bounce: false });
        let (sender, recipients) = (single.sender.clone(), single.recipients.clone());
        self.fresh.insert((channel, id), Fresh { sender, birth: now, recipients });
        self.lanes[channel].schedule.push(now, id);
        self.straight.due.push(now.saturating_add(PATIENCE), id);
        self.straight.waiting[channel] += 1;
        let stage = Stage::Untouched;
        let lying = Lying { single, stage, is_waiting: true, heard: None };
        self.straight.messages.insert(id, lying);
    }

    /// Those that have been left alone for long enough.
    pub(super) fn lose_patience(&mut self, now: i64) {
        while let Some(id) = self.straight.due.pop(now) {
            let Some(lying) = self.straight.messages.get_mut(&id) else { continue };
            self.straight.is_slow[lying.single.channel] |= lying.is_waiting;
            match lying.stage {
                Stage::Untouched => self.straight.unwritten.push(id),
                Stage::Delivered if lying.heard.is_none() => self.ask_for_all(id),
                _ => {}
            }
        }
    }

    /// A delivery is over. Of a message that lies in `todo/` this is not told yet, but its slot is free.
    pub(super) fn heard(&mut self, now: i64, channel: Channel, delivery: Delivery, text: Vec<u8>) {
        let id = self.jobs.of(delivery.job).map(|job| job.id);
        let lying = id.and_then(|id| Some((id, self.straight.messages.get_mut(&id)?)));
        let Some((id, lying)) = lying else {
            self.conclude(channel, delivery, text);
            return;
        };
        let is_success = is_success(&text);
        lying.heard = Some((delivery, text));
        match lying.stage {
            Stage::Untouched if !self.has_cleaner => self.lose(now, id),
            Stage::Untouched if is_success => {
                lying.stage = Stage::Delivered;
                self.ask_for_all(id);
            }
            Stage::Untouched => self.straight.unwritten.push(id),
            Stage::Written | Stage::Delivered => {}
            Stage::Lost => self.lose(now, id),
        }
    }

    /// A message that is delivered and has nothing but its envelope is to go.
    fn ask_for_all(&mut self, id: MessageId) {
        let is_others = self.straight.is_cleaner_others;
        self.ask(if is_others { Asked::Straight(id) } else { Asked::Over(id) });
    }

    /// Preprocesses those that have to be, together.
    pub(super) fn write_down(&mut self) {
        let mut singles = Vec::new();
        for id in std::mem::take(&mut self.straight.unwritten) {
            let Some(lying) = self.straight.messages.get_mut(&id) else { continue };
            if lying.stage == Stage::Untouched {
                lying.stage = Stage::Written;
                singles.push(lying.single.clone());
            }
        }
        if !singles.is_empty() {
            self.act(Action::WriteDown(singles));
        }
    }

    pub(super) fn written_down(&mut self, now: i64, messages: Vec<(MessageId, Written)>) {
        for (id, written) in messages {
            let Some(lying) = self.straight.messages.get_mut(&id) else { continue };
            match written {
                Written::Whole if self.has_cleaner => self.ask(Asked::Straight(id)),
                Written::NotAtAll if lying.heard.is_none() => {
                    lying.stage = Stage::Untouched;
                    self.straight.due.push(now.saturating_add(SYSTEM_FAILURE), id);
                }
                _ => self.give_up(now, id),
            }
        }
    }

    /// The envelope of a message is gone; true if nothing needs the message any more.
    pub(super) fn rise(&mut self, id: MessageId) -> bool {
        let Some(Lying { single, stage, heard, .. }) = self.straight.remove(id) else {
            return false;
        };
        if stage == Stage::Delivered {
            if let Some((delivery, text)) = heard {
                self.put_down(&delivery, &text, Outcome::Success);
            }
            self.messages.remove(&id);
            self.act(Action::Over(id));
            return true;
        }
        if let Some((delivery, text)) = heard {
            self.conclude(single.channel, delivery, text);
        }
        false
    }

    /// The envelope of a message could not be removed.
    pub(super) fn stays(&mut self, now: i64, id: MessageId) {
        let Some(lying) = self.straight.messages.get_mut(&id) else { return };
        if lying.stage != Stage::Delivered {
            self.give_up(now, id);
            return;
        }
        // It must not be delivered again as long as this can be avoided.
        self.straight.due.push(now.saturating_add(SYSTEM_FAILURE), id);
        if let Some((delivery, text)) = lying.heard.take() {
            self.put_down(&delivery, &text, Outcome::Success);
        }
    }

    /// Nobody will remove envelopes any more.
    pub(super) fn give_up_all(&mut self, now: i64) {
        let ids: Vec<_> = self.straight.messages.keys().copied().collect();
        for id in ids {
            self.give_up(now, id);
        }
    }

    /// Nothing can be noted of a message any more. If it still waits for a slot it must not be delivered.
    fn give_up(&mut self, now: i64, id: MessageId) {
        let Some(lying) = self.straight.messages.get_mut(&id) else { return };
        lying.stage = Stage::Lost;
        let channel = lying.single.channel;
        if lying.is_waiting {
            self.fresh.remove(&(channel, id));
            self.lanes[channel].schedule.remove(id);
            self.lose(now, id);
        } else if lying.heard.is_some() {
            self.lose(now, id);
        }
    }

    /// The message is taken up again where it lies. Tells of an attempt that cannot be noted.
    fn lose(&mut self, now: i64, id: MessageId) {
        let Some(lying) = self.straight.remove(id) else { return };
        self.messages.remove(&id);
        self.todo.try_again(now);
        let Some((delivery, text)) = lying.heard else { return };
        let is_success = is_success(&text);
        if is_success {
            let (name, then) = (Area::Todo.of(id), "; message will be delivered twice!");
            self.log.warning(("trouble marking ", name.as_bytes(), then));
        }
        let outcome = if is_success { Outcome::Success } else { Outcome::Deferral };
        self.put_down(&delivery, &text, outcome);
    }

    /// Tells of a delivery of which nothing is to be noted.
    fn put_down(&mut self, delivery: &Delivery, text: &[u8], outcome: Outcome) {
        self.jobs.remove(delivery.job);
        self.log.delivery(delivery.number, outcome, text.get(1..).unwrap_or_default());
        self.status();
    }
}

fn is_success(text: &[u8]) -> bool {
    text.first() == Some(&b'K')
}
