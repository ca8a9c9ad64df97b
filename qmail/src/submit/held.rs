//! A message that is held in memory until it is whole, for qmail-queued.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use queue::hand::{self, Answer, Offer};
use queue::home::Home;
use unix::limit::{self, Resource};
use unix::{poll, process, socket};

use super::QUEUE;
use super::idle::Programs;
use super::piped::Piped;
use super::verdict::Verdict;

/// What a message is given to that qmail-queued cannot have.
#[derive(Clone, Debug)]
pub(super) enum Reserve {
    /// `bin/qmail-queue`, started for it.
    Program(Home),
    /// One that takes further messages.
    Series(Rc<Programs>),
}

impl Reserve {
    fn home(&self) -> &Home {
        match self {
            Reserve::Program(home) => home,
            Reserve::Series(programs) => programs.home(),
        }
    }

    fn start(&self) -> io::Result<Piped> {
        match self {
            Reserve::Program(home) => Piped::run(home, QUEUE.into(), Vec::new()),
            Reserve::Series(programs) => programs.launch(),
        }
    }
}

/// For how long an answer is waited for. A turn of qmail-queued takes moments, also on a slow disk: what has not
/// answered by then hangs, and nobody else's mail is to hang with it. A message that it queues later comes twice.
const PATIENCE: Duration = Duration::from_mins(2);

/// Room for most messages; more is made when there is more.
const USUAL: usize = 4096;

/// Whether a message of this process may be qmail-queued's. Whether that runs is seen when it is to have one.
///
/// A limit to the size of files that somebody gave this process goes on to count where qmail-queue inherits
/// it. The kernel tells qmail-queued of the effective user, qmail-queue of the real one.
pub(super) fn may_be(home: &Home) -> bool {
    home.path.join(hand::SOCKET).exists()
        && limit::get(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| soft == limit::UNLIMITED)
        && !process::is_privileged_by_file()
}

#[derive(Debug)]
pub(super) struct Held {
    reserve: Reserve,
    message: Vec<u8>,
    /// Once the message has ended.
    envelope: Option<Vec<u8>>,
}

impl Held {
    pub(super) fn new(reserve: Reserve) -> Held {
        Held { reserve, message: Vec::with_capacity(USUAL), envelope: None }
    }

    /// Adds to the message, or to the envelope; false if that does not fit with the zero byte that is to end it.
    #[must_use]
    pub(super) fn put(&mut self, bytes: &[u8]) -> bool {
        let held = self.message.len() + self.envelope.as_ref().map_or(0, Vec::len);
        let fits = held + bytes.len() < hand::MOST;
        if fits {
            self.envelope.as_mut().unwrap_or(&mut self.message).extend_from_slice(bytes);
        }
        fits
    }

    /// Ends the message; what is put from here on is its envelope.
    pub(super) fn end_message(&mut self) {
        self.envelope = Some(Vec::new());
    }

    /// Lets go of what it holds: nobody is to have it.
    pub(super) fn forget(&mut self) {
        self.message.clear();
        self.envelope = None;
    }

    /// What is held, elsewhere.
    pub(super) fn take(&mut self) -> Held {
        let (message, envelope) = (std::mem::take(&mut self.message), self.envelope.take());
        Held { reserve: self.reserve.clone(), message, envelope }
    }

    /// What qmail-queue says of a message whose end it does not see.
    pub(super) fn incomplete() -> Verdict {
        Verdict::of_code(54, false, &[], 0)
    }

    /// Ends the envelope, gives the whole to qmail-queued and waits for the answer; without one the message is
    /// still here, and nothing is known of what became of it.
    pub(super) fn hand_over(self) -> Result<Verdict, Held> {
        self.hand_over_within(PATIENCE)
    }

    pub(super) fn hand_over_within(mut self, patience: Duration) -> Result<Verdict, Held> {
        let mut envelope = self.envelope.take().unwrap_or_default();
        envelope.push(0);
        if let Ok(Some(Answer { code, number })) = self.ask(&envelope, patience) {
            return Ok(Verdict::of_code(code, true, &[], number));
        }
        envelope.pop();
        self.envelope = Some(envelope);
        Err(self)
    }

    fn ask(&self, envelope: &[u8], patience: Duration) -> io::Result<Option<Answer>> {
        let offer = Offer { message: &self.message, envelope };
        let Some(packet) = offer.to_packet() else { return Ok(None) };
        let daemon = socket::connect_at(&self.reserve.home().path.join(hand::SOCKET))?;
        socket::send(&daemon, &packet)?;
        if !poll::until(&daemon, false, Some(Instant::now() + patience))? {
            return Ok(None);
        }
        let mut answer = [0; hand::ANSWER + 1];
        let length = socket::receive(&daemon, &mut answer)?;
        Ok(Answer::parse(answer.get(..length).unwrap_or_default()))
    }

    /// Starts a program for it and gives it what is held.
    pub(super) fn pipe(self) -> Piped {
        let mut piped = self.reserve.start().unwrap_or_else(|_| Piped::lost());
        piped.put(&self.message);
        if let Some(envelope) = &self.envelope {
            piped.end_message();
            piped.put(envelope);
        }
        piped
    }
}
