//! Several questions at once: sockets, and the time they take.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use unix::errno::{self, Errno};
use unix::fd::Direct;
use unix::poll::{self, Interest};
use unix::{clock, random, socket};

use super::message::{self, Reply};
use super::schedule::{Next, Schedule};
use super::{Error, Question, Record};

/// Room for a datagram; servers are told of less.
const DATAGRAM: usize = 4096;
/// How often a question is asked anew because the answer was an alias.
const ALIASES: usize = 8;

/// Asks every question of the servers, all at the same time, each by its own schedule.
///
/// When `budget` has passed, what is still open ends as timed out.
pub(super) fn ask(
    servers: &[SocketAddr],
    questions: &[Question],
    budget: Option<Duration>,
) -> Vec<Result<Vec<Record>, Error>> {
    let end = budget.map(|budget| clock::monotonic() + budget);
    let mut tasks: Vec<Task<'_>> =
        questions.iter().map(|question| Task::new(servers, question)).collect();
    for task in &mut tasks {
        task.begin();
    }
    loop {
        let now = clock::monotonic();
        if end.is_some_and(|end| end <= now) {
            break;
        }
        for task in &mut tasks {
            task.check_time(now);
        }
        let (places, mut interests): (Vec<usize>, Vec<Interest<'_>>) = tasks
            .iter()
            .enumerate()
            .filter_map(|(place, task)| Some((place, task.link.as_ref()?.interest())))
            .unzip();
        let open = tasks.iter().filter(|task| task.outcome.is_none());
        let Some(next) = open.map(|task| task.deadline).min() else { break };
        let limit = next.min(end.unwrap_or(next)).saturating_duration_since(now);
        if let Err(error) = poll::wait(&mut interests, Some(limit)) {
            let outcome = Err(Error::Soft(errno::of(&error)));
            return tasks.into_iter().map(|task| task.outcome.unwrap_or(outcome.clone())).collect();
        }
        let ready: Vec<usize> = places
            .into_iter()
            .zip(&interests)
            .filter_map(|(place, interest)| interest.is_ready().then_some(place))
            .collect();
        drop(interests);
        for place in ready {
            if let Some(task) = tasks.get_mut(place) {
                task.advance();
            }
        }
    }
    let late = || Err(Error::Soft(Errno::ETIMEDOUT));
    tasks.into_iter().map(|task| task.outcome.unwrap_or_else(late)).collect()
}

/// A socket, and how far the conversation on it is.
enum Link {
    Datagram(OwnedFd),
    /// The query with its length in front, and how much of it is sent.
    Sending(OwnedFd, Vec<u8>, usize),
    /// The answer with its length in front, as far as it is here.
    Receiving(OwnedFd, Vec<u8>),
}

impl Link {
    fn interest(&self) -> Interest<'_> {
        match self {
            Link::Datagram(fd) | Link::Receiving(fd, _) => Interest::of(fd.as_fd(), false),
            Link::Sending(fd, ..) => Interest::of(fd.as_fd(), true),
        }
    }
}

/// One question on its way.
struct Task<'a> {
    servers: &'a [SocketAddr],
    question: Question,
    schedule: Schedule,
    id: u16,
    /// Without EDNS: a server has asked for that.
    plain: bool,
    aliases: usize,
    link: Option<Link>,
    /// When the schedule wants something else to be done.
    deadline: Instant,
    /// Time for each step over TCP.
    step: Duration,
    /// Why the last server was no help.
    trouble: Errno,
    outcome: Option<Result<Vec<Record>, Error>>,
}

