//! A client's half of qmail-queue: message, envelope, verdict.

mod held;
mod idle;
mod piped;
mod verdict;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use queue::home::Home;

use held::{Held, Reserve};
use piped::Piped;

pub use idle::{Idle, Starter};
pub use verdict::Verdict;

/// The queue program, below the home.
const QUEUE: &str = "bin/qmail-queue";

/// A message being handed to the queue.
///
/// Write the message, give the [`Submission::envelope`], ask for the verdict with
/// [`Submission::finish`]. Writing never fails: the verdict tells. Dropped before `finish`, nothing is queued.
///
/// A small one is held in memory until it is whole, for qmail-queued; where that cannot have it, and as soon as it
/// is not small, it goes to qmail-queue. To the client that is one and the same.
#[derive(Debug)]
pub struct Submission {
    way: Way,
    complete: bool,
    failed: bool,
}

#[derive(Debug)]
enum Way {
    /// Nothing has been started, and nothing left this process.
    Held(Held),
    /// A program takes it.
    Piped(Piped),
}

impl Submission {
    /// Begins a message for the queue of `home`; `$QMAILQUEUE` is started, if that is set, or `bin/qmail-queue`, where
    /// qmail-queued is not to have it. A relative path is relative to the home, and `$PATH` is not searched.
    ///
    /// An error means that there was no process or no descriptor to be had. A program that cannot
    /// be run shows in the verdict. From here on SIGPIPE may be ignored in this process.
    pub fn start(home: &Home) -> io::Result<Submission> {
        Submission::start_with(home, Vec::new)
    }

    /// As [`Submission::start`]; a program that `$QMAILQUEUE` names has these variables too. (Ours, which
    /// is set-uid, has no use for any.)
    pub fn start_with(
        home: &Home,
        variables: impl FnOnce() -> Vec<(&'static str, Vec<u8>)>,
    ) -> io::Result<Submission> {
        let way = match std::env::var_os("QMAILQUEUE") {
            Some(program) => Way::Piped(Piped::run(home, program, variables())?),
            None if held::may_be(home) => Way::Held(Held::new(Reserve::Program(home.clone()))),
            None => Way::Piped(Piped::run(home, QUEUE.into(), Vec::new())?),
        };
        Ok(Submission::by(way))
    }

    fn by(way: Way) -> Submission {
        Submission { way, complete: false, failed: false }
    }

    /// Gives the message up: nothing more is written, and nothing is queued.
    pub fn fail(&mut self) {
        self.failed = true;
        match &mut self.way {
            Way::Held(held) => held.forget(),
            Way::Piped(piped) => piped.fail(),
        }
    }

    /// Ends the message and writes the envelope. No address may hold a zero byte: that fails.
    pub fn envelope<'a>(&mut self, sender: &[u8], recipients: impl IntoIterator<Item = &'a [u8]>) {
        match &mut self.way {
            Way::Held(held) => held.end_message(),
            Way::Piped(piped) => piped.end_message(),
        }
        self.address(b'F', sender);
        for recipient in recipients {
            self.address(b'T', recipient);
        }
        self.complete = true;
    }

    fn address(&mut self, letter: u8, address: &[u8]) {
        if memchr::memchr(0, address).is_some() {
            self.fail();
        }
        for part in [&[letter][..], address, &[0]] {
            self.put(part);
        }
    }

    /// Ends the envelope, waits for the queue and tells what became of the message.
    #[must_use]
    pub fn finish(self) -> Verdict {
        self.conclude().0
    }

    /// As [`Submission::finish`]; gives the queue program as well, if it takes another message.
    #[must_use]
    pub fn conclude(self) -> (Verdict, Option<Idle>) {
        let complete = self.complete && !self.failed;
        match self.way {
            Way::Held(_) if !complete => (Held::incomplete(), None),
            Way::Held(held) => match held.hand_over() {
                Ok(verdict) => (verdict, None),
                Err(held) => held.pipe().conclude(complete),
            },
            Way::Piped(piped) => piped.conclude(complete),
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failed {
            return;
        }
        if let Way::Held(held) = &mut self.way {
            if held.put(bytes) {
                return;
            }
            self.way = Way::Piped(held.take().pipe());
        }
        if let Way::Piped(piped) = &mut self.way {
            piped.put(bytes);
        }
    }
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
