//! The queue manager as one machine: events in, actions out. It touches nothing.
//!
//! Three kinds of work share its time. Deliveries begin whenever a slot is free. `todo/` is
//! preprocessed a batch at a time, one batch for each [`Event::Turn`], so that reports are heard
//! between two batches and neither keeps the other waiting. The rest (bounces, cleaning up) comes in
//! small portions for each turn as well.

mod deliver;
mod message;
mod todo;

use std::collections::{HashMap, HashSet, VecDeque};

use queue::path::{Area, MessageId};
use queue::sweep::Request;

use crate::send::jobs::Jobs;
use crate::send::log::{Load, Log};
use crate::send::schedule::Schedule;
use crate::send::todo::Preprocessed;
use crate::send::{Channel, Channels};

use deliver::{Fresh, Lane};
use message::{Asked, Message, Sweeping};
use todo::Todo;

/// Until something that failed on this machine is tried again, in seconds.
const SYSTEM_FAILURE: i64 = 123;

/// The longest time between two turns, in seconds.
const FOREVER: i64 = 86_400;

/// What happens to the queue manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// qmail-clean answers requests.
    Answers(Vec<u8>),
    /// It begins, with these messages in the queue, and some that could not be looked at.
    Begin(Vec<Found>, Vec<MessageId>),
    /// A message has had its bounce, or needs none; or it could not be sent.
    Bounced(MessageId, bool),
    /// qmail-clean has ended.
    CleanerGone,
    /// A message's sender is forgotten; or it could not be.
    Ended(MessageId, bool),
    /// Messages of one directory of `mess/`.
    InMess(Vec<MessageId>),
    /// To end when no delivery is under way any more (SIGTERM).
    Leave,
    /// The control files say this.
    Limits(Limits),
    /// `todo/` has been listed, or could not be. True if the trigger is being watched.
    Listed(Option<Vec<MessageId>>, bool),
    /// A message has been looked at again.
    Looked(MessageId, Look),
    /// The file of recipients, or in that other area of the sender, could not be opened.
    NotOpened(Channel, Area),
    /// The file of recipients could not be read.
    NotRead(Channel),
    /// A file of recipients has been opened.
    Opened {
        /// On which channel.
        channel: Channel,
        /// The message's birth, in seconds since 1970.
        birth: i64,
        /// Its sender.
        sender: Vec<u8>,
    },
    /// Messages whose files nobody needs.
    Orphans(Vec<MessageId>),
    /// Messages whose envelopes may be removed.
    Preprocessed(Vec<Preprocessed>),
    /// The trigger has been pulled.
    Pulled,
    /// The next bytes of a file of recipients, and whether they are the last.
    Read(Channel, Vec<u8>, bool),
    /// A file of recipients is gone; or it could not be removed.
    Removed(Channel, MessageId, bool),
    /// A spawner reports on deliveries.
    Reports(Channel, Vec<u8>),
    /// The control files are to be read again (SIGHUP).
    Reread,
    /// Every message is to be tried now (SIGALRM).
    RunNow,
    /// A spawner has ended.
    SpawnerGone(Channel),
    /// What has happened is told; time for one portion of everything else.
    Turn,
}

/// What is to be done. Those that say so are answered by an event, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask qmail-clean, which answers when it has done it.
    Ask(Request),
    /// Send what the message has in `bounce/`; answer with [`Event::Bounced`].
    Bounce(MessageId),
    /// Close the channel's file of recipients.
    Close(Channel),
    /// Add a recipient's failure to the message's bounce, for good.
    Complain {
        /// The message.
        id: MessageId,
        /// The recipient's channel.
        channel: Channel,
        /// The recipient.
        recipient: Vec<u8>,
        /// Why.
        report: Vec<u8>,
    },
    /// Log the message's end and remove its sender; answer with [`Event::Ended`].
    End(MessageId),
    /// See which of these messages of `mess/` are nobody's; answer with [`Event::Orphans`].
    Examine(Vec<MessageId>),
    /// End the process.
    Exit,
    /// Write these lines.
    Log(Vec<u8>),
    /// See which files a message has; answer with [`Event::Looked`].
    Look(MessageId),
    /// Mark a recipient as done.
    Mark(Channel, MessageId, u64),
    /// Open a message's file of recipients for a pass; answer with [`Event::Opened`] or
    /// [`Event::NotOpened`].
    Open(Channel, MessageId),
    /// Preprocess messages; answer with [`Event::Preprocessed`].
    Preprocess(Vec<MessageId>),
    /// Read on in the channel's file of recipients; answer with [`Event::Read`] or
    /// [`Event::NotRead`].
    Read(Channel),
    /// Remove a file of recipients; if that cannot be, mark the last recipient as done. Answer with
    /// [`Event::Removed`].
    Remove(Channel, MessageId, Option<u64>),
    /// Read the control files again; answer with [`Event::Limits`] if that can be.
    Reread,
    /// Note on the file of recipients when it is due, in seconds since 1970.
    Save(Channel, MessageId, i64),
    /// Watch the trigger anew and list `todo/`; answer with [`Event::Listed`].
    Scan,
    /// Send commands to a spawner.
    Send(Channel, Vec<u8>),
    /// List the directory of `mess/` with this number; answer with [`Event::InMess`].
    Sweep(u64),
}

