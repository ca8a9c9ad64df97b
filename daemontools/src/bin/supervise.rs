//! supervise — start and monitor a service.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::status::{SIZE, Want};
use daemontools::supervise::{Action, Event, Machine, Time};
use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};
use unix::file::{self, Replacement};
use unix::poll::{self, Interest};
use unix::process::{self, SpawnError};
use unix::signal::{self, Signal, Signals};
use unix::{Pid, clock, fifo};

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
    let _lock = lock().or_fatal(("unable to acquire ", &dir, "/supervise/lock"))?;

    let path = Path::new("supervise/control");
    let read = ("unable to read ", &dir, "/supervise/control");
    fifo::make(path, 0o600).or_fatal(read)?;
    let control = fifo::read_end(path).or_fatal(read)?;
    // As long as this is open, the reading end never comes to its end.
    let _writer =
        fifo::write_end(path).or_fatal(("unable to write ", &dir, "/supervise/control"))?;

    let mut world = World { dir, origin, signals, control, told: None };
    let mut machine = Machine::new(want, world.now());
    world.tell(&machine);

    // Opened last: whoever finds a reader here can read the status and send commands.
    let path = Path::new("supervise/ok");
    let read = ("unable to read ", &world.dir, "/supervise/ok");
    fifo::make(path, 0o600).or_fatal(read)?;
    let _ok = fifo::read_end(path).or_fatal(read)?;

    let mut events = vec![Event::Time];
    loop {
        for event in events {
            if world.handle(&mut machine, event) {
                world.tell(&machine);
                return Ok(Exit::OK);
            }
        }
        world.tell(&machine);
        events = world.wait(&machine);
    }
}

/// Signals that a supervise takes as a wish to end.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

fn catch_signals() -> io::Result<Signals> {
    signal::ignore(Signal::SIGPIPE)?; // nobody may be left to read a warning
    let mut caught = vec![Signal::SIGCHLD, Signal::SIGUSR1];
    // Who started us with nohup wants us to stay.
    caught.extend(ENDING.iter().filter(|&&s| s != Signal::SIGHUP || !signal::is_ignored(s)));
    let signals = Signals::catch(&caught)?;
    signal::unblock_all()?;
    Ok(signals)
}

/// The lock that one supervise of a service holds. Makes the directory it lies in; where that is a
/// symbolic link to nothing, makes what the link names.
fn lock() -> io::Result<File> {
    let dir = Path::new("supervise");
    let path = Path::new("supervise/lock");
    let is_missing = |opened: &io::Result<File>| {
        opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let mut opened = file::open_append(path);
    if is_missing(&opened) {
        let _ = make_private(dir); // the next opening says what is wrong
        opened = file::open_append(path);
    }
    if is_missing(&opened)
        && let Ok(target) = fs::read_link(dir)
    {
        let _ = make_private(&target); // as above
        opened = file::open_append(path);
    }
    let file = opened?;
    file::try_lock(&file)?;
    Ok(file)
}

fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(dir)
}

/// What the machine acts upon.
struct World {
    /// The service's name as it was given, for messages.
    dir: PathBuf,
    origin: Instant,
    signals: Signals,
    control: File,
    /// What stands in supervise/status.
    told: Option<[u8; SIZE]>,
}

impl World {
    fn now(&self) -> Time {
        Time { steady: self.origin.elapsed(), wall: clock::wall() }
    }

    /// Feeds an event to the machine, and does what it says; true if that is to leave.
    fn handle(&mut self, machine: &mut Machine, event: Event) -> bool {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            for action in machine.step(event, self.now()) {
                match action {
                    Action::Leave => return true,
                    Action::Signal(signal) => kill(machine, signal),
                    Action::Start => next = Some(self.start()),
                }
            }
        }
        false
    }

    fn start(&self) -> Event {
        let dir = &self.dir;
        match Chain::new(["./run"]).launch() {
            Ok(child) => u32::try_from(child.pid.as_raw()).map_or(Event::Failed, Event::Started),
            Err(SpawnError::Enter(failure)) => {
                // Not the end of supervise, but these words are what log readers know.
                SUPERVISE.say("fatal", ("unable to start ", dir, "/run"), failure.errno);
                Event::Failed
            }
            Err(SpawnError::Fork(errno)) => {
                SUPERVISE.warning(("unable to fork for ", dir, ", sleeping 60 seconds"), errno);
                Event::NoProcess
            }
        }
    }

    /// Writes the status, if it is not what stands there. It is state, not data: no sync.
    fn tell(&mut self, machine: &Machine) {
        let status = machine.status().write();
        if self.told == Some(status) {
            return;
        }
        let (dir, aside) = (&self.dir, Path::new("supervise/status.new"));
        let new = (dir, "/supervise/status.new");
        let mut replacement = match Replacement::create(aside, 0o644) {
            Ok(replacement) => replacement,
            Err(error) => return SUPERVISE.warning(("unable to open ", new), error),
        };
        match replacement.write(&status) {
            Ok(SIZE) => {}
            Ok(_) => {
                return SUPERVISE.warning(("unable to write ", new, ": partial write"), ());
            }
            Err(error) => return SUPERVISE.warning(("unable to write ", new), error),
        }
        match replacement.rename(Path::new("supervise/status")) {
            Ok(()) => self.told = Some(status),
            Err(error) => SUPERVISE.warning(("unable to rename ", new, " to status"), error),
        }
    }

    /// Waits until something happens. Signals come first, and of these the wishes of others before the
    /// service's end: a logger ends as soon as svscan has sent its wish and closed the pipe.
    fn wait(&mut self, machine: &Machine) -> Vec<Event> {
        let limit = machine.deadline().map(|at| at.saturating_sub(self.origin.elapsed()));
        let mut interests = [Interest::readable(&self.signals), Interest::readable(&self.control)];
        if let Err(error) = poll::wait(&mut interests, limit) {
            SUPERVISE.warning(("unable to wait for ", &self.dir), error);
            clock::sleep(Duration::from_secs(1)); // out of memory: not for long, it is to be hoped
        }
        let [signaled, commanded] = interests.map(|interest| interest.is_ready());
        let mut events = Vec::new();
        if signaled {
            let signals = self.signals.drain();
            for &signal in &signals {
                events.extend(wishes(signal));
            }
            if signals.contains(&Signal::SIGCHLD) && has_ended(machine) {
                events.push(Event::Ended);
            }
        }
        if commanded {
            let mut bytes = [0; 512];
            let count = self.control.read(&mut bytes).unwrap_or(0); // there will be another turn
            events.extend(bytes.iter().take(count).map(|&byte| Event::Command(byte)));
        }
        events.push(Event::Time);
        events
    }
}

/// What a signal to supervise itself means.
fn wishes(signal: Signal) -> Vec<Event> {
    let commands: &[u8] = match signal {
        Signal::SIGHUP | Signal::SIGINT | Signal::SIGTERM => b"dx",
        Signal::SIGQUIT => b"dxk",
        Signal::SIGUSR1 => return vec![Event::Drain],
        _ => b"",
    };
    commands.iter().map(|&byte| Event::Command(byte)).collect()
}

fn kill(machine: &Machine, signal: Signal) {
    if let Some(pid) = machine.pid().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = signal::send(Pid::from_raw(pid), signal); // it may have ended, or be another user's
    }
}

/// Takes the ends of all children; true if the service's process is among them.
fn has_ended(machine: &Machine) -> bool {
    let mut found = false;
    while let Ok(Some((pid, _))) = process::reap() {
        found |= u32::try_from(pid.as_raw()).ok() == machine.pid();
    }
    found
}
