//! qmail-start — start the daemons of the mail system.
//!
//! Starts the daemons, each under its own account and connected by pipes, and becomes
//! qmail-send itself. Says nothing: what cannot be set up is exit code 111, but for qmail-queued, which is
//! only for speed. In a private home there are no accounts to change to, and everything runs as the caller.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use qmail::door::{self, Door};
use queue::home::{Account, Group, Home};
use unix::fd::{self, Standard};
use unix::{Gid, Uid, file, image, user};

const QMAIL_START: Program =
    Program::new("qmail-start", "[ defaultdelivery [ logger arg ... ] ]").silent();

/// What queues the messages of clients that find it.
const QUEUED: &str = "qmail-queued";

/// The descriptors below are qmail-send's.
const FIRST_FREE: i32 = 7;

fn main() -> ExitCode {
    prog::main(QMAIL_START, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let delivery = args.optional().unwrap_or_else(|| "./Mailbox".into());
    let logger = args.rest();
    let home = Home::find();
    let identities = identities(&home).or_fatal("unable to look up accounts")?;

    let log = if logger.is_empty() {
        fd::duplicate(Standard::Output, FIRST_FREE).or_fatal("unable to set up descriptors")?
    } else {
        start_logger(logger, &identities.log)?
    };
    let local = start(["qmail-lspawn".into(), delivery], &identities.local)?;
    let remote = start(["qmail-rspawn".into()], &identities.remote)?;
    let clean = start(["qmail-clean".into()], &identities.clean)?;

    let mut send = daemon(["qmail-send".into()], &identities.send);
    send.descriptor(0, log);
    for (number, pipes) in (1..).step_by(2).zip([local, remote, clean]) {
        send.descriptor(number, pipes.to);
        send.descriptor(number + 1, pipes.from);
    }
    // It knows nothing of these, but has them as long as it lives.
    let ties = start_queued(&home, &identities.clean).into_iter().flatten();
    for (number, tie) in (FIRST_FREE..).zip(ties) {
        send.descriptor(number, tie);
    }
    Ok(send)
}

/// Whom each process runs as.
#[derive(Default)]
struct Identities {
    clean: Identity,
    local: Identity,
    log: Identity,
    remote: Identity,
    send: Identity,
}

#[derive(Default)]
enum Identity {
    /// Whoever started us.
    #[default]
    Caller,
    /// Whoever started us, in one group.
    Grouped(Gid),
    /// An account in one group, and in others as well.
    Account(Uid, Gid, Vec<Gid>),
}

fn identities(home: &Home) -> io::Result<Identities> {
    if home.private {
        return Ok(Identities::default());
    }
    let accounts = [Account::Queue, Account::Log, Account::Remote, Account::Send];
    let [clean, log, remote, send] = home.uid(accounts)?;
    let (qmail, nofiles) = (home.gid(Group::Qmail)?, home.gid(Group::Nofiles)?);
    let remote_groups = user::groups_of(Account::Remote.name().as_bytes(), qmail)?;
    Ok(Identities {
        clean: Identity::Account(clean, qmail, vec![qmail]),
        local: Identity::Grouped(qmail),
        log: Identity::Account(log, nofiles, vec![nofiles]),
        remote: Identity::Account(remote, qmail, remote_groups),
        send: Identity::Account(send, qmail, vec![qmail]),
    })
}

/// A daemon of ours, without its descriptors.
fn daemon(words: impl IntoIterator<Item = OsString>, identity: &Identity) -> Chain {
    let mut chain = Chain::new(words);
    chain.directory("/");
    chain.umask(0o077);
    match identity {
        Identity::Caller => {}
        Identity::Grouped(gid) => chain.group(*gid),
        Identity::Account(uid, gid, groups) => {
            chain.identity(*uid, *gid);
            chain.groups(groups);
        }
    }
    chain
}

/// The pipes that qmail-send has to a daemon.
struct Pipes {
    to: OwnedFd,
    from: OwnedFd,
}

/// Starts a daemon that takes commands on descriptor 0 and answers on descriptor 1.
fn start(words: impl IntoIterator<Item = OsString>, identity: &Identity) -> Result<Pipes, Fatal> {
    let (commands, to) = fd::pipe().or_fatal("unable to create pipe")?;
    let (from, answers) = fd::pipe().or_fatal("unable to create pipe")?;
    let mut chain = daemon(words, identity);
    chain.descriptor(0, commands);
    chain.descriptor(1, answers);
    spawn(chain)?;
    Ok(Pipes { to, from })
}

/// Starts qmail-queued with the socket at which it is found, if it is there, the host has none, and its qmail-queue is
/// the usual one; gives what shows for how long: the end of a pipe, whose other end qmail-queued watches, and the lock of its door.
fn start_queued(home: &Home, identity: &Identity) -> Option<[OwnedFd; 2]> {
    let path = std::env::var_os("PATH")?;
    let places = image::search(OsStr::new(QUEUED), path.as_bytes()).ok()?;
    if !places
        .iter()
        .any(|place| file::is_executable(Path::new(OsStr::from_bytes(place.as_bytes()))))
    {
        return None;
    }
    let owner = match identity {
        Identity::Account(uid, ..) => *uid,
        Identity::Caller | Identity::Grouped(_) => Uid::current(),
    };
    if !door::is_passable(home, owner) {
        return None;
    }
    let (end, alive) = fd::pipe().ok()?;
    let (door, keys) = Door::make(home).ok()?;
    let mut chain = daemon([QUEUED.into()], identity);
    chain.descriptor(0, keys.socket);
    chain.descriptor(1, end);
    if spawn(chain).is_err() {
        door.remove();
        return None;
    }
    door.open().ok()?;
    Some([alive, keys.lock.into()])
}

/// Starts the logger; gives the end that its lines are written to.
fn start_logger(words: Vec<OsString>, identity: &Identity) -> Result<OwnedFd, Fatal> {
    let (lines, log) = fd::pipe().or_fatal("unable to create pipe")?;
    let mut chain = daemon(words, identity);
    chain.descriptor(0, lines);
    spawn(chain)?;
    Ok(log)
}

fn spawn(mut chain: Chain) -> Result<(), Fatal> {
    for number in 2..FIRST_FREE {
        chain.close(number);
    }
    chain.spawn().map(drop) // nobody waits for it: its end shows in its pipe
}
