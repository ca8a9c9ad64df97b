//! svscan — start and monitor a collection of services.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::svscan::directory::{self, Complaints};
use daemontools::svscan::starter::Starter;
use daemontools::svscan::strangers::{self, Strangers};
use daemontools::svscan::{Action, Event, Key, LIMIT, Machine, Role};
use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};
use unix::errno::{self, Errno};
use unix::fd::{self, Standard};
use unix::limit::{self, Resource};
use unix::poll::{self, Interest};
use unix::process;
use unix::signal::{self, Held, Posted, Signal};
use unix::watch::{self, News, Watch};
use unix::{Pid, clock, fifo};

const SVSCAN: Program = Program::new("svscan", "[ -t seconds ] [ dir [ program ... ] ]");

fn main() -> ExitCode {
    prog::main(SVSCAN, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut limit = LIMIT;
    while let Some(opt) = args.option(b"t:")? {
        limit = Duration::from_secs(opt.number().ok_or_else(|| args.usage())?);
    }
    if let Some(dir) = args.optional() {
        std::env::set_current_dir(&dir).or_fatal(("unable to chdir to ", &dir))?;
    }
    let program = args.rest();
    let listener = if program.is_empty() { None } else { Some(speak_to(program)?) };
    let (held, signals) = catch_signals().or_fatal("unable to catch signals")?;
    let mut world = World {
        origin: Instant::now(),
        signals,
        watch: None,
        is_shared: false,
        complaints: Complaints::default(),
        pipes: HashMap::new(),
        raised: None,
        starter: Starter::new(SVSCAN, held).or_fatal("unable to start supervise")?,
        listener,
        strangers: Strangers::are_ours().then(Strangers::default),
    };
    let mut machine = Machine::new(limit, Duration::ZERO);
    let mut events = vec![Event::Time];
    loop {
        for event in events {
            if world.handle(&mut machine, event) {
                return Ok(Exit::OK);
            }
        }
        events = world.wait(&machine);
    }
}

/// Starts `program` with a pipe as its standard input, and puts the other end of it behind the standard
/// output and error of this process and of all services.
fn speak_to(program: Vec<OsString>) -> Result<Pid, Fatal> {
    let (read, write) = fd::pipe().or_fatal("unable to create pipe")?;
    let mut chain = Chain::new(program);
    chain.descriptor(0, read);
    let listener = chain.spawn()?.pid;
    fd::redirect(Standard::Output, &write).or_fatal("unable to set up descriptors")?;
    fd::redirect(Standard::Error, &write).or_fatal("unable to set up descriptors")?;
    Ok(listener)
}

/// The signals, and the mask that a supervise is to find.
fn catch_signals() -> io::Result<(Held, Posted)> {
    signal::ignore(Signal::SIGPIPE)?; // nobody may be left to read a warning
    let mut caught = vec![Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM];
    // Who started us with nohup wants us to stay.
    if !signal::is_ignored(Signal::SIGHUP) {
        caught.push(Signal::SIGHUP);
    }
    signal::unblock_all()?;
    Ok((Held::new(&[])?, Posted::catch(&caught)?))
}

/// What the machine acts upon.
struct World {
    origin: Instant,
    signals: Posted,
    /// `None` where the kernel cannot tell of changes.
    watch: Option<Watch>,
    /// It cannot tell of all.
    is_shared: bool,
    complaints: Complaints,
    /// For each service with a log, both ends of the pipe between them. They stay open here, so that
    /// nothing is lost while either side is restarted.
    pipes: HashMap<Key, (OwnedFd, OwnedFd)>,
    /// The limit of open files that this process was started with, once it has been raised here.
    raised: Option<(u64, u64)>,
    starter: Starter,
    /// The program that hears errors.
    listener: Option<Pid>,
    /// What is left to this process, if that is process 1.
    strangers: Option<Strangers>,
}

impl World {
    /// Feeds an event to the machine, and does what it says; true if that is to leave.
    fn handle(&mut self, machine: &mut Machine, event: Event) -> bool {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in machine.step(event, self.origin.elapsed()) {
                match action {
                    Action::Close(key) => drop(self.pipes.remove(&key)),
                    Action::Join(key, name, pid) => self.join(key, &name, pid),
                    Action::Leave => {
                        self.wait_for_strangers(machine);
                        return true;
                    }
                    Action::Lost(name, role) => {
                        SVSCAN.warning(("supervise ", &name, role.suffix(), " does not end"), ());
                    }
                    Action::Scan => events.extend(self.scan(machine)),
                    Action::Signal(pid, signal) => kill(pid, signal),
                    Action::Start { key, role, name, has_log } => {
                        let pid = self.start(key, role, &name, has_log);
                        events.push_back(match pid {
                            Some(pid) => Event::Started(key, role, pid),
                            None => Event::Failed(key, role),
                        });
                    }
                }
            }
        }
        false
    }

    fn scan(&mut self, machine: &Machine) -> Option<Event> {
        // Before it is read, so that no change falls between the two.
        if self.watch.is_none() {
            self.watch = Watch::directory(Path::new(".")).ok();
            self.is_shared = watch::is_shared(Path::new(".")).unwrap_or(true);
        }
        let complain = |name: &OsString, errno| SVSCAN.warning(("unable to stat ", name), errno);
        match directory::read(&mut self.complaints, |id| machine.known(id), complain) {
            Ok(mut found) => {
                let watch = self.watch.as_ref().filter(|_| !self.is_shared);
                found.is_watched = watch.is_some_and(|watch| {
                    let without = found.entries.iter().filter(|entry| !entry.has_log);
                    // A log may be added to these.
                    without.fold(true, |is_watched, entry| {
                        is_watched & watch.also(Path::new(&entry.name)).is_ok()
                    })
                });
                Some(Event::Found(found))
            }
            Err(error) => {
                SVSCAN.warning("unable to read directory", error);
                None
            }
        }
    }

    /// Starts a supervise; gives its process number, or warns.
    fn start(&mut self, key: Key, role: Role, name: &OsString, has_log: bool) -> Option<u32> {
        let mut end = None;
        if has_log {
            let mut opened = self.end_of_pipe(key, role);
            if self.makes_room(&opened) {
                opened = self.end_of_pipe(key, role);
            }
            match opened {
                Ok(opened) => end = Some(opened),
                Err(error) => {
                    SVSCAN.warning(("unable to create pipe for ", name), error);
                    return None;
                }
            }
        }
        let pid = self.starter.start(role, name, end, self.raised)?;
        u32::try_from(pid.as_raw()).ok()
    }

    /// Makes the pipe of a service that runs already, under a name, so that its supervise can open it.
    fn join(&mut self, key: Key, name: &OsString, pid: Option<u32>) {
        let mut pipe = named_pipe(name);
        if self.makes_room(&pipe) {
            pipe = named_pipe(name);
        }
        match pipe {
            Ok(pipe) => {
                self.pipes.insert(key, pipe);
                if let Some(pid) = pid {
                    kill(pid, Signal::SIGUSR2);
                }
            }
            // It will be an ordinary one, for the next supervise of the service.
            Err(error) => SVSCAN.warning(("unable to create pipe for ", name), error),
        }
    }

    /// The end of a service's pipe that one of its supervises gets, and under which number.
    fn end_of_pipe(&mut self, key: Key, role: Role) -> io::Result<(i32, OwnedFd)> {
        let (read, write) = match self.pipes.entry(key) {
            Entry::Occupied(pipe) => pipe.into_mut(),
            Entry::Vacant(place) => place.insert(fd::pipe()?),
        };
        match role {
            Role::Log => Ok((0, fd::duplicate(read, 3)?)),
            Role::Main => Ok((1, fd::duplicate(write, 3)?)),
        }
    }

    /// If this process may open no more files, raises its limit, once; true if it may be tried again.
    fn makes_room<T>(&mut self, opened: &io::Result<T>) -> bool {
        let is_full = opened.as_ref().is_err_and(|error| errno::of(error) == Errno::EMFILE);
        if !is_full || self.raised.is_some() {
            return false;
        }
        let Ok((soft, hard)) = limit::get(Resource::RLIMIT_NOFILE) else { return false };
        self.raised = Some((soft, hard));
        limit::set(Resource::RLIMIT_NOFILE, hard, hard).is_ok()
    }

    /// Tells what services have left to process 1 to end; gives how many there are.
    fn end_strangers(&mut self, machine: &Machine) -> usize {
        let Some(strangers) = &mut self.strangers else { return 0 };
        let is_supervise = |pid: Pid| u32::try_from(pid.as_raw()).is_ok_and(|pid| machine.has(pid));
        strangers.end(|pid| Some(pid) == self.listener || is_supervise(pid))
    }

    /// Gives them some time: they are killed when process 1 leaves.
    fn wait_for_strangers(&mut self, machine: &Machine) {
        let deadline = Instant::now() + strangers::LIMIT;
        while self.end_strangers(machine) > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = poll::wait(&mut [Interest::readable(&self.signals)], Some(left));
            if left.is_zero() || ended.is_err() {
                return;
            }
            let _ = self.signals.drain(); // whichever it was, the dead are reaped now
            while let Ok(Some(_)) = process::reap() {}
        }
    }

    /// Waits until something happens. Changes of the directory come first: who removes a service and
    /// then tells its supervise to exit does not want it back.
    fn wait(&mut self, machine: &Machine) -> Vec<Event> {
        let limit = machine.deadline().map(|at| at.saturating_sub(self.origin.elapsed()));
        let mut interests = vec![Interest::readable(&self.signals)];
        interests.extend(self.watch.as_ref().map(Interest::readable));
        if let Err(error) = poll::wait(&mut interests, limit) {
            SVSCAN.warning("unable to wait", error);
            clock::sleep(Duration::from_secs(1)); // out of memory: not for long, it is to be hoped
        }
        let mut events = Vec::new();
        match self.watch.as_ref().map(|watch| watch.news(|name| name == "log")) {
            Some(News::Gone) => {
                self.watch = None;
                events.push(Event::Changed);
            }
            Some(News::Names) => events.push(Event::Changed),
            Some(News::Nothing) | None => {}
        }
        for signal in self.signals.drain() {
            if signal == Signal::SIGCHLD {
                while let Ok(Some((pid, status))) = process::reap() {
                    self.starter.ended(pid);
                    let pid = u32::try_from(pid.as_raw()).unwrap_or(0);
                    events.push(Event::Ended(pid, status.is_success()));
                }
            } else {
                events.push(Event::Stop);
            }
        }
        if machine.is_stopping() {
            self.end_strangers(machine); // one may keep a log's pipe open
        }
        events.push(Event::Time);
        events
    }
}

/// Both ends of the fifo `supervise/output` of a service.
fn named_pipe(service: &OsString) -> io::Result<(OwnedFd, OwnedFd)> {
    let path = Path::new(service).join("supervise/output");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fifo::make(&path, 0o600)?,
    }
    let (read, write) = (fifo::read_end(&path)?, fifo::write_end(&path)?);
    fd::nonblocking(&read, false)?;
    fd::nonblocking(&write, false)?;
    Ok((read.into(), write.into()))
}

fn kill(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::send(Pid::from_raw(pid), signal); // it may have ended
    }
}