/// A message in the queue that is preprocessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub id: MessageId,
    /// When it is due on each channel that it has recipients on, in seconds since 1970.
    pub due: Channels<Option<i64>>,
    /// True if it has a file in `bounce/`.
    pub has_bounce: bool,
}

/// What a look at a message showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is to be delivered.
    Found(Found),
    /// It is not there, or not preprocessed.
    Gone,
    /// It could not be seen.
    Trouble,
}

/// Numbers out of control files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many deliveries at a time.
    pub concurrency: Channels<u16>,
    /// How many recipients of one message may share a connection to their host.
    pub together: u16,
    /// How long recipients are tried, in seconds.
    pub lifetime: u64,
}

/// The queue manager.
#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    /// What the spawners bear.
    most: Channels<u16>,
    lanes: Channels<Lane>,
    jobs: Jobs,
    /// Deliveries begun since the process began.
    deliveries: u64,
    /// Every message that is preprocessed.
    messages: HashMap<MessageId, Message>,
    /// Recipients that were preprocessed a moment ago.
    fresh: HashMap<(Channel, MessageId), Fresh>,
    /// Messages without recipients that need a bounce, or whose end has failed.
    done: Schedule,
    /// Messages that could not be looked at.
    failed: Schedule,
    todo: Todo,
    /// What qmail-clean has still to answer, the oldest first.
    asked: VecDeque<Asked>,
    /// The messages in it that are about to leave `todo/`.
    leaving_todo: HashSet<MessageId>,
    /// The messages in it that are about to leave `mess/`. Their numbers may be used again before
    /// the answer is heard.
    leaving_mess: HashSet<MessageId>,
    has_cleaner: bool,
    sweeping: Sweeping,
    is_leaving: bool,
    /// True after a last portion of bounces.
    has_parted: bool,
    log: Log,
    actions: Vec<Action>,
}

impl Machine {
    /// A machine to be begun at `now` (seconds since 1970, as all times here). `most` is how many
    /// deliveries each spawner bears.
    #[must_use]
    pub fn new(now: i64, limits: Limits, most: Channels<u16>) -> Machine {
        let mut machine = Machine {
            limits,
            most,
            lanes: Channels::make(|_| Lane::default()),
            jobs: Jobs::default(),
            deliveries: 0,
            messages: HashMap::new(),
            fresh: HashMap::new(),
            done: Schedule::default(),
            failed: Schedule::default(),
            todo: Todo::due_at(now),
            asked: VecDeque::new(),
            leaving_todo: HashSet::new(),
            leaving_mess: HashSet::new(),
            has_cleaner: true,
            sweeping: Sweeping::due_at(now),
            is_leaving: false,
            has_parted: false,
            log: Log::default(),
            actions: Vec::new(),
        };
        machine.limit();
        machine
    }

    /// What is to be done about `event`, in this order.
    pub fn step(&mut self, now: i64, event: Event) -> Vec<Action> {
        self.take_in(now, event);
        self.advance(now);
        for channel in Channel::ALL {
            let commands = self.lanes[channel].take_commands();
            if !commands.is_empty() {
                self.act(Action::Send(channel, commands));
            }
        }
        self.flush_log();
        std::mem::take(&mut self.actions)
    }

