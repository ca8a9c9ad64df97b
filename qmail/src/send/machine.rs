//! The queue manager as one machine: events in, actions out. It touches nothing.
//!
//! Three kinds of work share its time. Deliveries begin whenever a slot is free. `todo/` is
//! preprocessed a batch at a time, one batch for each [`Event::Turn`], so that reports are heard
//! between two batches and neither keeps the other waiting. The rest (bounces, cleaning up) comes in
//! small portions for each turn as well.

mod deliver;
mod message;
mod straight;
mod terms;
mod todo;

use std::collections::{HashMap, HashSet, VecDeque};

use queue::path::MessageId;

use crate::send::jobs::Jobs;
use crate::send::log::{Load, Log};
use crate::send::schedule::Schedule;
use crate::send::{Channel, Channels};

use deliver::{Fresh, Lane};
use message::{Asked, Message, Sweeping};
use straight::Straight;
use todo::Todo;

pub use terms::{Action, Event, Found, Limits, Look};

/// Until something that failed on this machine is tried again, in seconds.
const SYSTEM_FAILURE: i64 = 123;

/// The longest time between two turns, in seconds.
const FOREVER: i64 = 86_400;

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
    straight: Straight,
    /// What qmail-clean has still to answer, the oldest first.
    asked: VecDeque<Asked>,
    /// The messages in it that are about to leave `todo/`.
    leaving_todo: HashSet<MessageId>,
    /// The messages in it that are about to leave `mess/`. Their numbers may be used again before
    /// the answer is heard.
    leaving_mess: HashSet<MessageId>,
    /// Those that were delivered straight from `todo/`, and were listed there while qmail-clean removed them.
    doubtful: HashSet<MessageId>,
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
            straight: Straight::default(),
            asked: VecDeque::new(),
            leaving_todo: HashSet::new(),
            leaving_mess: HashSet::new(),
            doubtful: HashSet::new(),
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
        self.write_down();
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
            Event::CleanerGone => self.cleaner_gone(now),
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
            Event::Preprocessed(messages, singles, broken) => {
                self.preprocessed(now, messages, singles, broken);
            }
            Event::Pulled => self.todo.pull(),
            Event::Read(channel, bytes, is_whole) => self.lanes[channel].feed(bytes, is_whole),
            Event::Removed(channel, id, is_removed) => self.removed(now, channel, id, is_removed),
            Event::Reports(channel, bytes) => self.reports(now, channel, &bytes),
            Event::Reread => self.act(Action::Reread),
            Event::Reused(id) => self.reused(now, id),
            Event::RunNow => self.lanes.all(|lane| lane.schedule.run(now)),
            Event::SpawnerGone(channel) => self.spawner_gone(channel),
            Event::Turn => self.turn(now),
            Event::WrittenDown(messages) => self.written_down(now, messages),
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
            times.push(self.todo.next(now, self.may_look_at(now, 1) > 0));
            times.extend(self.straight.next());
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
            self.lose_patience(now);
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
            // A message that lies in todo/ has no file that could say when it is due.
            let is_lying = |id| self.straight.has(id);
            let unsaved =
                entries.into_iter().filter(|entry| !entry.is_saved && !is_lying(entry.id));
            for entry in unsaved.collect::<Vec<_>>() {
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
