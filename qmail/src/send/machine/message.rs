//! Messages as a whole: what they still need, their end, and qmail-clean.

use queue::home::SPLIT;
use queue::path::MessageId;
use queue::sweep::{Answer, Request};

use super::{Action, Found, Look, Machine, SYSTEM_FAILURE};
use crate::send::todo::Preprocessed;
use crate::send::{Channel, Channels};

/// Between two sweeps of `mess/`, in seconds.
const SLEEP_SWEEP: i64 = 76_431;

/// Bounces sent in a turn: each waits for qmail-queue and its disk.
const BOUNCES: usize = 4;

/// Messages looked at again in a turn.
const LOOKS: usize = 64;

/// What a message still has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Message {
    /// Channels with recipients.
    pub(super) has: Channels<bool>,
    /// Whether there is something in `bounce/`.
    pub(super) has_bounce: bool,
}

/// What qmail-clean was asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// To remove the envelope of a message that did not prove itself.
    Broken(MessageId),
    /// To remove a preprocessed message's envelope; and when it was preprocessed.
    Envelope(Preprocessed, i64),
    /// To remove the message.
    Message(MessageId),
    /// To remove all that a message has which was delivered straight from `todo/`.
    Over(MessageId),
    /// To remove the envelope of a message that is known from it.
    Straight(MessageId),
}

impl Asked {
    fn request(&self) -> Request {
        match self {
            Asked::Envelope(message, _) => Request::Envelope(message.id),
            Asked::Broken(id) | Asked::Straight(id) => Request::Envelope(*id),
            Asked::Message(id) => Request::Message(*id),
            Asked::Over(id) => Request::Over(*id),
        }
    }
}

/// The search for files in `mess/` that belong to nobody, one directory in a turn.
#[derive(Debug)]
pub(super) struct Sweeping {
    due: i64,
    next: Option<u64>,
}

impl Sweeping {
    pub(super) fn due_at(due: i64) -> Sweeping {
        Sweeping { due, next: None }
    }

    /// When it goes on.
    pub(super) fn next(&self, now: i64) -> i64 {
        if self.next.is_some() { now } else { self.due }
    }
}

impl Machine {
    /// A message of the queue as it was found.
    pub(super) fn add(&mut self, now: i64, found: Found) {
        let Found { id, due, has_bounce } = found;
        let has = Channels::make(|channel| due[channel].is_some());
        self.messages.insert(id, Message { has, has_bounce });
        for channel in Channel::ALL {
            if let Some(time) = due[channel] {
                self.lanes[channel].schedule.push_saved(time, id);
            }
        }
        if due == Channels::default() {
            self.done.push(now, id);
        }
    }

    pub(super) fn looked(&mut self, now: i64, id: MessageId, look: Look) {
        match look {
            Look::Found(found) => self.add(now, found),
            Look::Gone => {}
            Look::Trouble => self.failed.push(now.saturating_add(SYSTEM_FAILURE), id),
        }
    }

    pub(super) fn look_again(&mut self, now: i64) {
        for _ in 0..LOOKS {
            let Some(id) = self.failed.pop(now) else { return };
            self.act(Action::Look(id));
        }
    }

    pub(super) fn removed(&mut self, now: i64, channel: Channel, id: MessageId, is_removed: bool) {
        if !is_removed {
            let name = channel.area().of(id);
            self.log.warning(("unable to unlink ", name.as_bytes(), "; will try again later"));
            self.lanes[channel].schedule.push(now.saturating_add(SYSTEM_FAILURE), id);
            return;
        }
        let message = self.messages.entry(id).or_default();
        message.has[channel] = false;
        if message.has == Channels::default() {
            self.finish(now, id);
        }
    }

    /// Nobody is left to deliver the message to.
    fn finish(&mut self, now: i64, id: MessageId) {
        if self.messages.get(&id).is_some_and(|message| message.has_bounce) {
            self.done.push(now, id);
        } else {
            self.act(Action::End(id));
        }
    }

    /// Sends some of the bounces that are due; gives how many.
    pub(super) fn send_bounces(&mut self, now: i64) -> usize {
        let mut bounces = 0;
        while bounces < BOUNCES
            && let Some(id) = self.done.pop(now)
        {
            if self.messages.get(&id).is_some_and(|message| message.has_bounce) {
                bounces += 1;
                self.act(Action::Bounce(id));
            } else {
                self.act(Action::End(id));
            }
        }
        bounces
    }

    pub(super) fn bounced(&mut self, now: i64, id: MessageId, is_bounced: bool) {
        if is_bounced {
            if let Some(message) = self.messages.get_mut(&id) {
                message.has_bounce = false;
            }
            self.act(Action::End(id));
        } else {
            self.done.push(now.saturating_add(SYSTEM_FAILURE), id);
        }
    }

