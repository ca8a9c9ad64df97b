//! Passes, deliveries and reports.

use queue::path::{Area, MessageId};

use super::{Action, Machine, SYSTEM_FAILURE};
use crate::send::jobs::{Delivery, Group, Job, JobNumber, Next, Pass, Slots, Turn};
use crate::send::log::Outcome;
use crate::send::schedule::Schedule;
use crate::send::{Channel, Channels, retry, route};
use crate::spawn::protocol::{self, Heard, Report, Reports};

/// What a last deferral says before it becomes a failure.
const GIVEN_UP: &[u8] =
    b"I'm not going to try again; this message has been in the queue too long.\n";

/// Everything that there is for each channel.
#[derive(Debug)]
pub(super) struct Lane {
    /// Messages that wait for their time.
    pub(super) schedule: Schedule,
    pub(super) slots: Slots,
    /// Commands that wait to be sent.
    commands: Vec<u8>,
    /// The message and the sender of a wide command among them that has not ended.
    unended: Option<(MessageId, Vec<u8>)>,
    /// The spawner understands wide commands.
    pub(super) is_wide: bool,
    reports: Reports,
    pass: Option<Pass>,
    /// What the pass waits for.
    awaited: Option<Awaited>,
    /// True if a file of recipients is open for the pass.
    is_open: bool,
    pub(super) is_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Bytes,
    File(MessageId),
}

impl Default for Lane {
    fn default() -> Lane {
        Lane {
            schedule: Schedule::default(),
            slots: Slots::default(),
            commands: Vec::new(),
            unended: None,
            is_wide: false,
            reports: Reports::default(),
            pass: None,
            awaited: None,
            is_open: false,
            is_alive: true,
        }
    }
}

impl Lane {
    pub(super) fn feed(&mut self, bytes: Vec<u8>, is_whole: bool) {
        self.awaited = None;
        if let Some(pass) = &mut self.pass {
            pass.feed(bytes, is_whole);
        }
    }

    /// Asks the spawner whether it understands wide commands.
    pub(super) fn greet(&mut self) {
        self.commands.extend(protocol::hello());
    }

    /// The commands that wait to be sent.
    pub(super) fn take_commands(&mut self) -> Vec<u8> {
        self.end_command();
        std::mem::take(&mut self.commands)
    }

    fn end_command(&mut self) {
        if self.unended.take().is_some() {
            protocol::end_wide(&mut self.commands);
        }
    }

    /// Commands a delivery, together with the one before if they are of the same message and sender.
    fn command(&mut self, slot: u32, id: MessageId, sender: &[u8], recipient: &[u8]) {
        if !self.is_wide {
            // A spawner that says in one byte what it bears has no more slots than fit in one.
            let slot = u8::try_from(slot).unwrap_or(u8::MAX);
            protocol::push_command(&mut self.commands, slot, id, sender, recipient);
            return;
        }
        if !self.unended.as_ref().is_some_and(|(one, from)| *one == id && from == sender) {
            self.end_command();
            protocol::begin_wide(&mut self.commands, id, sender);
            self.unended = Some((id, sender.to_vec()));
        }
        protocol::push_recipient(&mut self.commands, slot, recipient);
    }
}

impl Channels<Lane> {
    pub(super) fn all(&mut self, mut each: impl FnMut(&mut Lane)) {
        each(&mut self.local);
        each(&mut self.remote);
    }
}

/// A message that was preprocessed a moment ago, and whose first pass need read no file.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) sender: Vec<u8>,
    pub(super) birth: i64,
    pub(super) recipients: Vec<u8>,
}

impl Machine {
    /// True if a pass may begin on the channel.
    pub(super) fn may_begin(&self, channel: Channel) -> bool {
        let lane = &self.lanes[channel];
        let jobs = Channel::ALL.map(|channel| usize::from(self.lanes[channel].slots.limit()));
        lane.is_alive
            && lane.pass.is_none()
            && lane.awaited.is_none()
            && lane.slots.has_room()
            && self.jobs.count() < jobs.into_iter().sum()
    }

    /// True if no delivery is under way, on channels whose spawner is there, and all are told of.
    pub(super) fn is_drained(&self) -> bool {
        self.straight.is_told()
            && Channel::ALL.into_iter().all(|channel| {
                let lane = &self.lanes[channel];
                !lane.is_alive || lane.slots.used() == 0
            })
    }

    pub(super) fn spawner_gone(&mut self, channel: Channel) {
        if std::mem::replace(&mut self.lanes[channel].is_alive, false) {
            self.log.alert("oh no! lost spawn connection! dying...");
            self.is_leaving = true;
        }
    }

