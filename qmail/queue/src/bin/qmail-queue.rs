//! qmail-queue — put a message into the queue.
//!
//! Installed set-uid to the queue's owner: anybody may run it, with anything on its descriptors. It
//! reads no environment variable but `$QMAILHOME` (and that only without set-uid), and says nothing: its
//! exit code is all there is. Its one argument, for clients with more than one message, is explained in
//! `queue::series`.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use queue::deposit::{Origin, Place, Refusal, Stamp, deposit};
use queue::disk::{Queue, Unreachable};
use queue::extra::Extra;
use queue::home::{Account, Home};
use queue::sweep::{DAY, EARLY};
use queue::{series, trigger};
use unix::dir::Dir;
use unix::signal::{self, Signal};
use unix::{Gid, Uid, clock, fd, poll, process};

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
    if home.private && uid.is_root() {
        become_owner(queue.dir()).map_err(|_| Refusal::Internal)?;
    }
    let pid = process::id().as_raw().unsigned_abs();
    let mut stamp = Stamp {
        number: series::number(pid, 0),
        uid: uid.as_raw(),
        origin: origin(&home, uid),
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

/// In a private home everything belongs to one user, so root's mail does as well.
fn become_owner(queue: &Dir) -> io::Result<()> {
    let owner = queue.stat(Path::new("."))?;
    process::become_user(Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid))
}

/// What is known about the caller. In a private home all accounts are one, so it is just a user;
/// so it is where the accounts cannot be read, because mail is worth more than a word in a header.
fn origin(home: &Home, uid: Uid) -> Origin {
    if home.private {
        return Origin::User;
    }
    let accounts = home.uids([Account::Alias, Account::Daemon, Account::Send]);
    let origins = [Origin::Alias, Origin::Network, Origin::Bounce];
    let known = accounts.into_iter().flatten().zip(origins).find(|&(known, _)| known == Some(uid));
    known.map_or(Origin::User, |(_, origin)| origin)
}

/// A message is not given up because its sender's terminal went away. When time is up nothing is
/// cleaned: qmail-send may already have the message.
fn set_signals() -> io::Result<()> {
    signal::unblock_all()?;
    for ignored in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGPIPE,
        Signal::SIGPROF,
        Signal::SIGQUIT,
        Signal::SIGVTALRM,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ] {
        signal::ignore(ignored)?;
    }
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
