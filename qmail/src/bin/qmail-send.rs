//! qmail-send — deliver the messages of the queue.
//!
//! qmail-start gives it its descriptors: the log on 0, qmail-lspawn on 1 and 2, qmail-rspawn on 3 and
//! 4, qmail-clean on 5 and 6. It says nothing anywhere but in the log.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::control::Control;
use qmail::send::Channels;
use qmail::send::log::Log;
use qmail::send::machine::{Action, Event, Machine};
use qmail::send::settings::Settings;
use qmail::world::{Pipes, World, write_log};
use queue::disk::{Queue, Unreachable};
use queue::home::Home;
use unix::fd::{self, Direct};
use unix::signal::{self, Signal, Signals};
use unix::{clock, file, process};

const QMAIL_SEND: Program = Program::new("qmail-send", "").silent();

/// Why it cannot start.
type Reason = &'static str;

const NO_SPAWNER: Reason = "hath the daemon spawn no fire?";

fn main() -> ExitCode {
    prog::main(QMAIL_SEND, run)
}

fn run(_: Args) -> Exit {
    // Standard error is a pipe from qmail-lspawn.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
        alert(&format!("internal error{}", place.unwrap_or_default()));
        process::exit_now(Exit::SOFT.0);
    }));
    match start() {
        Ok((machine, world, _lock)) => deliver(machine, world),
        Err(reason) => {
            alert(&format!("cannot start: {reason}"));
            Exit::SOFT
        }
    }
}

fn alert(what: &str) {
    let mut log = Log::default();
    log.alert(what);
    write_log(log.as_bytes());
}

/// Everything that is needed before the first message can be looked at, the lock last of all.
fn start() -> Result<(Machine, World, File), Reason> {
    let home = Home::find();
    let queue = Queue::open(&home);
    if let Err(Unreachable::Home(_)) = queue {
        return Err("unable to switch to home directory");
    }
    let control = Control::of(&home);
    let settings = Settings::read(&control).map_err(|_| "unable to read controls")?;
    let queue = queue.map_err(|_| "unable to switch to queue directory")?;
    let signals = catch_signals().map_err(|_| "unable to catch signals")?;
    process::umask(0o077);
    // What qmail-start ties to this process's life is not for a bounce's qmail-queue. It does no harm there.
    let _ = fd::close_all_on_exec(7);

    let lock = queue.dir().open_to_write(Path::new("lock/sendmutex"));
    let lock = lock.map_err(|_| "unable to open mutex")?;
    file::try_lock(&lock).map_err(|_| "qmail-send is already running")?;

    let local = pipes(1).map_err(|_| NO_SPAWNER)?;
    let remote = pipes(3).map_err(|_| NO_SPAWNER)?;
    let cleaner = pipes(5).map_err(|_| "unable to talk to qmail-clean")?;
    let most = Channels { local: most(&local)?, remote: most(&remote)? };

    let machine = Machine::new(clock::wall().seconds, settings.limits, most);
    let spawners = Channels { local, remote };
    let world = World::new(home, queue, settings, spawners, cleaner, signals);
    Ok((machine, world.map_err(|_| NO_SPAWNER)?, lock))
}

fn catch_signals() -> io::Result<Signals> {
    signal::ignore(Signal::SIGPIPE)?;
    signal::default(Signal::SIGCHLD)?; // qmail-queue is waited for
    let signals = Signals::catch(&[Signal::SIGALRM, Signal::SIGHUP, Signal::SIGTERM])?;
    signal::unblock_all()?;
    Ok(signals)
}

/// The descriptors `first`, to a daemon, and the one behind it, from there. No bounce's qmail-queue
/// shall have them.
fn pipes(first: i32) -> io::Result<Pipes> {
    let (to, from) = (fd::take(first)?, fd::take(first + 1)?);
    fd::close_on_exec(&to, true)?;
    fd::close_on_exec(&from, true)?;
    Ok(Pipes { to, from })
}

/// How many deliveries a spawner bears at a time: the first byte that it says.
fn most(spawner: &Pipes) -> Result<u16, Reason> {
    let mut most = [0];
    Direct(&spawner.from).read_exact(&mut most).map_err(|_| NO_SPAWNER)?;
    let [most] = most;
    Ok(most.into())
}

/// Does what the machine says, and tells it what happens, until it says that this is the end.
fn deliver(mut machine: Machine, mut world: World) -> Exit {
    let (found, failed) = world.messages();
    let mut events = VecDeque::from([Event::Begin(found, failed)]);
    loop {
        while let Some(event) = events.pop_front() {
            let mut answers = Vec::new();
            for action in machine.step(clock::wall().seconds, event) {
                let is_end = action == Action::Exit;
                answers.extend(world.perform(action));
                if is_end {
                    return Exit::OK;
                }
            }
            // What it asked for is told first: a turn may be the last, and then nothing shall be half done.
            answers.into_iter().rev().for_each(|answer| events.push_front(answer));
        }
        events.extend(world.wait(machine.deadline(clock::wall().seconds)));
    }
}