    /// Begins passes and deliveries, by turns on both channels, as long as there are slots and
    /// something is due.
    pub(super) fn advance(&mut self, now: i64) {
        while Channel::ALL.map(|channel| self.begin_delivery(now, channel)).contains(&true) {}
    }

    /// Begins a delivery if that can be.
    fn begin_delivery(&mut self, now: i64, channel: Channel) -> bool {
        while !self.is_leaving && self.lanes[channel].is_alive {
            let lane = &mut self.lanes[channel];
            if lane.awaited.is_some() {
                return false;
            }
            let has_room = lane.slots.has_room();
            let Some(pass) = &mut lane.pass else {
                if !self.may_begin(channel) || !self.begin_pass(now, channel) {
                    return false;
                }
                continue;
            };
            if pass.is_over() {
                self.end_pass(channel, true);
                continue;
            }
            if !has_room {
                return false;
            }
            let job = pass.job;
            match pass.read() {
                Next::End => self.end_pass(channel, true),
                Next::More => {
                    lane.awaited = Some(Awaited::Bytes);
                    self.act(Action::Read(channel));
                }
                Next::Recipient { offset, address } => {
                    self.start(channel, job, offset, &address);
                    return true;
                }
                Next::Unknown => {
                    self.complain_of_pass(channel, "unknown record type in ", "!");
                    self.end_pass(channel, false);
                }
            }
        }
        false
    }

    /// Begins a pass for the next message that is due, if there is one.
    fn begin_pass(&mut self, now: i64, channel: Channel) -> bool {
        let Some(id) = self.lanes[channel].schedule.pop(now) else {
            self.straight.relax(channel);
            return false;
        };
        self.straight.begun(id);
        if let Some(fresh) = self.fresh.remove(&(channel, id)) {
            if fresh.birth == now {
                self.straight.relax(channel);
            }
            self.new_pass(now, channel, id, fresh.birth, fresh.sender);
            self.lanes[channel].feed(fresh.recipients, true);
        } else {
            self.lanes[channel].awaited = Some(Awaited::File(id));
            self.act(Action::Open(channel, id));
        }
        true
    }

    fn new_pass(&mut self, now: i64, channel: Channel, id: MessageId, birth: i64, sender: Vec<u8>) {
        let next = retry::next(birth, now, channel);
        let is_last = retry::is_last(birth, now, self.limits.lifetime);
        let job = self.jobs.add(Job::new(id, channel, sender, next, is_last));
        self.lanes[channel].pass = Some(Pass::new(job));
    }

    pub(super) fn opened(&mut self, now: i64, channel: Channel, birth: i64, sender: Vec<u8>) {
        if let Some(Awaited::File(id)) = self.lanes[channel].awaited.take() {
            self.new_pass(now, channel, id, birth, sender);
            self.lanes[channel].is_open = true;
        }
    }

    pub(super) fn not_opened(&mut self, now: i64, channel: Channel, area: Area) {
        if let Some(Awaited::File(id)) = self.lanes[channel].awaited.take() {
            let name = area.of(id);
            self.log.warning(("trouble opening ", name.as_bytes(), "; will try again later"));
            self.lanes[channel].schedule.push(now.saturating_add(SYSTEM_FAILURE), id);
        }
    }

    pub(super) fn not_read(&mut self, channel: Channel) {
        self.lanes[channel].awaited = None;
        self.complain_of_pass(channel, "trouble reading ", "; will try again later");
        self.end_pass(channel, false);
    }

    fn complain_of_pass(&mut self, channel: Channel, what: &str, then: &str) {
        let pass = self.lanes[channel].pass.as_ref();
        if let Some(job) = pass.and_then(|pass| self.jobs.of(pass.job)) {
            let name = channel.area().of(job.id);
            self.log.warning((what, name.as_bytes(), then));
        }
    }

    /// The recipients have been read: all of them, or it could not go on.
    fn end_pass(&mut self, channel: Channel, are_all: bool) {
        let lane = &mut self.lanes[channel];
        let pass = lane.pass.take();
        if std::mem::replace(&mut lane.is_open, false) {
            self.act(Action::Close(channel));
        }
        if let Some(pass) = pass {
            if let Some(job) = self.jobs.of(pass.job) {
                job.finish_reading(are_all);
            }
            self.settle(pass.job, None);
        }
    }

