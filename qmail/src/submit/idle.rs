//! Queue programs that wait for a message, and who starts them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use prog::Chain;
use queue::home::Home;
use queue::series;
use unix::launch::{Complaint, Launcher, Variables};
use unix::process::Child;
use unix::signal::Held;
use unix::{errno::Errno, fd, poll};

use super::{QUEUE, Submission, pipes};

/// Starts queue programs for a client that may have more messages than one.
///
/// A launcher keeps what it has prepared for as long as this process lives, so there is one, however
/// many messages there are.
#[derive(Debug)]
pub struct Starter<'a> {
    pub(super) home: &'a Home,
    launcher: Option<Launcher>,
    /// There was no process to be had; not asked for again before there is a message.
    has_failed: bool,
}

impl<'a> Starter<'a> {
    /// Nothing is prepared before it is needed.
    #[must_use]
    pub fn new(home: &'a Home) -> Starter<'a> {
        Starter { home, launcher: None, has_failed: false }
    }

    /// Starts `bin/qmail-queue` for a message that may come, and goes on while it gets ready; `None` if there
    /// is no process to be had, or if `$QMAILQUEUE` names another program: one that is not to run
    /// before there is a message. After such a failure there is none until a message has been begun.
    #[must_use]
    pub fn early(&mut self) -> Option<Idle> {
        if self.has_failed || std::env::var_os("QMAILQUEUE").is_some() {
            return None;
        }
        let submission = self.launch();
        self.has_failed = submission.is_err();
        Some(Idle(Some(Waiting::First(Box::new(submission.ok()?)))))
    }

    /// Begins a message, as [`Submission::start`], but [`Submission::conclude`] gives the program back,
    /// if it is one that takes more messages and none that `$QMAILQUEUE` names.
    pub fn begin(&mut self) -> io::Result<Submission> {
        self.has_failed = false;
        if std::env::var_os("QMAILQUEUE").is_some() {
            return Submission::start(self.home);
        }
        self.launch()
    }

    /// Starts the program, without waiting until it runs.
    fn launch(&mut self) -> io::Result<Submission> {
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
        let launcher = match &mut self.launcher {
            Some(launcher) => launcher,
            none => none.insert(launcher(self.home)?),
        };
        let child = launcher.start(&Variables::default(), &descriptors, None, &held);
        if child.as_ref().is_err_and(|&errno| errno == Errno::EBUSY) {
            // Somebody has killed its children at their first step, and it does not know that they are gone.
            self.launcher = None;
        }
        let mut submission = Submission::first(Ok(child?), ours);
        submission.series = Some(OwnedFd::from(socket).into());
        submission.is_beside = true;
        Ok(submission)
    }
}

fn launcher(home: &Home) -> io::Result<Launcher> {
    let mut chain = Chain::new([home.join(QUEUE)]);
    chain.argv0(QUEUE);
    chain.argument(series::ARGUMENT);
    // A child that cannot become the program says nothing: there is its exit code.
    Ok(Launcher::with_berths(1, chain.image()?, Complaint::default()))
}

/// A queue program that waits for a message. Dropped, it is told that there is none, and its end
/// is waited for.
#[derive(Debug)]
pub struct Idle(pub(super) Option<Waiting>);

#[derive(Debug)]
pub(super) enum Waiting {
    /// It has had none.
    First(Box<Submission>),
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
            Waiting::First(submission) => submission.series.as_ref()?,
            Waiting::Further { socket, .. } => socket,
        };
        // It has nothing to say now: what can be read is its end.
        if poll::until(socket, false, Some(Instant::now())).unwrap_or(true) {
            return None;
        }
        match self.0.take()? {
            Waiting::First(submission) => Some(*submission),
            Waiting::Further { child, socket, round } => Some(further(child, socket, round)),
        }
    }
}

/// The descriptor, with a number above all that the program is to find.
fn above(end: OwnedFd) -> io::Result<OwnedFd> {
    fd::duplicate(end, series::DESCRIPTOR + 1)
}

fn further(child: Child, socket: File, round: u64) -> Submission {
    let qp = series::number(child.pid.as_raw().unsigned_abs(), round);
    let mut submission = Submission { qp, round, ..Submission::to(Ok(child), socket) };
    submission.open_piece();
    submission
}

impl Drop for Idle {
    fn drop(&mut self) {
        let child = match self.0.take() {
            Some(Waiting::First(submission)) => submission.child.ok(),
            Some(Waiting::Further { child, .. }) => Some(child),
            None => None,
        };
        let _ = child.map(Child::wait); // nothing depends on how it ends
    }
}
