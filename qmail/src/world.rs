//! The edge of qmail-send: does what the machine says, and tells it what happens.

mod bounce;
mod files;
mod peer;
mod start;
mod todo;
mod trigger;

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use queue::disk::{Disk, Queue};
use queue::home::Home;
use queue::path::{Area, MessageId, Name};
use queue::sweep::{Answer, Request};
use unix::dir::Dir;
use unix::fd::{Direct, Standard};
use unix::poll::{self, Interest};
use unix::signal::{Signal, Signals};
use unix::{clock, errno};

use crate::control::Control;
use crate::send::ledger::Ledger;
use crate::send::log::Log;
use crate::send::machine::{Action, Event};
use crate::send::settings::{Settings, Unreadable};
use crate::send::{Channel, Channels};

use peer::Peer;
use trigger::Trigger;

/// How long to wait before a file is tried again without which nothing can go on.
const PAUSE: Duration = Duration::from_secs(10);

/// Lines of the log that are written at once.
const LOG: usize = 64 * 1024;

/// What reports, answers and recipients are read into.
const BUFFER: usize = 64 * 1024;

/// The pipes of a daemon that qmail-send talks to.
#[derive(Debug)]
pub struct Pipes {
    /// Where it hears.
    pub to: OwnedFd,
    /// Where it speaks.
    pub from: OwnedFd,
}

/// The queue, the other daemons, the log and the clock.
#[derive(Debug)]
pub struct World {
    home: Home,
    queue: Queue,
    settings: Settings,
    spawners: Channels<Peer>,
    cleaner: Peer,
    signals: Signals,
    trigger: Trigger,
    /// Messages with files left in `local/`, `remote/` or `bounce/` by others of their number, or by an attempt
    /// to preprocess them; and those whose last such attempt has failed.
    strays: HashSet<MessageId>,
    /// The file of recipients that is being read on each channel.
    passes: Channels<Option<File>>,
    /// What has been done and is not durable yet.
    ledger: Ledger<File>,
    /// Requests that wait for that, as qmail-clean reads them.
    requests: Vec<u8>,
    /// What qmail-clean has not answered, the oldest first.
    asked: VecDeque<Request>,
    log: Log,
    /// How many bounces there have been.
    bounces: u64,
    buffer: Vec<u8>,
}

