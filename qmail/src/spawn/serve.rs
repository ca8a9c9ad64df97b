//! The loop that both spawners are: commands in, children out, reports back.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use prog::Chain;
use queue::home::{Account, Home, SPAWN};
use unix::fd::{self, Direct};
use unix::poll::{self, Interest};
use unix::process::{self, SpawnError, Status};
use unix::signal::{self, Signal, Signals};
use unix::{Pid, Uid};

use super::protocol::{Command, Commands, Slot, push_answer, push_report};
use super::room::Room;

pub use super::order::{Letter, Order, Recipient};

const BUFFER: usize = 64 * 1024;

/// What to do next.
#[derive(Debug)]
pub enum Next<J> {
    /// Tell qmail-send; the delivery is over. The text starts with `K`, `Z` or `D`.
    Report(Slot, Vec<u8>),
    /// Run a child, and come back with what it wrote and how it ended.
    Run(Box<Run<J>>),
}

/// A child to run.
#[derive(Debug)]
pub struct Run<J> {
    /// The child; its descriptor 1 is set by the loop.
    pub chain: Chain,
    /// Whether its descriptor 2 is heard as well.
    pub capture: Capture,
    /// What the spawner wants to know again when the child has ended.
    pub job: J,
}

/// Which of a child's outputs are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Standard output and standard error, as one.
    Both,
    /// Standard output; standard error is left as it is.
    Output,
}

/// What could not be done for a child.
#[derive(Debug)]
pub enum Unstarted {
    /// A pipe.
    Pipe,
    /// The rest.
    Spawn(SpawnError),
}

/// What differs between qmail-lspawn and qmail-rspawn.
pub trait Spawner {
    /// What is remembered of deliveries while a child runs for them.
    type Job;

    /// A message is to be delivered. Each recipient's report is owed from here on.
    fn begin(&mut self, order: Order) -> Vec<Next<Self::Job>>;

    /// The child could not be started: the reports.
    fn unstarted(&mut self, job: Self::Job, why: Unstarted) -> Vec<(Slot, Vec<u8>)>;

    /// The child has ended, and nobody holds its output open any more.
    fn ended(&mut self, job: Self::Job, status: Status, output: Vec<u8>) -> Vec<Next<Self::Job>>;

    /// How many bytes of a child's output are kept; what comes later is read and dropped.
    fn keep(&self) -> usize;

    /// What else is waited for.
    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Those of [`Spawner::watched`] that are ready, in their order; called in every turn, as is time.
    fn attend(&mut self, ready: &[bool]) -> Vec<Next<Self::Job>> {
        let _ = ready; // who watches nothing has nothing to attend to
        Vec::new()
    }

