//! A host without a disk: it does what the machine says, and remembers.

mod envelopes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use queue::home::SPLIT;
use queue::path::MessageId;
use queue::sweep::Request;

use super::super::*;
use crate::domains::{DomainMap, DomainSet};
use crate::send::bounce::{self, Bounces};
use crate::send::route::Routes;
use crate::send::todo::Written;
use crate::spawn::protocol::{Command, Commands, Slot, WIDE, push_answer, push_report};

pub(super) const START: i64 = 1_000_000_000;

#[derive(Default)]
pub(super) struct Disk {
    pub(super) mess: BTreeMap<u64, String>,
    pub(super) todo: BTreeMap<u64, String>,
    /// Birth and sender.
    pub(super) info: BTreeMap<u64, (i64, String)>,
    pub(super) recipients: Channels<BTreeMap<u64, Vec<u8>>>,
    pub(super) bounce: BTreeMap<u64, String>,
}

pub(super) fn limits(local: u16, remote: u16) -> Limits {
    Limits { concurrency: Channels { local, remote }, together: 3, lifetime: 604_800 }
}

/// What is preprocessed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preprocesses {
    Everything,
    /// What is not delivered straight from todo/.
    TheRest,
}

/// When answers are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    AtOnce,
    Later,
}

pub(super) struct Host {
    pub(super) machine: Machine,
    pub(super) now: i64,
    pub(super) disk: Disk,
    pub(super) routes: Routes,
    pub(super) bounces: Bounces,
    /// What a reread gives.
    pub(super) limits: Limits,
    /// What was sent to the spawners and not looked at, a command for each recipient.
    pub(super) sent: Channels<VecDeque<Command>>,
    /// What the spawners answer when they are asked whether they understand wide commands.
    pub(super) bears: Option<u16>,
    /// How many recipients each wide command had.
    pub(super) shared: Vec<usize>,
    /// Bounces given to the queue: sender, recipient, text.
    pub(super) letters: Vec<(String, String, String)>,
    /// Requests that qmail-clean has not answered, if it is slow.
    pub(super) unanswered: Option<Vec<Request>>,
    /// When it is heard what qmail-clean has answered.
    pub(super) hears: Hears,
    /// What a qmail-clean that is another's answers to what it does not know.
    pub(super) others: Option<u8>,
    pub(super) is_watching: bool,
    /// File operations fail.
    pub(super) is_broken: bool,
    /// What becomes of files in info/ that are to be written; messages for which that has failed.
    pub(super) writes: Written,
    failed: BTreeSet<MessageId>,
    pub(super) preprocesses: Preprocesses,
    pub(super) saved: Vec<(Channel, MessageId, i64)>,
    pub(super) has_exited: bool,
    pub(super) actions: Vec<Action>,
    log: Log,
    open: Channels<Option<u64>>,
    answers: VecDeque<Event>,
}

impl Host {
    pub(super) fn new() -> Host {
        Host::limited(limits(10, 20))
    }

    pub(super) fn limited(limits: Limits) -> Host {
        let routes = Routes {
            locals: DomainSet::new([&b"here.test"[..]]),
            virtualdomains: DomainMap::new([&b"virt.test:joe"[..]]),
            envnoathost: b"here.test".into(),
            ..Routes::default()
        };
        let bounces = Bounces {
            user: b"MAILER-DAEMON".into(),
            host: b"here.test".into(),
            double_to: b"postmaster@here.test".into(),
            most: 0,
        };
        Host {
            machine: Machine::new(START, limits, Channels { local: 120, remote: 120 }),
            now: START,
            disk: Disk::default(),
            routes,
            bounces,
            limits,
            sent: Channels::default(),
            bears: None,
            shared: Vec::new(),
            letters: Vec::new(),
            unanswered: None,
            hears: Hears::AtOnce,
            others: None,
            is_watching: true,
            is_broken: false,
            writes: Written::Whole,
            failed: BTreeSet::new(),
            preprocesses: Preprocesses::Everything,
            saved: Vec::new(),
            has_exited: false,
            actions: Vec::new(),
            log: Log::default(),
            open: Channels::default(),
            answers: VecDeque::new(),
        }
    }

