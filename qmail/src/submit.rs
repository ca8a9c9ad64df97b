//! A client's half of qmail-queue: message, envelope, verdict.

mod idle;
mod verdict;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use prog::Chain;
use queue::home::Home;
use queue::series;
use unix::image::Step;
use unix::poll::{self, Interest};
use unix::process::{Child, SpawnError};
use unix::signal::{self, Signal};
use unix::{errno, fd};

pub use idle::{Idle, Starter};
pub use verdict::Verdict;

const BUFFER: usize = 64 * 1024;

/// The queue program, below the home.
const QUEUE: &str = "bin/qmail-queue";

/// The exit code of a child that could not become the program.
const UNABLE: u8 = 120;

/// What a queue program may say of its own on descriptor 6.
const LONGEST_TEXT: usize = 255;

/// A message being handed to the queue.
///
/// Write the message, give the [`Submission::envelope`], ask for the verdict with
/// [`Submission::finish`]. Writing never fails: once the queue program has stopped reading, bytes
/// are dropped, and the verdict tells. Dropped before `finish`, nothing is queued.
#[derive(Debug)]
pub struct Submission {
    /// Or the exit code that a child would have ended with that could not become the program.
    child: Result<Child, u8>,
    qp: u64,
    /// Where what is put goes: the message's pipe, then the envelope's; or the socket of a series.
    pipe: Option<File>,
    envelope: Option<File>,
    errors: Option<File>,
    /// The child was not waited for until it ran the program: if it could not, it has ended with 111.
    is_beside: bool,
    /// The program says here that the message is queued and that it takes another one.
    series: Option<File>,
    /// Which message of the program's this is.
    round: u64,
    /// Where in the buffer the length of a piece is to stand, while the message goes in pieces.
    piece: Option<usize>,
    text: Vec<u8>,
    buffer: Vec<u8>,
    complete: bool,
    failed: bool,
}

impl Submission {
    /// Starts `$QMAILQUEUE`, or `bin/qmail-queue`, in the home directory of the host; a relative path
    /// is relative to that, and `$PATH` is not searched.
    ///
    /// An error means that there was no process or no descriptor to be had. A program that cannot
    /// be run shows in the verdict. From here on SIGPIPE is ignored in this process.
    pub fn start(home: &Home) -> io::Result<Submission> {
        Submission::start_with(home, Vec::new)
    }