impl World {
    /// The world of a qmail-send that holds the queue's lock.
    pub fn new(
        home: Home,
        queue: Queue,
        settings: Settings,
        spawners: Channels<Pipes>,
        cleaner: Pipes,
        signals: Signals,
    ) -> io::Result<World> {
        let Channels { local, remote } = spawners;
        Ok(World {
            home,
            queue,
            settings,
            spawners: Channels { local: Peer::new(local)?, remote: Peer::new(remote)? },
            cleaner: Peer::new(cleaner)?,
            signals,
            trigger: Trigger::default(),
            strays: HashSet::new(),
            passes: Channels::default(),
            ledger: Ledger::default(),
            requests: Vec::new(),
            asked: VecDeque::new(),
            log: Log::default(),
            bounces: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Does what the machine says; gives the event that answers it.
    pub fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Ask(request) => {
                self.requests.extend(request.to_bytes());
                self.asked.push_back(request);
            }
            Action::Bounce(id) => return Some(Event::Bounced(id, self.bounce(id))),
            Action::Check(id) => {
                // One that cannot be seen is found when todo/ is listed next.
                let is_there = matches!(self.queue.exists(&Area::Todo.of(id)), Ok(true));
                return is_there.then_some(Event::Reused(id));
            }
            Action::Close(channel) => self.passes[channel] = None,
            Action::Complain { id, channel, recipient, report } => {
                self.complain(id, channel, &recipient, &report);
            }
            Action::End(id) => return Some(Event::Ended(id, self.end(id))),
            Action::Examine(ids) => return Some(Event::Orphans(self.orphans(ids))),
            Action::Exit => self.finish(),
            Action::Log(lines) => self.log(&lines),
            Action::Look(id) => return Some(Event::Looked(id, self.look(id))),
            Action::Mark(channel, id, offset) => self.mark(channel, id, offset),
            Action::Open(channel, id) => return Some(self.open(channel, id)),
            Action::Over(id) => {
                self.log.end(id);
                self.strays.remove(&id);
                self.ledger.over();
            }
            Action::Preprocess(ids, room) => return Some(self.preprocess(ids, room)),
            Action::Read(channel) => return Some(self.read(channel)),
            Action::Remove(channel, id, offset) => {
                return Some(Event::Removed(channel, id, self.remove(channel, id, offset)));
            }
            Action::Reread => return self.reread(),
            Action::Save(channel, id, time) => self.save(channel, id, time),
            Action::Scan => return Some(self.scan()),
            Action::Send(channel, commands) => {
                let sent = self.spawners[channel].send(&commands);
                return sent.err().map(|_| Event::SpawnerGone(channel));
            }
            Action::Sweep(directory) => return Some(Event::InMess(self.in_mess(directory))),
            Action::WriteDown(messages) => return Some(self.write_down(&messages)),
        }
        None
    }

    /// Waits until something happens, or until `deadline` in seconds since 1970; gives what happened,
    /// and a turn.
    pub fn wait(&mut self, deadline: i64) -> Vec<Event> {
        let mut events = Vec::new();
        events.extend(self.settle());
        let ready = self.poll(deadline).unwrap_or_else(|_| {
            self.log.warning("trouble in select");
            Vec::new()
        });
        if self.signals.is_pending() {
            events.extend(self.signals.drain().into_iter().filter_map(event));
        }
        for place in ready {
            match place {
                Place::Signals => {}
                Place::Names => {
                    self.trigger.take_news();
                    events.push(Event::Pulled);
                }
                Place::Trigger => {
                    self.trigger.close();
                    events.push(Event::Pulled);
                }
                Place::From(channel) => {
                    events.extend(match self.spawners[channel].hear(&mut self.buffer) {
                        Ok([]) => None,
                        Ok(bytes) => Some(Event::Reports(channel, bytes.to_vec())),
                        Err(_) => Some(Event::SpawnerGone(channel)),
                    });
                }
                Place::FromCleaner => {
                    events.extend(match self.cleaner.hear(&mut self.buffer) {
                        Ok([]) => None,
                        Ok(bytes) => {
                            let asked = self.asked.drain(..bytes.len().min(self.asked.len()));
                            let has_left_todo = |(asked, answer)| match asked {
                                Request::Envelope(_) => true,
                                // It has made that durable itself.
                                Request::Over(_) => answer != Answer::Done.byte(),
                                Request::Message(_) => false,
                            };
                            if asked.zip(bytes.iter().copied()).any(has_left_todo) {
                                self.ledger.left_todo();
                            }
                            Some(Event::Answers(bytes.to_vec()))
                        }
                        Err(_) => Some(Event::CleanerGone),
                    });
                }
                Place::To(channel) => {
                    let pushed = self.spawners[channel].push();
                    events.extend(pushed.err().map(|_| Event::SpawnerGone(channel)));
                }
                Place::ToCleaner => {
                    let pushed = self.cleaner.push();
                    events.extend(pushed.err().map(|_| Event::CleanerGone));
                }
            }
        }
        events.push(Event::Turn);
        events
    }

    /// Makes durable what has been done, and only then tells: the log of deliveries, and qmail-clean of
    /// messages that nobody needs any more.
    fn settle(&mut self) -> Option<Event> {
        for name in self.ledger.settle(&mut self.queue) {
            self.log.warning(("trouble fsyncing ", name.as_bytes()));
        }
        self.write_log();
        let requests = std::mem::take(&mut self.requests);
        if requests.is_empty() {
            return None;
        }
        self.cleaner.send(&requests).err().map(|_| Event::CleanerGone)
    }

    /// What need not be waited for any more.
    fn poll(&self, deadline: i64) -> io::Result<Vec<Place>> {
        let mut interests = Vec::with_capacity(8);
        let mut places = Vec::with_capacity(8);
        let mut add = |interest, place| {
            interests.push(interest);
            places.push(place);
        };
        add(Interest::readable(&self.signals), Place::Signals);
        if let Some(watch) = self.trigger.watch() {
            add(Interest::readable(watch), Place::Trigger);
        }
        if let Some(names) = self.trigger.names() {
            add(Interest::readable(names), Place::Names);
        }
        for (peer, from, to) in [
            (&self.spawners.local, Place::From(Channel::Local), Place::To(Channel::Local)),
            (&self.spawners.remote, Place::From(Channel::Remote), Place::To(Channel::Remote)),
            (&self.cleaner, Place::FromCleaner, Place::ToCleaner),
        ] {
            if let Some(fd) = peer.from() {
                add(Interest::readable(fd), from);
            }
            if let Some(fd) = peer.pending() {
                add(Interest::writable(fd), to);
            }
        }
        poll::wait(&mut interests, Some(time_until(deadline)))?;
        let ready = interests.iter().zip(places).filter(|(interest, _)| interest.is_ready());
        Ok(ready.map(|(_, place)| place).collect())
    }

    fn reread(&mut self) -> Option<Event> {
        if Dir::base_at(&self.home.path).is_err() {
            self.log.alert("unable to reread controls: unable to switch to home directory");
            return None;
        }
        match Settings::read(&Control::of(&self.home)) {
            Ok(settings) => {
                self.settings = settings;
                Some(Event::Limits(self.settings.limits))
            }
            Err(Unreadable(name)) => {
                self.log.alert(("unable to reread control/", name));
                None
            }
        }
    }

    fn log(&mut self, lines: &[u8]) {
        self.log.extend(lines);
        if self.log.as_bytes().len() >= LOG {
            self.write_log();
        }
    }

    /// Writes the lines that wait.
    fn write_log(&mut self) {
        if !self.log.as_bytes().is_empty() {
            write_log(self.log.as_bytes());
            self.log.clear();
        }
    }

    /// Writes what is still to be written.
    fn finish(&mut self) {
        let _ = self.settle(); // a qmail-clean that is gone is not waited for
        self.cleaner.push_all();
    }

    fn path(&self, name: Name) -> PathBuf {
        self.home.queue().join(name)
    }
}

/// Writes lines to the log, which is descriptor 0. If nobody reads it, there is nowhere else to
/// complain.
pub fn write_log(mut lines: &[u8]) {
    let log = Standard::Input;
    while !lines.is_empty() {
        match Direct(log).write(lines) {
            Ok(written) => lines = lines.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if poll::until(&log, true, None).is_err() {
                    return;
                }
            }
            Err(error) if errno::of(&error) == errno::Errno::EINTR => {}
            Err(_) => return,
        }
    }
}

fn event(signal: Signal) -> Option<Event> {
    match signal {
        Signal::SIGALRM => Some(Event::RunNow),
        Signal::SIGHUP => Some(Event::Reread),
        Signal::SIGTERM => Some(Event::Leave),
        _ => None,
    }
}

/// The time that is left until the second `deadline` begins.
fn time_until(deadline: i64) -> Duration {
    let now = clock::wall();
    let seconds = u64::try_from(deadline.saturating_sub(now.seconds)).unwrap_or(0);
    Duration::from_secs(seconds).saturating_sub(Duration::from_nanos(now.nanos.into()))
}

/// Something that is waited for.
#[derive(Clone, Copy, Debug)]
enum Place {
    From(Channel),
    FromCleaner,
    Names,
    Signals,
    To(Channel),
    ToCleaner,
    Trigger,
}