    /// What becomes of a job now; `offset` is where the recipient stands who has just been done with
    /// and is not marked yet.
    fn settle(&mut self, number: JobNumber, offset: Option<u64>) {
        let Some(job) = self.jobs.of(number) else { return };
        let (channel, id, retry) = (job.channel, job.id, job.retry);
        match job.turn() {
            Turn::IsDone => {
                self.jobs.remove(number);
                self.act(Action::Remove(channel, id, offset));
                return;
            }
            Turn::GoesOn => {}
            Turn::WaitsForNextTime => {
                self.jobs.remove(number);
                self.lanes[channel].schedule.push(retry, id);
            }
        }
        if let Some(offset) = offset {
            self.act(Action::Mark(channel, id, offset));
        }
    }

    /// Begins the delivery to a recipient, and to those at the same host who can share its connection.
    fn start(&mut self, channel: Channel, number: JobNumber, offset: u64, recipient: &[u8]) {
        let Some(job) = self.jobs.of(number) else { return };
        let sender = route::sender_for(&job.sender, recipient).into_owned();
        let host = route::host_of(recipient);
        let first = self.start_one(channel, number, Group::Own, &sender, offset, recipient);
        let lane = &mut self.lanes[channel];
        let others = usize::from(self.limits.together).saturating_sub(1);
        if channel == Channel::Local || !lane.is_wide || others == 0 {
            return;
        }
        let (Some(pass), Some(job)) = (&mut lane.pass, self.jobs.of(number)) else { return };
        let others = pass.take_alike(others, |other| {
            route::host_of(other) == host && *route::sender_for(&job.sender, other) == *sender
        });
        for (offset, recipient) in others {
            self.start_one(channel, number, Group::Of(first), &sender, offset, &recipient);
        }
        // Those that come next have a connection of their own.
        self.lanes[channel].end_command();
    }

    /// Begins a delivery; gives the number by which the spawner knows it.
    fn start_one(
        &mut self,
        channel: Channel,
        number: JobNumber,
        group: Group,
        sender: &[u8],
        offset: u64,
        recipient: &[u8],
    ) -> u32 {
        let Some(job) = self.jobs.of(number) else { return u32::MAX };
        job.begin();
        let id = job.id;
        self.deliveries += 1;
        self.log.starting(self.deliveries, id, channel, recipient);
        let lane = &mut self.lanes[channel];
        let delivery = Delivery {
            number: self.deliveries,
            job: number,
            offset,
            recipient: recipient.to_vec(),
        };
        let slot = lane.slots.take(delivery, group);
        lane.command(slot, id, sender, recipient);
        self.status();
        slot
    }

    pub(super) fn reports(&mut self, now: i64, channel: Channel, mut bytes: &[u8]) {
        while let Some(heard) = self.lanes[channel].reports.next(&mut bytes) {
            match heard {
                Heard::Report(Report { delivery, text }) => {
                    match self.lanes[channel].slots.release(delivery) {
                        Some(delivery) => self.heard(now, channel, delivery, text),
                        None => self.log.warning("internal error: delivery report out of range"),
                    }
                }
                Heard::Answer(Some(most)) => {
                    self.lanes[channel].is_wide = true;
                    self.most[channel] = most;
                    self.limits(self.limits);
                }
                Heard::Answer(None) => {}
            }
        }
    }

    /// Notes what has become of a delivery.
    pub(super) fn conclude(&mut self, channel: Channel, delivery: Delivery, mut text: Vec<u8>) {
        let Delivery { number, job: job_number, offset, recipient } = delivery;
        let Some(job) = self.jobs.of(job_number) else { return };
        if let Some(letter @ b'Z') = text.first_mut()
            && job.is_last
        {
            *letter = b'D';
            text.extend_from_slice(GIVEN_UP);
        }
        let (outcome, text) = match text.split_first() {
            Some((b'D', text)) => (Outcome::Failure, text),
            Some((b'K', text)) => (Outcome::Success, text),
            Some((b'Z', text)) => (Outcome::Deferral, text),
            _ => {
                self.log.mangled(number);
                job.end(false);
                self.settle(job_number, None);
                self.status();
                return;
            }
        };
        let (id, is_done) = (job.id, outcome != Outcome::Deferral);
        job.end(is_done);
        self.log.delivery(number, outcome, text);
        if outcome == Outcome::Failure {
            if let Some(message) = self.messages.get_mut(&id) {
                message.has_bounce = true;
            }
            self.act(Action::Complain { id, channel, recipient, report: text.to_vec() });
        }
        self.settle(job_number, is_done.then_some(offset));
        self.status();
    }
}