    /// When to attend at the latest, whatever happens.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// Why the loop could not start. A spawner says nothing about it.
#[derive(Clone, Copy, Debug)]
pub struct Unable;

/// Serves qmail-send on descriptors 0 and 1 until it closes descriptor 0 and every child has ended.
///
/// From here on the working directory is `queue/mess`, and children find it so.
pub fn serve<S: Spawner>(home: &Home, spawner: S) -> Result<(), Unable> {
    let unable = |_| Unable;
    std::env::set_current_dir(home.queue().join("mess")).map_err(unable)?;
    let [owner] = home.uid([Account::Queue]).map_err(unable)?;
    signal::ignore(Signal::SIGPIPE).map_err(unable)?;
    let signals = Signals::catch(&[Signal::SIGCHLD]).map_err(unable)?;
    let mut service = Service {
        spawner,
        owner,
        signals,
        commands: Some(Commands::default()),
        running: Vec::new(),
        owed: HashSet::new(),
        reports: vec![SPAWN],
        deaf: false,
        room: Room::default(),
        buffer: vec![0; BUFFER],
    };
    service.tell();
    while service.commands.is_some() || !service.owed.is_empty() {
        service.turn().map_err(unable)?;
    }
    Ok(())
}

struct Service<S: Spawner> {
    spawner: S,
    /// The account that every message belongs to.
    owner: Uid,
    signals: Signals,
    /// `None` once qmail-send has closed its end.
    commands: Option<Commands>,
    running: Vec<Running<S::Job>>,
    /// The numbers of the deliveries that have not been reported on.
    owed: HashSet<u32>,
    /// Reports that have not been written yet.
    reports: Vec<u8>,
    /// True if qmail-send does not listen any more.
    deaf: bool,
    room: Room,
    buffer: Vec<u8>,
}

/// A child. It is done with when it has ended and its output has, whichever comes first: a program
/// that went into the background keeps its delivery open.
struct Running<J> {
    pid: Pid,
    pipe: Option<OwnedFd>,
    output: Vec<u8>,
    status: Option<Status>,
    job: J,
}

impl<S: Spawner> Service<S> {
    fn turn(&mut self) -> io::Result<()> {
        let stdin = fd::stdin();
        let watched = self.spawner.watched();
        let mut interests = vec![Interest::readable(&self.signals)];
        interests.extend(self.commands.as_ref().map(|_| Interest::readable(&stdin)));
        let before = interests.len();
        interests.extend(watched.iter().map(|fd| Interest::of(*fd, false)));
        let between = interests.len();
        let pipes = self.running.iter().filter_map(|child| child.pipe.as_ref());
        interests.extend(pipes.map(Interest::readable));
        poll::wait(&mut interests, self.spawner.patience())?;
        let ready: Vec<bool> = interests.iter().map(Interest::is_ready).collect();
        drop(interests);

        self.listen(ready.get(between..).unwrap_or_default());
        if ready.first() == Some(&true) {
            self.reap()?;
        }
        self.settle();
        if self.commands.is_some() && ready.get(1) == Some(&true) {
            self.obey();
        }
        let next = self.spawner.attend(ready.get(before..between).unwrap_or_default());
        self.carry_on(next);
        self.tell();
        Ok(())
    }

