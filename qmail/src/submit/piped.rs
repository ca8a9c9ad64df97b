//! A message that goes to a queue program over pipes while it comes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use prog::Chain;
use queue::home::Home;
use queue::series;
use unix::image::Step;
use unix::poll::{self, Interest};
use unix::process::{Child, SpawnError};
use unix::signal::{self, Signal};
use unix::{errno, fd};

use super::here;
use super::idle::Idle;
use super::verdict::Verdict;

const BUFFER: usize = 64 * 1024;

/// The exit code of a child that could not become the program.
const UNABLE: u8 = 120;

/// What a queue program may say of its own on descriptor 6.
const LONGEST_TEXT: usize = 255;

/// The exit code of a child that there could not be: there was no process or no descriptor to be had.
const NO_CHILD: u8 = 111;

/// A message that a program takes over pipes. Writing never fails: once the program has stopped reading, bytes
/// are dropped, and the verdict tells.
#[derive(Debug)]
pub(super) struct Piped {
    /// Or the exit code that a child would have ended with that could not become the program.
    pub(super) child: Result<Child, u8>,
    pub(super) qp: u64,
    /// Where what is put goes: the message's pipe, then the envelope's; or the socket of a series.
    pub(super) pipe: Option<File>,
    pub(super) envelope: Option<File>,
    pub(super) errors: Option<File>,
    /// The child was not waited for until it ran the program: if it could not, it has ended with 111.
    pub(super) is_beside: bool,
    /// The program says here that the message is queued and that it takes another one.
    pub(super) series: Option<File>,
    /// Which message of the program's this is.
    pub(super) round: u64,
    /// Where in the buffer the length of a piece is to stand, while the message goes in pieces.
    piece: Option<usize>,
    text: Vec<u8>,
    buffer: Vec<u8>,
    failed: bool,
}

impl Piped {
    /// Starts `program` in the home directory of the host; a relative path is relative to that, and `$PATH`
    /// is not searched. These variables are added to its environment.
    ///
    /// An error means that there was no process or no descriptor to be had. A program that cannot
    /// be run shows in the verdict. From here on SIGPIPE is ignored in this process.
    pub(super) fn run(
        home: &Home,
        program: OsString,
        variables: Vec<(&'static str, Vec<u8>)>,
    ) -> io::Result<Piped> {
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
        Ok(Piped::first(child, ours))
    }

    /// The first message for `child`, which has the other ends of these pipes.
    pub(super) fn first(
        child: Result<Child, u8>,
        [message, envelope, errors]: [OwnedFd; 3],
    ) -> Piped {
        Piped {
            envelope: Some(envelope.into()),
            errors: Some(errors.into()),
            ..Piped::to(child, Some(message.into()))
        }
    }

    /// A message for `child` that goes to `pipe`.
    fn to(child: Result<Child, u8>, pipe: Option<File>) -> Piped {
        let qp = child.as_ref().map_or(0, |child| child.pid.as_raw().unsigned_abs().into());
        Piped {
            child,
            qp,
            pipe,
            envelope: None,
            errors: None,
            is_beside: false,
            series: None,
            round: 0,
            piece: None,
            text: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            failed: false,
        }
    }

    /// The message that `child` takes as its `round`th, from a socket that it has.
    pub(super) fn further(child: Child, socket: File, round: u64) -> Piped {
        let qp = series::number(child.pid.as_raw().unsigned_abs(), round);
        let mut piped = Piped { qp, round, ..Piped::to(Ok(child), Some(socket)) };
        piped.open_piece();
        piped
    }

    /// A message that no program could be started for: the verdict tells.
    pub(super) fn lost() -> Piped {
        Piped { failed: true, ..Piped::to(Err(NO_CHILD), None) }
    }

    /// Gives the message up: nothing more is written.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// Ends the message; what is put from here on is its envelope.
    pub(super) fn end_message(&mut self) {
        match self.close_piece() {
            None => {
                self.push();
                self.pipe = self.envelope.take(); // closes the message, whose end the queue waits for
            }
            Some(0) => {}
            Some(_) => self.put(&series::header(0)),
        }
    }

    /// Ends the envelope if it is `complete`, waits for the program and tells what became of the message;
    /// gives the program as well, if it takes another one.
    pub(super) fn conclude(mut self, complete: bool) -> (Verdict, Option<Idle>) {
        if complete {
            self.put(&[0]);
        }
        self.push();
        let complete = complete && !self.failed;
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

    pub(super) fn put(&mut self, bytes: &[u8]) {
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
pub(super) fn pipes() -> io::Result<([OwnedFd; 3], [OwnedFd; 3])> {
    signal::ignore(Signal::SIGPIPE)?;
    let (message_end, message) = fd::pipe()?;
    let (envelope_end, envelope) = fd::pipe()?;
    let (errors, errors_end) = fd::pipe()?;
    for ours in [&message, &envelope, &errors] {
        fd::nonblocking(ours, true)?;
    }
    Ok(([message, envelope, errors], [message_end, envelope_end, errors_end]))
}
