//! A queue program that waits for a message.

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
use unix::{fd, poll};

use super::{BUFFER, QUEUE, Submission, pipes};

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
    /// Starts `bin/qmail-queue` for a message that may come, and goes on while it gets ready; `None` if there
    /// is no process to be had, or if `$QMAILQUEUE` names another program: one that is not to run
    /// before there is a message.
    #[must_use]
    pub fn start(home: &Home) -> Option<Idle> {
        if std::env::var_os("QMAILQUEUE").is_some() {
            return None;
        }
        let submission = first(home).ok()?;
        Some(Idle(Some(Waiting::First(Box::new(submission)))))
    }

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

/// As [`Submission::start_series`], but without waiting until the program runs.
fn first(home: &Home) -> io::Result<Submission> {
    let (socket, socket_end) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let (ours, theirs) = pipes()?;
    let mut chain = Chain::new([home.join(QUEUE)]);
    chain.argv0(QUEUE);
    chain.argument(series::ARGUMENT);
    // A child that cannot become the program says nothing: there is its exit code.
    let mut launcher = Launcher::with_berths(1, chain.image()?, Complaint::default());
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
    let child = launcher.start(&Variables::default(), &descriptors, None, &held)?;
    let mut submission = Submission::to(Ok(child), ours);
    submission.series = Some(OwnedFd::from(socket).into());
    submission.is_beside = true;
    Ok(submission)
}

/// The descriptor, with a number above all that the program is to find.
fn above(end: OwnedFd) -> io::Result<OwnedFd> {
    fd::duplicate(end, series::DESCRIPTOR + 1)
}

fn further(child: Child, socket: File, round: u64) -> Submission {
    let qp = series::number(child.pid.as_raw().unsigned_abs(), round);
    let mut submission = Submission {
        child: Ok(child),
        qp,
        pipe: Some(socket),
        envelope: None,
        errors: None,
        is_beside: false,
        series: None,
        round,
        piece: None,
        text: Vec::new(),
        buffer: Vec::with_capacity(BUFFER),
        complete: false,
        failed: false,
    };
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