impl<'a> Task<'a> {
    fn new(servers: &'a [SocketAddr], question: &Question) -> Task<'a> {
        Task {
            servers,
            question: question.clone(),
            schedule: Schedule::new(servers.len()),
            id: 0,
            plain: false,
            aliases: 0,
            link: None,
            deadline: clock::monotonic(),
            step: Duration::ZERO,
            trouble: Errno::ETIMEDOUT,
            outcome: None,
        }
    }

    fn begin(&mut self) {
        self.go(self.schedule.now());
    }

    /// Does what the schedule says, until there is something to wait for.
    fn go(&mut self, mut next: Next) {
        loop {
            let opened = match next {
                Next::Wait => {
                    self.link = None;
                    return;
                }
                Next::GiveUp => return self.end(Err(Error::Soft(self.trouble))),
                Next::Datagram(server, limit) => self.open_datagram(server, limit),
                Next::Stream(server, limit) => self.open_stream(server, limit),
            };
            match opened {
                Ok(()) => return,
                Err(error) => {
                    self.trouble = errno::of(&error);
                    next = self.schedule.unreachable();
                }
            }
        }
    }

    /// A new query. Its id comes from the kernel's random numbers, and so does the port of the new
    /// socket: both must be guessed by who forges an answer.
    fn query(&mut self) -> io::Result<Vec<u8>> {
        let mut id = [0; 2];
        random::fill(&mut id)?;
        self.id = u16::from_ne_bytes(id);
        message::query(self.id, &self.question, self.plain).map_err(|_| Errno::EPROTO.into())
    }

    fn server(&self, place: usize) -> io::Result<SocketAddr> {
        self.servers.get(place).copied().ok_or_else(|| Errno::EADDRNOTAVAIL.into())
    }

    fn open_datagram(&mut self, server: usize, limit: Duration) -> io::Result<()> {
        self.link = None;
        self.deadline = clock::monotonic() + limit;
        let query = self.query()?;
        let socket = socket::datagram(self.server(server)?)?;
        Direct(&socket).write_all(&query)?;
        self.link = Some(Link::Datagram(socket));
        Ok(())
    }

    fn open_stream(&mut self, server: usize, step: Duration) -> io::Result<()> {
        self.link = None;
        self.step = step;
        self.deadline = clock::monotonic() + step;
        let query = self.query()?;
        let length = u16::try_from(query.len()).map_err(|_| Errno::EPROTO)?;
        let bytes = [&length.to_be_bytes()[..], &query].concat();
        let socket = socket::begin_connect(self.server(server)?, None)?;
        self.link = Some(Link::Sending(socket, bytes, 0));
        Ok(())
    }

    fn end(&mut self, outcome: Result<Vec<Record>, Error>) {
        self.link = None;
        self.outcome = Some(outcome);
    }

    fn check_time(&mut self, now: Instant) {
        if self.outcome.is_none() && self.deadline <= now {
            if self.link.is_some() {
                self.trouble = Errno::ETIMEDOUT;
            }
            let next = self.schedule.timed_out();
            self.go(next);
        }
    }

    fn fail(&mut self, trouble: Errno) {
        self.trouble = trouble;
        let next = self.schedule.failed();
        self.go(next);
    }

    /// Reads or writes, as the link is ready for it.
    fn advance(&mut self) {
        match self.link.take() {
            Some(Link::Datagram(socket)) => self.receive(socket),
            Some(Link::Sending(socket, bytes, sent)) => self.send(socket, bytes, sent),
            Some(Link::Receiving(socket, bytes)) => self.collect(socket, bytes),
            None => {}
        }
    }

    fn receive(&mut self, socket: OwnedFd) {
        let mut buffer = [0; DATAGRAM];
        match socket::receive(&socket, &mut buffer) {
            Ok(length) => {
                let reply = buffer.get(..length).unwrap_or_default();
                match message::reply(reply, self.id, &self.question) {
                    // Whoever sent it: the server's own answer may still come.
                    Reply::Irrelevant => self.link = Some(Link::Datagram(socket)),
                    reply => self.take(reply),
                }
            }
            Err(error) => match errno::of(&error) {
                Errno::EAGAIN | Errno::EINTR => self.link = Some(Link::Datagram(socket)),
                trouble => self.fail(trouble),
            },
        }
    }

    fn send(&mut self, socket: OwnedFd, bytes: Vec<u8>, sent: usize) {
        let written = socket::error(&socket)
            .and_then(|()| Direct(&socket).write(bytes.get(sent..).unwrap_or_default()));
        match written {
            Ok(count) => {
                let sent = sent + count;
                self.deadline = clock::monotonic() + self.step;
                self.link = Some(if sent < bytes.len() {
                    Link::Sending(socket, bytes, sent)
                } else {
                    Link::Receiving(socket, Vec::new())
                });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.link = Some(Link::Sending(socket, bytes, sent));
            }
            Err(error) => self.fail(errno::of(&error)),
        }
    }

    fn collect(&mut self, socket: OwnedFd, mut bytes: Vec<u8>) {
        let mut buffer = [0; DATAGRAM];
        match Direct(&socket).read(&mut buffer) {
            Ok(0) => return self.fail(Errno::EPROTO),
            Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return self.fail(errno::of(&error)),
        }
        let whole = bytes
            .split_first_chunk()
            .and_then(|(length, rest)| rest.get(..usize::from(u16::from_be_bytes(*length))));
        match whole.map(|answer| message::reply(answer, self.id, &self.question)) {
            // The deadline stays: a server that sends byte by byte has one step for all of them.
            None => self.link = Some(Link::Receiving(socket, bytes)),
            Some(Reply::Irrelevant) => self.fail(Errno::EPROTO),
            Some(reply) => self.take(reply),
        }
    }

    /// Acts upon a reply to this question.
    fn take(&mut self, reply: Reply) {
        match reply {
            Reply::Answer(answer) => self.end(answer),
            Reply::Alias(_) if self.aliases >= ALIASES => self.end(Err(Error::Soft(Errno::ELOOP))),
            Reply::Alias(name) => {
                self.aliases += 1;
                self.question.name = name;
                self.schedule = Schedule::new(self.servers.len());
                self.begin();
            }
            Reply::Failed(trouble) => self.fail(trouble),
            Reply::Plainer if !self.plain => {
                self.plain = true;
                self.begin();
            }
            Reply::Irrelevant | Reply::Plainer => self.fail(Errno::EAGAIN),
            Reply::Truncated => {
                let next = self.schedule.truncated();
                self.go(next);
            }
        }
    }
}