    /// Reads from each child whose pipe is ready; `ready` is in the order of those that have one.
    fn listen(&mut self, ready: &[bool]) {
        let limit = self.spawner.keep();
        let open = self.running.iter_mut().filter(|child| child.pipe.is_some());
        for (child, _) in open.zip(ready).filter(|(_, ready)| **ready) {
            let Some(pipe) = &child.pipe else { continue };
            match Direct(pipe).read(&mut self.buffer) {
                Ok(0) => child.pipe = None,
                Ok(read) => {
                    let room = limit.saturating_sub(child.output.len());
                    child.output.extend(self.buffer.iter().take(read.min(room)));
                }
                Err(_) => {} // a pipe that is ready can be read; if not, the next turn tries again
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        self.signals.drain();
        while let Some((pid, status)) = process::reap()? {
            if let Some(child) = self.running.iter_mut().find(|child| child.pid == pid) {
                child.status = Some(status);
            }
        }
        Ok(())
    }

    /// Goes on with the deliveries whose child is done with.
    fn settle(&mut self) {
        let mut place = 0;
        while let Some(child) = self.running.get(place) {
            let (Some(status), None) = (child.status, &child.pipe) else {
                place += 1;
                continue;
            };
            let child = self.running.swap_remove(place);
            let next = self.spawner.ended(child.job, status, child.output);
            self.carry_on(next);
        }
    }

    fn obey(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = fd::stdin().read(&mut buffer).unwrap_or(0);
        let mut bytes = buffer.get(..read).unwrap_or_default();
        while let Some(command) = self.commands.as_mut().and_then(|it| it.next(&mut bytes)) {
            if command.is_question() {
                let most = self.room.make();
                push_answer(&mut self.reports, most);
            } else if let Some(order) = self.order(command) {
                let next = self.spawner.begin(order);
                self.carry_on(next);
            }
        }
        if read == 0 {
            self.commands = None;
        }
        self.buffer = buffer;
    }

    /// What is to be done about a command; those of its recipients for whom nothing can be done are
    /// reported on.
    fn order(&mut self, command: Command) -> Option<Order> {
        let mut recipients = Vec::with_capacity(command.recipients.len());
        let fault = command.check();
        for recipient in &command.recipients {
            let slot = recipient.slot;
            let checked = match fault {
                Err(text) if command.overlong => Err(text),
                _ => self.is_free(slot).and(fault).and_then(|()| recipient.split()),
            };
            match checked {
                Ok((local, domain)) => {
                    self.owed.insert(slot.number);
                    let (local, domain) = (local.to_vec(), domain.to_vec());
                    recipients.push(Recipient { slot, local, domain });
                }
                Err(text) => push_report(&mut self.reports, slot, text.as_bytes()),
            }
        }
        if recipients.is_empty() {
            return None;
        }
        let path = PathBuf::from(OsStr::from_bytes(&command.file));
        let file = Letter { path, owner: self.owner };
        match file.open() {
            Ok(message) => Some(Order { message, file, sender: command.sender, recipients }),
            Err(text) => {
                let slots = recipients.into_iter();
                self.carry_on(slots.map(|it| Next::Report(it.slot, text.into())).collect());
                None
            }
        }
    }

    /// Whether a number can be a delivery's, or the report that says why not.
    fn is_free(&self, slot: Slot) -> Result<(), &'static str> {
        if slot.number == u32::MAX || !slot.is_wide && slot.number >= SPAWN.into() {
            return Err("ZInternal error: delnum too big. (#4.3.5)\n");
        }
        if self.owed.contains(&slot.number) {
            return Err("ZInternal error: delnum in use. (#4.3.5)\n");
        }
        Ok(())
    }

    fn carry_on(&mut self, next: Vec<Next<S::Job>>) {
        for next in next {
            match next {
                Next::Report(slot, text) => self.report(slot, &text),
                Next::Run(run) => self.start(*run),
            }
        }
    }

    fn report(&mut self, slot: Slot, text: &[u8]) {
        self.owed.remove(&slot.number);
        push_report(&mut self.reports, slot, text);
    }

    fn start(&mut self, run: Run<S::Job>) {
        let Run { mut chain, capture, job } = run;
        self.room.restore(&mut chain);
        let started = match connect(&mut chain, capture) {
            Err(_) => Err(Unstarted::Pipe),
            Ok(pipe) => chain.launch().map(|child| (child, pipe)).map_err(Unstarted::Spawn),
        };
        match started {
            Ok((child, pipe)) => {
                let (pid, pipe) = (child.pid, Some(pipe));
                self.running.push(Running { pid, pipe, output: Vec::new(), status: None, job });
            }
            Err(why) => {
                for (slot, text) in self.spawner.unstarted(job, why) {
                    self.report(slot, &text);
                }
            }
        }
    }

    /// Writes the reports that there are. Once qmail-send does not listen, they are dropped: the
    /// deliveries that run are brought to their end all the same.
    fn tell(&mut self) {
        if !self.reports.is_empty() && !self.deaf {
            self.deaf = fd::stdout().write_all(&self.reports).is_err();
        }
        self.reports.clear();
    }
}

impl Unstarted {
    /// The report, if it is not about the program.
    #[must_use]
    pub fn report(&self) -> Option<&'static str> {
        match self {
            Unstarted::Pipe => Some("Zqmail-spawn unable to create pipe. (#4.3.0)\n"),
            Unstarted::Spawn(SpawnError::Fork(_)) => {
                Some("Zqmail-spawn unable to fork. (#4.3.0)\n")
            }
            Unstarted::Spawn(SpawnError::Enter(_)) => None,
        }
    }
}

/// Gives the child a pipe to write to; our end of it is returned.
fn connect(chain: &mut Chain, capture: Capture) -> io::Result<OwnedFd> {
    let (ours, theirs) = fd::pipe()?;
    if capture == Capture::Both {
        chain.descriptor(2, fd::duplicate(&theirs, 3)?);
    }
    chain.descriptor(1, theirs);
    Ok(ours)
}
