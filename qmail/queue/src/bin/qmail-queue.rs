//! qmail-queue — put a message into the queue.
//!
//! Installed set-uid to the queue's owner: anybody may run it, with anything on its descriptors. It
//! reads no environment variable but `$QMAILHOME` (and that only without set-uid), and says nothing: its
//! exit code is all there is. Its one argument, for clients with more than one message, is explained in
//! `queue::series`.

use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use queue::caller::{self, Origins};
use queue::deposit::{Place, Refusal, Stamp, deposit};
use queue::disk::{Queue, Unreachable};
use queue::extra::Extra;
use queue::home::Home;
use queue::sweep::{DAY, EARLY};
use queue::{series, trigger};
use unix::signal::{self, Signal};
use unix::{Uid, clock, fd, poll, process};

const QMAIL_QUEUE: Program = Program::new("qmail-queue", "[series]").crash(Exit(81)).silent();

fn main() -> ExitCode {
    prog::main(QMAIL_QUEUE, run)
}

fn run(mut args: Args) -> Result<Exit, Refusal> {
    process::umask(0o033);
    let home = Home::find();
    let mut queue = Queue::open(&home).map_err(|unreachable| match unreachable {
        Unreachable::Home(_) => Refusal::Home,
        Unreachable::Queue(_) => Refusal::Queue,
    })?;
    let extra = Extra::read(&home).map_err(|_| Refusal::Control)?;
    let uid = Uid::current();
    caller::become_owner(&home, queue.dir()).map_err(|_| Refusal::Internal)?;
    let pid = process::id().as_raw().unsigned_abs();
    let mut stamp = Stamp {
        number: series::number(pid, 0),
        uid: uid.as_raw(),
        origin: Origins::find(&home).of(uid),
        time: clock::wall().seconds,
    };
    set_signals().map_err(|_| Refusal::Internal)?;

    let is_series = args.optional().is_some_and(|word| word == series::ARGUMENT);
    signal::alarm(if is_series { EARLY } else { DAY });
    let place = Place::make(&mut queue, &stamp)?;
    if is_series && poll::until(&fd::stdin(), false, None).is_ok() {
        // Such a client may start this program long before it has a message.
        stamp.time = clock::wall().seconds;
        signal::alarm(DAY);
    }
    // The envelope is read from descriptor 1, whatever that is called elsewhere.
    place.fill(&mut queue, &stamp, &mut fd::stdin(), &mut extra.with(fd::stdout()))?;
    trigger::pull(queue.dir());
    if !is_series {
        return Ok(Exit::OK);
    }
    let Ok(stream) = fd::take(series::DESCRIPTOR).map(UnixStream::from) else {
        return Ok(Exit::OK);
    };
    for round in 1.. {
        let Some(mut message) = series::next(&stream) else { break };
        signal::alarm(DAY);
        stamp.number = series::number(pid, round);
        stamp.time = clock::wall().seconds;
        deposit(&mut queue, &stamp, &mut message, &mut &stream)?;
        trigger::pull(queue.dir());
    }
    Ok(Exit::OK)
}

/// When time is up nothing is cleaned: qmail-send may already have the message.
fn set_signals() -> io::Result<()> {
    signal::unblock_all()?;
    caller::ignore_signals()?;
    signal::exit_on(Signal::SIGALRM, 52)?;
    for bug in [
        Signal::SIGABRT,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGSEGV,
        Signal::SIGSYS,
    ] {
        signal::exit_on(bug, 81)?;
    }
    Ok(())
}