    fn take_in(&mut self, now: i64, event: Event) {
        match event {
            Event::Answers(bytes) => self.answers(now, &bytes),
            Event::Begin(found, failed) => self.begin(now, found, failed),
            Event::Bounced(id, is_bounced) => self.bounced(now, id, is_bounced),
            Event::CleanerGone => self.cleaner_gone(),
            Event::Ended(id, is_ended) => self.ended(now, id, is_ended),
            Event::InMess(ids) => self.in_mess(ids),
            Event::Leave => self.is_leaving = true,
            Event::Limits(limits) => self.limits(limits),
            Event::Listed(ids, is_watching) => self.listed(now, ids, is_watching),
            Event::Looked(id, look) => self.looked(now, id, look),
            Event::NotOpened(channel, area) => self.not_opened(now, channel, area),
            Event::NotRead(channel) => self.not_read(channel),
            Event::Opened { channel, birth, sender } => self.opened(now, channel, birth, sender),
            Event::Orphans(ids) => ids.into_iter().for_each(|id| self.ask(Asked::Message(id))),
            Event::Preprocessed(messages) => self.preprocessed(now, messages),
            Event::Pulled => self.todo.pull(),
            Event::Read(channel, bytes, is_whole) => self.lanes[channel].feed(bytes, is_whole),
            Event::Removed(channel, id, is_removed) => self.removed(now, channel, id, is_removed),
            Event::Reports(channel, bytes) => self.reports(channel, &bytes),
            Event::Reread => self.act(Action::Reread),
            Event::RunNow => self.lanes.all(|lane| lane.schedule.run(now)),
            Event::SpawnerGone(channel) => self.spawner_gone(channel),
            Event::Turn => self.turn(now),
        }
    }

    /// When the next turn is due if nothing happens before, in seconds since 1970.
    #[must_use]
    pub fn deadline(&self, now: i64) -> i64 {
        let mut times = vec![now.saturating_add(FOREVER)];
        times.extend(self.done.next());
        if self.is_leaving {
            times.extend(self.is_drained().then_some(now));
        } else {
            times.push(self.todo.next(now));
            times.extend(self.failed.next());
            times.push(self.sweeping.next(now));
            for channel in Channel::ALL {
                if self.may_begin(channel) {
                    times.extend(self.lanes[channel].schedule.next());
                }
            }
        }
        times.into_iter().min().unwrap_or(now)
    }

    fn begin(&mut self, now: i64, found: Vec<Found>, failed: Vec<MessageId>) {
        self.lanes.all(Lane::greet);
        self.messages.reserve(found.len());
        for found in found {
            self.add(now, found);
        }
        for id in failed {
            self.failed.push(now.saturating_add(SYSTEM_FAILURE), id);
        }
        self.status();
    }

    fn limits(&mut self, limits: Limits) {
        let before = self.load();
        self.limits = limits;
        self.limit();
        if self.load() != before {
            self.status();
        }
    }

    fn limit(&mut self) {
        for channel in Channel::ALL {
            let limit = self.limits.concurrency[channel].min(self.most[channel]);
            self.lanes[channel].slots.set_limit(limit);
        }
    }

    fn turn(&mut self, now: i64) {
        let bounces = self.send_bounces(now);
        if !self.is_leaving {
            self.scan_or_preprocess(now);
            self.look_again(now);
            self.sweep(now);
        } else if self.is_drained() {
            // The bounces that were due are sent, and then nothing is waited for.
            if bounces == 0 || self.has_parted {
                self.leave();
            }
            self.has_parted = true;
        }
    }

    fn leave(&mut self) {
        for channel in Channel::ALL {
            let entries: Vec<_> = self.lanes[channel].schedule.drain().collect();
            for entry in entries.into_iter().filter(|entry| !entry.is_saved) {
                self.act(Action::Save(channel, entry.id, entry.time));
            }
        }
        self.flush_log();
        self.log.exiting();
        self.flush_log();
        self.act(Action::Exit);
    }

    fn load(&self) -> Load {
        Channels::make(|channel| {
            let slots = &self.lanes[channel].slots;
            (slots.used(), slots.limit())
        })
    }

    fn status(&mut self) {
        self.log.status(self.load(), self.is_leaving);
    }

    /// An action, after the lines that were logged before it.
    fn act(&mut self, action: Action) {
        self.flush_log();
        self.actions.push(action);
    }

    fn flush_log(&mut self) {
        if self.log.as_bytes().is_empty() {
            return;
        }
        if let Some(Action::Log(lines)) = self.actions.last_mut() {
            lines.extend_from_slice(self.log.as_bytes());
            self.log.clear();
        } else {
            let lines = self.log.take();
            self.actions.push(Action::Log(lines));
        }
    }
}

#[cfg(test)]
mod tests;