    pub(super) fn ended(&mut self, now: i64, id: MessageId, is_ended: bool) {
        if is_ended {
            self.messages.remove(&id);
            self.ask(Asked::Message(id));
        } else {
            self.done.push(now.saturating_add(SYSTEM_FAILURE), id);
        }
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        if !self.has_cleaner {
            return;
        }
        let is_new = match &asked {
            Asked::Envelope(message, _) => self.leaving_todo.insert(message.id),
            Asked::Broken(id) | Asked::Over(id) | Asked::Straight(id) => {
                self.leaving_todo.insert(*id)
            }
            Asked::Message(id) => self.leaving_mess.insert(*id),
        };
        // Asked twice, qmail-clean would remove the next message that gets the number.
        if !is_new {
            return;
        }
        self.act(Action::Ask(asked.request()));
        self.asked.push_back(asked);
    }

    pub(super) fn answers(&mut self, now: i64, bytes: &[u8]) {
        for &byte in bytes {
            let Some(asked) = self.asked.pop_front() else { return };
            let id = match &asked {
                Asked::Envelope(message, _) => message.id,
                Asked::Broken(id) | Asked::Message(id) | Asked::Over(id) | Asked::Straight(id) => {
                    *id
                }
            };
            if matches!(asked, Asked::Message(_)) {
                self.leaving_mess.remove(&id);
            } else {
                self.leaving_todo.remove(&id);
            }
            let answer = Answer::parse(byte).unwrap_or(Answer::Failed);
            match (asked, answer) {
                // Another message may have had the number at once, and been taken for this one.
                (Asked::Broken(_), Answer::Done) => self.todo.pull(),
                (Asked::Envelope(message, birth), Answer::Done) => {
                    self.deliver(now, message, birth);
                }
                (Asked::Message(_), Answer::Done) => {}
                (Asked::Straight(_), Answer::Done) => {
                    if self.rise(id) {
                        self.ask(Asked::Message(id));
                    }
                }
                (Asked::Over(_), Answer::Done) => {
                    self.rise(id);
                }
                (Asked::Over(_), Answer::Partly) => {
                    self.rise(id);
                    self.unclean(Request::Message(id));
                }
                (Asked::Over(_), Answer::Misunderstood) => {
                    // Another's: it is asked for one thing after the other.
                    self.straight.is_cleaner_others = true;
                    self.ask(Asked::Straight(id));
                }
                (Asked::Broken(_) | Asked::Envelope(..), _) => {
                    self.unclean(Request::Envelope(id));
                    self.todo.try_again(now);
                }
                (Asked::Message(_), _) => self.unclean(Request::Message(id)),
                (Asked::Over(_) | Asked::Straight(_), _) => {
                    self.unclean(Request::Envelope(id));
                    self.stays(now, id);
                }
            }
            if self.doubtful.remove(&id) {
                self.act(Action::Check(id));
            }
        }
    }

    fn unclean(&mut self, request: Request) {
        let request = request.to_bytes();
        let name = request.strip_suffix(&[0]).unwrap_or_default();
        self.log.warning(("qmail-clean unable to clean up ", name));
    }

    pub(super) fn cleaner_gone(&mut self, now: i64) {
        if std::mem::replace(&mut self.has_cleaner, false) {
            self.log.alert("oh no! lost qmail-clean connection! dying...");
            self.is_leaving = true;
            self.give_up_all(now);
        }
    }

    /// A message whose envelope is gone from `todo/`.
    fn deliver(&mut self, now: i64, message: Preprocessed, birth: i64) {
        let Preprocessed { id, sender, recipients } = message;
        let has = Channels::make(|channel| recipients[channel].is_some());
        self.messages.insert(id, Message { has, has_bounce: false });
        let Channels { local, remote } = recipients;
        for (channel, recipients) in [(Channel::Local, local), (Channel::Remote, remote)] {
            if let Some(recipients) = recipients {
                self.lanes[channel].schedule.push(now, id);
                self.keep(channel, id, birth, &sender, recipients);
            }
        }
        if has == Channels::default() {
            self.finish(now, id);
        }
    }

    pub(super) fn sweep(&mut self, now: i64) {
        let directory = match self.sweeping.next.take() {
            Some(directory) => directory,
            None if now >= self.sweeping.due => 0,
            None => return,
        };
        self.act(Action::Sweep(directory));
        if directory + 1 < SPLIT {
            self.sweeping.next = Some(directory + 1);
        } else {
            self.sweeping.due = now.saturating_add(SLEEP_SWEEP);
        }
    }

    pub(super) fn in_mess(&mut self, mut ids: Vec<MessageId>) {
        ids.retain(|id| {
            !self.messages.contains_key(id)
                && !self.leaving_todo.contains(id)
                && !self.leaving_mess.contains(id)
        });
        if !ids.is_empty() {
            self.act(Action::Examine(ids));
        }
    }
}