    /// As [`Submission::start`]; a program that `$QMAILQUEUE` names has these variables too. (Ours, which
    /// is set-uid, has no use for any.)
    pub fn start_with(
        home: &Home,
        variables: impl FnOnce() -> Vec<(&'static str, Vec<u8>)>,
    ) -> io::Result<Submission> {
        match std::env::var_os("QMAILQUEUE") {
            Some(program) => Submission::run(home, program, variables()),
            None => Submission::run(home, QUEUE.into(), Vec::new()),
        }
    }

    fn run(
        home: &Home,
        program: OsString,
        variables: Vec<(&'static str, Vec<u8>)>,
    ) -> io::Result<Submission> {
        let (ours, [message_end, envelope_end, errors_end]) = pipes()?;
        let mut chain = Chain::new([here(&program)]);
        chain.argv0(program);
        chain.directory(&home.path);
        chain.descriptor(0, message_end);
        chain.descriptor(1, envelope_end);
        chain.descriptor(6, errors_end);
        for (name, value) in variables {
            chain.env.set(name, value);
        }
        let child = match chain.launch() {
            Ok(child) => Ok(child),
            Err(SpawnError::Fork(errno)) => return Err(errno.into()),
            Err(SpawnError::Enter(failure)) if failure.step == Step::Directory => Err(61),
            Err(SpawnError::Enter(_)) => Err(UNABLE),
        };
        Ok(Submission::first(child, ours))
    }

    /// The first message for `child`, which has the other ends of these pipes.
    fn first(child: Result<Child, u8>, [message, envelope, errors]: [OwnedFd; 3]) -> Submission {
        Submission {
            envelope: Some(envelope.into()),
            errors: Some(errors.into()),
            ..Submission::to(child, message.into())
        }
    }

    /// A message for `child` that goes to `pipe`.
    fn to(child: Result<Child, u8>, pipe: File) -> Submission {
        let qp = child.as_ref().map_or(0, |child| child.pid.as_raw().unsigned_abs().into());
        Submission {
            child,
            qp,
            pipe: Some(pipe),
            envelope: None,
            errors: None,
            is_beside: false,
            series: None,
            round: 0,
            piece: None,
            text: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            complete: false,
            failed: false,
        }
    }

    /// What logs and replies call `qp`: the process id of the queue program, for the first message
    /// that it takes.
    #[must_use]
    pub fn qp(&self) -> u64 {
        self.qp
    }

    /// Gives the message up: nothing more is written, and nothing is queued.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Ends the message and writes the envelope. No address may hold a zero byte: that fails.
    pub fn envelope<'a>(&mut self, sender: &[u8], recipients: impl IntoIterator<Item = &'a [u8]>) {
        match self.close_piece() {
            None => {
                self.push();
                self.pipe = self.envelope.take(); // closes the message, whose end the queue waits for
            }
            Some(0) => {}
            Some(_) => self.put(&series::header(0)),
        }
        self.address(b'F', sender);
        for recipient in recipients {
            self.address(b'T', recipient);
        }
        self.complete = !self.failed;
    }

    fn address(&mut self, letter: u8, address: &[u8]) {
        if memchr::memchr(0, address).is_some() {
            self.fail();
        }
        for part in [&[letter][..], address, &[0]] {
            self.put(part);
        }
    }

    /// Ends the envelope, waits for the queue program and tells what became of the message.
    #[must_use]
    pub fn finish(self) -> Verdict {
        self.conclude().0
    }

    /// As [`Submission::finish`]; gives the queue program as well, if it takes another message.
    #[must_use]
    pub fn conclude(mut self) -> (Verdict, Option<Idle>) {
        if self.complete {
            self.put(&[0]);
        }
        self.push();
        let complete = self.complete && !self.failed;
        if self.round > 0 && complete {
            self.series = self.pipe.take(); // of which the envelope is not the end
        }
        self.pipe = None;
        self.envelope = None;
        let mut is_queued = false;
        while !is_queued && (self.errors.is_some() || self.series.is_some()) {
            is_queued = self.wait_and_listen();
        }
        let socket = self.series.take().filter(|_| is_queued && complete);
        let verdict = match (self.child, socket) {
            (Ok(child), Some(socket)) => {
                let idle = Idle::further(child, socket, self.round + 1);
                return (Verdict::Accepted { qp: self.qp }, Some(idle));
            }
            (Err(code), _) => Verdict::of_code(code, complete, &self.text, self.qp),
            (Ok(child), None) => match child.wait() {
                Ok(status) if self.is_beside && status.code() == Some(111) => {
                    Verdict::of_code(UNABLE, complete, &self.text, self.qp)
                }
                Ok(status) => Verdict::of_status(status, complete, &self.text, self.qp),
                Err(_) => Verdict::lost_child(),
            },
        };
        (verdict, None)
    }

    fn put(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(BUFFER / 2) {
            if self.failed {
                return;
            }
            if self.buffer.len() + part.len() > BUFFER {
                self.push();
            }
            self.buffer.extend_from_slice(part);
        }
    }

    /// Writes what is buffered.
    fn push(&mut self) {
        let is_in_pieces = self.piece.is_some();
        self.close_piece();
        let mut bytes = std::mem::take(&mut self.buffer);
        self.send(&bytes);
        bytes.clear();
        self.buffer = bytes;
        if is_in_pieces {
            self.open_piece();
        }
    }

    /// Leaves room for the length of what is put from here on.
    fn open_piece(&mut self) {
        self.piece = Some(self.buffer.len());
        self.buffer.extend_from_slice(&series::header(0));
    }

    /// Fills the length in; gives it.
    fn close_piece(&mut self) -> Option<usize> {
        let start = self.piece.take()?;
        let length = self.buffer.len().saturating_sub(start + series::HEADER);
        let place = self.buffer.get_mut(start..start + series::HEADER)?;
        place.copy_from_slice(&series::header(length));
        Some(length)
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.failed {
            let Some(pipe) = &mut self.pipe else {
                self.failed = true;
                return;
            };
            match pipe.write(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_and_listen();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.failed = true,
            }
        }
    }

    /// Waits until the pipe takes more or the program says something; true if it says that the message
    /// is queued. Hearing it out while it is written to is what keeps two full pipes from waiting for one
    /// another.
    fn wait_and_listen(&mut self) -> bool {
        let readable = self.errors.iter().chain(&self.series).map(Interest::readable);
        let mut interests: Vec<_> =
            readable.chain(self.pipe.iter().map(Interest::writable)).collect();
        if poll::wait(&mut interests, None).is_err() {
            self.failed = true;
            (self.errors, self.series) = (None, None);
            return false;
        }
        let mut ready = interests.iter().map(Interest::is_ready);
        let says = self.errors.is_some() && ready.next() == Some(true);
        let answers = self.series.is_some() && ready.next() == Some(true);
        if says {
            self.listen();
        }
        answers && self.hears_queued()
    }

    fn listen(&mut self) {
        let mut bytes = [0; 512];
        let Some(errors) = &mut self.errors else { return };
        match errors.read(&mut bytes) {
            Ok(read @ 1..) => {
                self.text.extend(bytes.iter().take(read));
                self.text.truncate(LONGEST_TEXT);
            }
            Err(error) if errno::is_temporary(errno::of(&error)) => {}
            // It has ended. Somebody it has started may have the other descriptor still.
            _ => (self.errors, self.series) = (None, None),
        }
    }

    fn hears_queued(&mut self) -> bool {
        let mut byte = [u8::MAX];
        let Some(socket) = &mut self.series else { return false };
        match socket.read(&mut byte) {
            Ok(1) if byte == [0] => return true,
            Err(error) if errno::is_temporary(errno::of(&error)) => {}
            _ => self.series = None,
        }
        false
    }
}

/// The pipes for a message, its envelope, and what the program says: our ends and the program's. From here on
/// SIGPIPE is ignored in this process.
fn pipes() -> io::Result<([OwnedFd; 3], [OwnedFd; 3])> {
    signal::ignore(Signal::SIGPIPE)?;
    let (message_end, message) = fd::pipe()?;
    let (envelope_end, envelope) = fd::pipe()?;
    let (errors, errors_end) = fd::pipe()?;
    for ours in [&message, &envelope, &errors] {
        fd::nonblocking(ours, true)?;
    }
    Ok(([message, envelope, errors], [message_end, envelope_end, errors_end]))
}

impl Write for Submission {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `program` with a slash in it, so that `$PATH` is not searched. An empty one stays: it cannot be run.
pub(crate) fn here(program: &OsString) -> OsString {
    let name = program.as_bytes();
    if name.is_empty() || name.contains(&b'/') {
        program.clone()
    } else {
        OsString::from_vec([b"./", name].concat())
    }
}

#[cfg(test)]
mod tests;