    /// A host that has begun, with nothing in its queue.
    pub(super) fn begun() -> Host {
        Host::new().begin()
    }

    pub(super) fn begin(self) -> Host {
        let mut host = self;
        host.tell(Event::Begin(Vec::new(), Vec::new()));
        while host.machine.deadline(host.now) == host.now {
            host.turn(); // to look into todo, and to sweep
        }
        host.log();
        host
    }

    /// The lines since the last call.
    pub(super) fn log(&mut self) -> String {
        text(&self.log.take())
    }

    pub(super) fn queue(&mut self, id: u64, envelope: &str) {
        self.disk.mess.insert(id, format!("Subject: {id}\n"));
        self.disk.todo.insert(id, envelope.to_owned());
    }

    /// Queues a message and lets it be preprocessed.
    pub(super) fn inject(&mut self, id: u64, envelope: &str) {
        self.queue(id, envelope);
        self.tell(Event::Pulled);
        self.turn();
    }

    /// Something happens, and all that follows at once.
    pub(super) fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.machine.step(self.now, event) {
                assert!(!self.has_exited, "{action:?} after the end");
                self.actions.push(action.clone());
                events.extend(self.perform(action));
            }
        }
    }

    /// A turn: what qmail-clean has to say, and a portion of everything else.
    pub(super) fn turn(&mut self) {
        self.hear_answers();
        self.tell(Event::Turn);
        self.hear_answers();
    }

    fn hear_answers(&mut self) {
        while self.hears == Hears::AtOnce
            && let Some(answer) = self.answers.pop_front()
        {
            self.tell(answer);
        }
    }

    /// Time passes until the machine wants a turn, which it gets.
    pub(super) fn sleep(&mut self) {
        self.now = self.now.max(self.machine.deadline(self.now));
        self.turn();
    }

    /// The recipients of the commands that were sent to a spawner.
    pub(super) fn commands(&mut self, channel: Channel) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent[channel]);
        sent.into_iter().map(|command| text(&command.recipients[0].address)).collect()
    }

    /// A spawner reports, and there is a turn.
    pub(super) fn report(&mut self, channel: Channel, slot: u8, report: &str) {
        self.report_on(channel, Slot::narrow(slot), report);
    }

    pub(super) fn report_on(&mut self, channel: Channel, slot: Slot, report: &str) {
        let mut bytes = Vec::new();
        push_report(&mut bytes, slot, report.as_bytes());
        self.tell(Event::Reports(channel, bytes));
        self.turn();
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        let is_broken = self.is_broken;
        match action {
            Action::Ask(request) => match &mut self.unanswered {
                Some(requests) => requests.push(request),
                None => self.clean(request, b'+'),
            },
            Action::Bounce(id) => return Some(Event::Bounced(id, self.bounce(id))),
            Action::Check(id) => {
                return self.disk.todo.contains_key(&id.0).then_some(Event::Reused(id));
            }
            Action::Close(channel) => self.open[channel] = None,
            Action::Complain { id, channel, recipient, report } => {
                let recipient = self.routes.without_prepend(channel, &recipient);
                let text = text(&bounce::paragraph(recipient, &report));
                self.disk.bounce.entry(id.0).or_default().push_str(&text);
            }
            Action::End(id) => {
                self.log.end(id);
                let is_ended = !is_broken && self.disk.info.remove(&id.0).is_some();
                return Some(Event::Ended(id, is_ended));
            }
            Action::Examine(ids) => return Some(Event::Orphans(ids)),
            Action::Exit => self.has_exited = true,
            Action::Log(lines) => self.log.extend(&lines),
            Action::Look(id) => return Some(Event::Looked(id, Look::Gone)),
            Action::Mark(channel, id, offset) => self.mark(channel, id, offset),
            Action::Open(channel, id) => {
                let Some((birth, sender)) = self.disk.info.get(&id.0).filter(|_| !is_broken) else {
                    return Some(Event::NotOpened(channel, channel.area()));
                };
                self.open[channel] = Some(id.0);
                let sender = sender.clone().into_bytes();
                return Some(Event::Opened { channel, birth: *birth, sender });
            }
            Action::Over(id) => {
                assert!(!self.disk.info.contains_key(&id.0));
                self.log.end(id);
            }
            Action::Preprocess(ids, room) => return Some(self.preprocess_all(ids, room)),
            Action::Read(channel) => {
                let id = self.open[channel].expect("an open file");
                if is_broken {
                    return Some(Event::NotRead(channel));
                }
                let bytes = self.disk.recipients[channel][&id].clone();
                return Some(Event::Read(channel, bytes, true));
            }
            Action::Remove(channel, id, offset) => {
                if let Some(offset) = offset.filter(|_| is_broken) {
                    self.mark(channel, id, offset);
                } else {
                    let removed = self.disk.recipients[channel].remove(&id.0);
                    assert!(removed.is_some(), "no recipients of {id}");
                }
                return Some(Event::Removed(channel, id, !is_broken));
            }
            Action::Reread => return Some(Event::Limits(self.limits)),
            Action::Save(channel, id, time) => self.saved.push((channel, id, time)),
            Action::Scan => {
                let ids = self.disk.todo.keys().map(|&id| MessageId(id)).collect();
                return Some(Event::Listed((!is_broken).then_some(ids), self.is_watching));
            }
            Action::Send(channel, bytes) => {
                let mut commands = Commands::default();
                let mut bytes = bytes.as_slice();
                let mut said = Vec::new();
                while let Some(command) = commands.next(&mut bytes) {
                    if command.is_question() {
                        match self.bears {
                            Some(most) => push_answer(&mut said, most),
                            None => {
                                push_report(&mut said, Slot::narrow(WIDE), b"ZInternal error\n");
                            }
                        }
                    }
                    if command.recipients.iter().any(|recipient| recipient.slot.is_wide) {
                        self.shared.push(command.recipients.len());
                    }
                    for recipient in &command.recipients {
                        let recipients = vec![recipient.clone()];
                        self.sent[channel].push_back(Command { recipients, ..command.clone() });
                    }
                }
                return (!said.is_empty()).then_some(Event::Reports(channel, said));
            }
            Action::Sweep(directory) => {
                let ids = self.disk.mess.keys().filter(|&id| id % SPLIT == directory);
                return Some(Event::InMess(ids.map(|&id| MessageId(id)).collect()));
            }
            Action::WriteDown(singles) => {
                let written =
                    singles.into_iter().map(|single| (single.id, self.write_down(single)));
                return Some(Event::WrittenDown(written.collect()));
            }
        }
        None
    }

    /// qmail-clean does what it was asked for.
    pub(super) fn clean(&mut self, request: Request, answer: u8) {
        let unknown = self.others.filter(|_| matches!(request, Request::Over(_)));
        let answer = unknown.unwrap_or(answer);
        let (Request::Envelope(id) | Request::Message(id) | Request::Over(id)) = request;
        let is_of_todo = !matches!(request, Request::Message(_));
        let is_of_mess = !matches!(request, Request::Envelope(_));
        if is_of_todo && b"+-".contains(&answer) {
            assert!(self.disk.todo.remove(&id.0).is_some(), "{request:?} again");
        }
        if is_of_mess && answer == b'+' {
            assert!(self.disk.mess.remove(&id.0).is_some(), "{request:?} again");
        }
        self.answers.push_back(Event::Answers(vec![answer]));
    }

    fn mark(&mut self, channel: Channel, id: MessageId, offset: u64) {
        let file = self.disk.recipients[channel].get_mut(&id.0).expect("recipients");
        let letter = &mut file[usize::try_from(offset).unwrap()];
        assert_eq!(*letter, b'T');
        *letter = b'D';
    }

    fn bounce(&mut self, id: MessageId) -> bool {
        if self.is_broken {
            return false;
        }
        let sender = self.disk.info[&id.0].1.clone().into_bytes();
        let complaint = self.disk.bounce.remove(&id.0).expect("a bounce");
        match self.bounces.letter(&sender) {
            None => self.log.triple_bounce(id),
            Some(letter) => {
                self.log.bounce(id, 1);
                self.letters.push((text(letter.sender()), text(letter.recipient()), complaint));
            }
        }
        true
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
