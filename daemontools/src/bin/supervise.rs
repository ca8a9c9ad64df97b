//! supervise — start and monitor a service.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::state::End;
use daemontools::status::Want;
use daemontools::supervise::world::{
    self, Births, Family, Helper, LOOKING, LeftBehind, Programs, Record, Rest, births, left_behind,
};
use daemontools::supervise::{Action, Event, Machine, Program as Script, Reach, Time, commands};
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::fd::{self, Standard};
use unix::pidfd::Handle;
use unix::poll::{self, Interest};
use unix::signal::{self, Posted, Signal};
use unix::{Pid, clock, fifo, process};

const SUPERVISE: Program = Program::new("supervise", "dir");

fn main() -> ExitCode {
    prog::main(SUPERVISE, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let dir = args.path()?;
    if args.optional().is_some() {
        return Err(args.usage());
    }
    let origin = Instant::now();
    let signals = catch_signals().or_fatal(("unable to create pipe for ", &dir))?;
    std::env::set_current_dir(&dir).or_fatal(("unable to chdir to ", &dir))?;
    let want = match fs::metadata("down") {
        Ok(_) => Want::Down,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Want::Up,
        Err(error) => return Err(Fatal::because(("unable to stat ", &dir, "/down"), error)),
    };
    let lock = world::lock().or_fatal(("unable to acquire ", &dir, "/supervise/lock"))?;

    let path = Path::new("supervise/control");
    let read = ("unable to read ", &dir, "/supervise/control");
    fifo::make(path, 0o600).or_fatal(read)?;
    let control = fifo::read_end(path).or_fatal(read)?;
    // As long as this is open, the reading end never comes to its end.
    let _writer =
        fifo::write_end(path).or_fatal(("unable to write ", &dir, "/supervise/control"))?;
    let path = Path::new("supervise/ok");
    let read = ("unable to read ", &dir, "/supervise/ok");
    fifo::make(path, 0o600).or_fatal(read)?;

    let _ = process::take_in_orphans(); // where the kernel cannot do that, `+` reaches less
    let mut world = World::new(&dir, origin, signals, control, Births::new(lock));
    let mut machine = world.machine(want);
    world.handle(&mut machine, Event::Time);
    world.record.tell(&machine);

    // Opened last: whoever finds a reader here can read the status and send commands.
    let ok = fifo::read_end(path).inspect_err(|_| world.send(&machine, Signal::SIGKILL));
    let _ok = ok.or_fatal(read)?;
    loop {
        for event in world.wait(&machine) {
            if world.handle(&mut machine, event) {
                world.record.tell(&machine);
                return Ok(Exit::OK);
            }
        }
        world.record.tell(&machine);
    }
}

/// Signals that a supervise takes as a wish to end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

fn catch_signals() -> io::Result<Posted> {
    signal::ignore(Signal::SIGPIPE)?; // nobody may be left to read a warning
    let mut caught = vec![Signal::SIGCHLD, Signal::SIGUSR1, Signal::SIGUSR2];
    // Who started us with nohup wants us to stay.
    caught.extend(ENDING.iter().filter(|&&s| s != Signal::SIGHUP || !signal::is_ignored(s)));
    signal::unblock_all()?;
    Posted::catch(&caught)
}

/// What the machine acts upon.
struct World {
    /// The service's name as it was given, for messages.
    dir: PathBuf,
    origin: Instant,
    signals: Posted,
    control: File,
    programs: Programs,
    record: Record,
    births: Births,
    /// Where the service writes when it is ready.
    notification: Option<File>,
    /// A service that was started by another supervise.
    left_behind: Option<LeftBehind>,
    check: Option<Pid>,
    /// Runs of `notify`.
    notifiers: Vec<Pid>,
    /// What is ended after `run`, if the service is to leave nothing behind.
    rest: Rest,
}

impl World {
    fn new(dir: &Path, origin: Instant, signals: Posted, control: File, births: Births) -> World {
        World {
            dir: dir.to_owned(),
            origin,
            signals,
            control,
            programs: Programs::new(SUPERVISE, dir),
            record: Record::open(SUPERVISE, dir),
            births,
            notification: None,
            left_behind: None,
            check: None,
            notifiers: Vec::new(),
            rest: Rest::default(),
        }
    }

    /// The machine of a service that does not run, or that runs although its supervise was killed.
    fn machine(&mut self, want: Want) -> Machine {
        let state = self.record.state();
        self.left_behind = left_behind(self.record.status(), births, Handle::open);
        if self.left_behind.is_some() {
            self.rest.look();
        }
        match &self.left_behind {
            Some(LeftBehind { status, .. }) => {
                SUPERVISE.info(("taking over ", &self.dir, ", which was left running"), ());
                Machine::taking_over(*status, state, world::means(false), self.now())
            }
            None => Machine::new(want, state.last, self.now()),
        }
    }

    fn now(&self) -> Time {
        Time { steady: self.origin.elapsed(), wall: clock::wall() }
    }

    /// Feeds an event to the machine, and does what it says; true if that is to leave.
    fn handle(&mut self, machine: &mut Machine, event: Event) -> bool {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in machine.step(event, self.now()) {
                match action {
                    Action::Check => {
                        self.check = self.programs.help(Helper::Check);
                        if self.check.is_none() {
                            events.push_back(Event::Checked(false));
                        }
                    }
                    Action::Clear => events.push_back(self.clear(machine)),
                    Action::End(reach) => events.extend(self.end(machine, reach)),
                    Action::EndCheck => {
                        if let Some(pid) = self.check.take() {
                            let _ = signal::send(pid, Signal::SIGKILL); // it may have ended
                        }
                    }
                    Action::Launch(program) => {
                        events.push_back(self.launch(program));
                    }
                    Action::Leave => return true,
                    Action::Notify(program, pid, end) => {
                        self.notifiers
                            .extend(self.programs.help(Helper::Notify(program, pid, end)));
                    }
                    Action::Signal(signal, reach) => self.signal(machine, signal, reach),
                    Action::Slow(end, pause) => self.complain(end, pause),
                }
            }
        }
        false
    }

    fn launch(&mut self, program: Script) -> Event {
        if program == Script::Run {
            self.rest.prepare();
        }
        let cgroup = self.rest.cgroup().filter(|_| program == Script::Run);
        let before = clock::since_boot();
        let (event, notification) = self.programs.launch(program, cgroup);
        if let (Script::Run, Event::Started(pid, _)) = (program, event) {
            self.births.note(pid, before);
        }
        self.notification = notification;
        event
    }

    fn complain(&self, end: Option<End>, pause: Duration) {
        let how = end.map(|end| format!(" ({})", end.words())).unwrap_or_default();
        let seconds = pause.as_secs();
        let what = (&self.dir, " keeps failing", how, ", pausing ", seconds, " seconds");
        SUPERVISE.warning(what, ());
    }

    fn end(&self, machine: &Machine, reach: Reach) -> Option<Event> {
        self.signal(machine, self.programs.down_signal(), reach);
        self.signal(machine, Signal::SIGCONT, reach);
        self.programs.patience().map(|limit| Event::Patience(limit, reach))
    }

    fn signal(&self, machine: &Machine, signal: Signal, reach: Reach) {
        match (reach, &self.left_behind) {
            (Reach::Process, _) => self.send(machine, signal),
            (Reach::Whole, left_behind) => {
                // The one that was left behind is nobody's descendant here.
                if left_behind.is_some() {
                    self.send(machine, signal);
                }
                self.family(machine).send(signal);
            }
        }
    }

    /// Everything that the service has started.
    fn family(&self, machine: &Machine) -> Family<'_> {
        let roots = [Some(process::id()), self.left_behind.as_ref().and(pid(machine))];
        let spared = self.notifiers.iter().copied().chain(self.check);
        self.rest.family(roots.into_iter().flatten().collect(), spared.collect())
    }

    /// Tells what `run` has left behind to end, if it is to leave nothing.
    fn clear(&mut self, machine: &Machine) -> Event {
        if !world::leaves_nothing() {
            return Event::Cleared;
        }
        self.rest.watch();
        if self.is_clear(machine) {
            return Event::Cleared;
        }
        self.signal(machine, self.programs.down_signal(), Reach::Whole);
        self.signal(machine, Signal::SIGCONT, Reach::Whole);
        Event::Patience(self.programs.patience_with_rest(), Reach::Whole)
    }

    /// Whether nothing is left of what the service has started.
    fn is_clear(&mut self, machine: &Machine) -> bool {
        self.rest.listen();
        let is_clear = self.family(machine).members().is_empty();
        if is_clear {
            self.rest.end();
        }
        is_clear
    }

    /// Sends a signal to the process of the service.
    fn send(&self, machine: &Machine, signal: Signal) {
        if let Some(left_behind) = &self.left_behind {
            left_behind.send(signal);
        } else if let Some(pid) = pid(machine) {
            let _ = signal::send(pid, signal); // it may have ended, or be another user's
        }
    }

    /// Waits until something happens. Signals come first, and of these the wishes of others before the
    /// service's end: a logger ends as soon as svscan has sent its wish and closed the pipe.
    fn wait(&mut self, machine: &Machine) -> Vec<Event> {
        let limit = machine.deadline().map(|at| at.saturating_sub(self.origin.elapsed()));
        let handle = self.left_behind.as_ref().and_then(LeftBehind::handle);
        let is_unseen = self.left_behind.is_some() && handle.is_none();
        let limit = [limit, is_unseen.then_some(LOOKING)].into_iter().flatten().min();
        let mut interests =
            vec![Interest::readable(&self.signals), Interest::readable(&self.control)];
        interests.extend(self.notification.as_ref().map(Interest::readable));
        interests.extend(handle.map(Interest::readable));
        interests.extend(self.rest.emptiness().map(Interest::urgent));
        if let Err(error) = poll::wait(&mut interests, limit) {
            SUPERVISE.warning(("unable to wait for ", &self.dir), error);
            clock::sleep(Duration::from_secs(1)); // out of memory: not for long, it is to be hoped
        }
        let mut ready = interests.iter().map(Interest::is_ready);
        let (signaled, commanded) = (ready.next() == Some(true), ready.next() == Some(true));
        let notified = self.notification.is_some() && ready.next() == Some(true);
        let ended = handle.is_some() && ready.next() == Some(true)
            || is_unseen && self.left_behind.as_ref().is_some_and(LeftBehind::is_over);
        let emptied = ready.next() == Some(true);

        let mut events = Vec::new();
        if notified {
            events.extend(self.hear());
        }
        if signaled {
            self.take_signals(machine, &mut events);
        }
        if machine.is_clearing() && (signaled || emptied) && self.is_clear(machine) {
            events.push(Event::Cleared);
        }
        if ended {
            events.extend(self.left_behind.take().map(|left| Event::Ended(left.end())));
        }
        if commanded {
            let mut bytes = [0; 512];
            let count = self.control.read(&mut bytes).unwrap_or(0); // there will be another turn
            let bytes = bytes.get(..count).unwrap_or_default();
            events.extend(commands(bytes).map(Event::Command));
        }
        events.push(Event::Time);
        events
    }

    fn take_signals(&mut self, machine: &Machine, events: &mut Vec<Event>) {
        let signals = self.signals.drain();
        for &signal in &signals {
            events.extend(wishes(signal));
        }
        if signals.contains(&Signal::SIGUSR2) {
            self.turn_output();
        }
        if signals.contains(&Signal::SIGCHLD) {
            self.reap(machine, events);
        }
    }

    /// Takes the ends of all children: the service's process, helpers, and what the service has left to us.
    fn reap(&mut self, machine: &Machine, events: &mut Vec<Event>) {
        let current = pid(machine).filter(|_| self.left_behind.is_none());
        while let Ok(Some((pid, status))) = process::reap() {
            if Some(pid) == current {
                events.push(Event::Ended(world::how(status)));
            } else if Some(pid) == self.check {
                self.check = None;
                events.push(Event::Checked(status.is_success()));
            } else {
                self.notifiers.retain(|notifier| *notifier != pid);
            }
        }
    }

    /// Reads what the service writes to its notification descriptor: the end of a line is what counts.
    fn hear(&mut self) -> Option<Event> {
        let mut bytes = [0; 512];
        let count = match self.notification.as_mut()?.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Ok(count) => count,
            Err(_) => 0,
        };
        let is_ready = bytes.get(..count).unwrap_or_default().contains(&b'\n');
        if is_ready || count == 0 {
            self.notification = None;
        }
        is_ready.then_some(Event::Ready)
    }

    /// Svscan has a log for the service now, which it had not when it started us: what is started from
    /// now on writes there. Source: svscan(8).
    fn turn_output(&self) {
        let path = Path::new("supervise/output");
        let turned = fifo::write_end(path).and_then(|pipe| {
            fd::nonblocking(&pipe, false)?;
            fd::redirect(Standard::Output, &pipe)
        });
        match turned {
            Ok(()) => {
                let _ = fs::remove_file(path); // its work is done
            }
            Err(error) => {
                SUPERVISE.warning(("unable to write ", &self.dir, "/supervise/output"), error);
            }
        }
    }
}

fn pid(machine: &Machine) -> Option<Pid> {
    machine.pid().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw)
}

/// What a signal to supervise itself means.
fn wishes(signal: Signal) -> Vec<Event> {
    let wanted: &[u8] = match signal {
        Signal::SIGHUP | Signal::SIGINT | Signal::SIGTERM => b"dx",
        Signal::SIGQUIT => b"dx+k",
        Signal::SIGUSR1 => return vec![Event::Drain],
        _ => b"",
    };
    commands(wanted).map(Event::Command).collect()
}
