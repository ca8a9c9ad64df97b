//! The loop that both spawners are: commands in, children out, reports back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use prog::Chain;
use queue::home::{Account, Home, SPAWN};
use unix::fd::{self, Direct};
use unix::poll::{self, Interest};
use unix::process::{self, SpawnError, Status};
use unix::signal::{self, Signal, Signals};
use unix::{Pid, Uid, file};

use crate::spawn::protocol::{Command, Commands, push_report};

const BUFFER: usize = 64 * 1024;

/// A delivery that can be tried.
#[derive(Debug)]
pub struct Order {
    /// The message, open for reading at its start.
    pub message: File,
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// The recipient before its last `@`.
    pub local: Vec<u8>,
    /// The recipient behind it.
    pub domain: Vec<u8>,
}

/// What to do next about a delivery.
#[derive(Debug)]
pub enum Next<J> {
    /// Tell qmail-send; the delivery is over. The text starts with `K`, `Z` or `D`.
    Report(Vec<u8>),
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

/// What differs between qmail-lspawn and qmail-rspawn.
pub trait Spawner {
    /// What is remembered of a delivery while a child runs for it.
    type Job;

    /// A delivery is to be made.
    fn begin(&mut self, order: Order) -> Next<Self::Job>;

    /// The child could not be started.
    fn unstarted(&mut self, job: Self::Job, error: SpawnError) -> Vec<u8>;

    /// The child has ended, and nobody holds its output open any more.
    fn ended(&mut self, job: Self::Job, status: Status, output: Vec<u8>) -> Next<Self::Job>;

    /// How many bytes of a child's output are kept; what comes later is read and dropped.
    fn keep(&self) -> usize;
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
        reports: vec![SPAWN],
        deaf: false,
        buffer: vec![0; BUFFER],
    };
    service.tell();
    while service.commands.is_some() || !service.running.is_empty() {
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
    /// Reports that have not been written yet.
    reports: Vec<u8>,
    /// True if qmail-send does not listen any more.
    deaf: bool,
    buffer: Vec<u8>,
}

/// A child. It is done with when it has ended and its output has, whichever comes first: a program
/// that went into the background keeps its delivery open.
struct Running<J> {
    delivery: u8,
    pid: Pid,
    pipe: Option<OwnedFd>,
    output: Vec<u8>,
    status: Option<Status>,
    job: J,
}

impl<S: Spawner> Service<S> {
    fn turn(&mut self) -> io::Result<()> {
        let stdin = fd::stdin();
        let mut interests = vec![Interest::readable(&self.signals)];
        interests.extend(self.commands.as_ref().map(|_| Interest::readable(&stdin)));
        let before = interests.len();
        let pipes = self.running.iter().filter_map(|child| child.pipe.as_ref());
        interests.extend(pipes.map(Interest::readable));
        poll::wait(&mut interests, None)?;
        let ready: Vec<bool> = interests.iter().map(Interest::is_ready).collect();
        drop(interests);

        self.listen(ready.get(before..).unwrap_or_default());
        if ready.first() == Some(&true) {
            self.reap()?;
        }
        self.settle();
        self.tell();
        if self.commands.is_some() && ready.get(1) == Some(&true) {
            self.obey();
        }
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
            self.carry_on(child.delivery, next);
        }
    }

    fn obey(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = fd::stdin().read(&mut buffer).unwrap_or(0);
        let mut bytes = buffer.get(..read).unwrap_or_default();
        while let Some(command) = self.commands.as_mut().and_then(|it| it.next(&mut bytes)) {
            let next = match self.order(&command) {
                Ok(order) => self.spawner.begin(order),
                Err(text) => Next::Report(text.into()),
            };
            self.carry_on(command.delivery, next);
        }
        if read == 0 {
            self.commands = None;
        }
        self.buffer = buffer;
    }

    fn order(&self, command: &Command) -> Result<Order, &'static str> {
        let in_use = self.running.iter().any(|child| child.delivery == command.delivery);
        let (local, domain) = command.check(SPAWN, in_use)?;
        let message = file::open_read(Path::new(std::ffi::OsStr::from_bytes(&command.file)))
            .map_err(|_| "Zqmail-spawn unable to open message. (#4.3.0)\n")?;
        let stat =
            message.metadata().map_err(|_| "Zqmail-spawn unable to fstat message. (#4.3.0)\n")?;
        if !stat.is_file() {
            return Err("ZSorry, message has wrong type. (#4.3.5)\n");
        }
        // Whoever else could put files there could have any file of root's delivered.
        if stat.uid() != self.owner.as_raw() {
            return Err("ZSorry, message has wrong owner. (#4.3.5)\n");
        }
        let (local, domain) = (local.to_vec(), domain.to_vec());
        Ok(Order { message, sender: command.sender.clone(), local, domain })
    }

    fn carry_on(&mut self, delivery: u8, next: Next<S::Job>) {
        match next {
            Next::Report(text) => push_report(&mut self.reports, delivery, &text),
            Next::Run(run) => self.start(delivery, *run),
        }
    }

    fn start(&mut self, delivery: u8, run: Run<S::Job>) {
        let Run { mut chain, capture, job } = run;
        let report = match connect(&mut chain, capture) {
            Err(_) => b"Zqmail-spawn unable to create pipe. (#4.3.0)\n".into(),
            Ok(pipe) => match chain.launch() {
                Ok(child) => {
                    self.running.push(Running {
                        delivery,
                        pid: child.pid,
                        pipe: Some(pipe),
                        output: Vec::new(),
                        status: None,
                        job,
                    });
                    return;
                }
                Err(SpawnError::Fork(_)) => b"Zqmail-spawn unable to fork. (#4.3.0)\n".into(),
                Err(error) => self.spawner.unstarted(job, error),
            },
        };
        push_report(&mut self.reports, delivery, &report);
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

/// Gives the child a pipe to write to; our end of it is returned.
fn connect(chain: &mut Chain, capture: Capture) -> io::Result<OwnedFd> {
    let (ours, theirs) = fd::pipe()?;
    if capture == Capture::Both {
        chain.descriptor(2, fd::duplicate(&theirs, 3)?);
    }
    chain.descriptor(1, theirs);
    Ok(ours)
}
