//! Queue programs that wait for a message, and who starts them.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Instant;

use prog::Chain;
use queue::home::Home;
use queue::series;
use unix::launch::{Complaint, Launcher, Variables};
use unix::process::Child;
use unix::signal::Held;
use unix::{errno::Errno, fd, poll};

use super::held::{self, Reserve};
use super::piped::{Piped, pipes};
use super::{QUEUE, Submission, Way};

/// Starts queue programs for a client that may have more messages than one, where qmail-queued does not take them.
///
/// What it has prepared is kept for as long as this process lives, so there is one, however
/// many messages there are.
#[derive(Debug)]
pub struct Starter {
    pub(super) programs: Rc<Programs>,
    /// There was no process to be had; not asked for again before there is a message.
    has_failed: bool,
    /// Whether the next message may be qmail-queued's, once that was looked at.
    may_be_held: Option<bool>,
}

impl Starter {
    /// Nothing is prepared before it is needed.
    #[must_use]
    pub fn new(home: &Home) -> Starter {
        Starter { programs: Programs::of(home), has_failed: false, may_be_held: None }
    }

    /// For another client, and the host at `home`: nothing of the one before is left but what was prepared.
    pub fn renew(&mut self, home: &Home) {
        (self.has_failed, self.may_be_held) = (false, None);
        if self.programs.home != *home {
            self.programs = Programs::of(home);
        }
    }

    /// Starts `bin/qmail-queue` for a message that may come, and goes on while it gets ready; `None` if qmail-queued
    /// may have it, if there is no process to be had, or if `$QMAILQUEUE` names another program: one that is not to run
    /// before there is a message. After such a failure there is none until a message has been begun.
    #[must_use]
    pub fn early(&mut self) -> Option<Idle> {
        if self.has_failed || std::env::var_os("QMAILQUEUE").is_some() || self.may_be_held() {
            return None;
        }
        let piped = self.programs.launch();
        self.has_failed = piped.is_err();
        Some(Idle(Some(Waiting::First(Box::new(piped.ok()?)))))
    }

    /// Begins a message, as [`Submission::start`], but [`Submission::conclude`] gives the program back,
    /// if it was handed to one that takes more messages and none that `$QMAILQUEUE` names.
    pub fn begin(&mut self) -> io::Result<Submission> {
        if std::env::var_os("QMAILQUEUE").is_some() {
            return Submission::start(&self.programs.home);
        }
        let may_be_held = self.may_be_held();
        (self.has_failed, self.may_be_held) = (false, None);
        Ok(Submission::by(if may_be_held {
            Way::Held(held::Held::new(Reserve::Series(Rc::clone(&self.programs))))
        } else {
            Way::Piped(self.programs.launch()?)
        }))
    }

    /// Looked at once for each message, however many recipients it has.
    fn may_be_held(&mut self) -> bool {
        *self.may_be_held.get_or_insert_with(|| held::may_be(&self.programs.home))
    }
}

/// What starts the queue program of a host with [`series::ARGUMENT`].
#[derive(Debug)]
pub(super) struct Programs {
    home: Home,
    launcher: RefCell<Option<Launcher>>,
}

impl Programs {
    pub(super) fn of(home: &Home) -> Rc<Programs> {
        Rc::new(Programs { home: home.clone(), launcher: RefCell::new(None) })
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    /// Starts the program, without waiting until it runs.
    pub(super) fn launch(&self) -> io::Result<Piped> {
        let (socket, socket_end) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let (ours, theirs) = pipes()?;
        let [message, envelope, errors] = theirs.map(above);
        let (message, envelope, errors) = (message?, envelope?, errors?);
        let socket_end = above(socket_end.into())?;
        let descriptors = [
            (0, message.as_fd()),
            (1, envelope.as_fd()),
            (6, errors.as_fd()),
            (series::DESCRIPTOR, socket_end.as_fd()),
        ];
        let held = Held::new(&[])?;
        let mut kept = self.launcher.borrow_mut();
        let launcher = match &mut *kept {
            Some(launcher) => launcher,
            none => none.insert(launcher(&self.home)?),
        };
        let child = launcher.start(&variables()?, &descriptors, None, &held);
        if child.as_ref().is_err_and(|&errno| errno == Errno::EBUSY) {
            // Somebody has killed its children at their first step, and it does not know that they are gone.
            *kept = None;
        }
        let mut piped = Piped::first(Ok(child?), ours);
        piped.series = Some(OwnedFd::from(socket).into());
        piped.is_beside = true;
        Ok(piped)
    }
}

fn launcher(home: &Home) -> io::Result<Launcher> {
    let mut chain = Chain::new([home.join(QUEUE)]);
    chain.argv0(QUEUE);
    chain.argument(series::ARGUMENT);
    chain.env.clear(); // what it is started with is another for each client
    // A child that cannot become the program says nothing: there is its exit code.
    Ok(Launcher::with_berths(1, chain.image()?, Complaint::default()))
}

/// The environment of this process.
fn variables() -> io::Result<Variables> {
    let mut variables = Variables::default();
    for (name, value) in std::env::vars_os() {
        variables.add(name.as_bytes(), |out| out.extend_from_slice(value.as_bytes()))?;
    }
    Ok(variables)
}

/// A queue program that waits for a message. Dropped, it is told that there is none, and its end
/// is waited for.
#[derive(Debug)]
pub struct Idle(pub(super) Option<Waiting>);

#[derive(Debug)]
pub(super) enum Waiting {
    /// It has had none.
    First(Box<Piped>),
    /// It has had `round` of them.
    Further { child: Child, socket: File, round: u64 },
}

impl Idle {
    pub(super) fn further(child: Child, socket: File, round: u64) -> Idle {
        Idle(Some(Waiting::Further { child, socket, round }))
    }

    /// Begins a message; `None` if the program has ended meanwhile.
    #[must_use]
    pub fn next(mut self) -> Option<Submission> {
        let socket = match self.0.as_ref()? {
            Waiting::First(piped) => piped.series.as_ref()?,
            Waiting::Further { socket, .. } => socket,
        };
        // It has nothing to say now: what can be read is its end.
        if poll::until(socket, false, Some(Instant::now())).unwrap_or(true) {
            return None;
        }
        Some(Submission::by(Way::Piped(match self.0.take()? {
            Waiting::First(piped) => *piped,
            Waiting::Further { child, socket, round } => Piped::further(child, socket, round),
        })))
    }
}

/// The descriptor, with a number above all that the program is to find.
fn above(end: OwnedFd) -> io::Result<OwnedFd> {
    fd::duplicate(end, series::DESCRIPTOR + 1)
}

impl Drop for Idle {
    fn drop(&mut self) {
        let child = match self.0.take() {
            Some(Waiting::First(piped)) => piped.child.ok(),
            Some(Waiting::Further { child, .. }) => Some(child),
            None => None,
        };
        let _ = child.map(Child::wait); // nothing depends on how it ends
    }
}
