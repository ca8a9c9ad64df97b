//! qmail-queued — put small messages into the queue for clients that hand them over.
//!
//! qmail-start gives it its descriptors: a socket that listens on 0, and on 1 a pipe that nobody writes to and that
//! ends with qmail-send. Anybody may connect, with anything: what comes is in `queue::hand`, who asks is told by
//! the kernel. All that has come is written, made durable together (`queue::deposit::Turn`), and answered.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use prog::{Args, Exit, Fatal, OrFatal, Program};
use queue::caller::{self, Origins};
use queue::deposit::{Refusal, Stamp, Turn};
use queue::disk::{Queue, Unreachable};
use queue::extra::Extra;
use queue::hand::{Answer, Lobby, Offer, PACKET, PLACES};
use queue::home::Home;
use queue::{series, trigger};
use unix::poll::{self, Interest};
use unix::signal::{self, Posted, Signal};
use unix::{Uid, clock, fd, process, socket};

const QMAIL_QUEUED: Program = Program::new("qmail-queued", "");

/// Messages that are made durable together. Each has two files open until then.
const MOST: usize = 64;

/// Descriptors that tell of the end; they are looked at together with clients.
const ENDS: usize = 2;

/// For how long nobody is accepted when there is no descriptor or no memory for that.
const PAUSE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    prog::main(QMAIL_QUEUED, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    if args.optional().is_some() {
        return Err(args.usage());
    }
    if !socket::is_listening_for_packets(&fd::stdin()) {
        return Err(Fatal::hard("descriptor 0 is no socket that listens for packets"));
    }
    if !is_pipe(fd::stdout()) {
        return Err(Fatal::hard("descriptor 1 is no pipe"));
    }
    fd::nonblocking(fd::stdin(), true).or_fatal("unable to set up descriptor 0")?;
    process::umask(0o033);
    let home = Home::find();
    let queue = Queue::open(&home).map_err(|unreachable| match unreachable {
        Unreachable::Home(error) => Fatal::because(("unable to switch to ", &home.path), error),
        Unreachable::Queue(error) => Fatal::because(("unable to switch to ", &home.queue()), error),
    })?;
    caller::become_owner(&home, queue.dir()).or_fatal("unable to become the queue's owner")?;
    let stop = catch_signals().or_fatal("unable to catch signals")?;
    Depot::new(home, queue).serve(&stop).or_fatal("unable to wait")?;
    Ok(Exit::OK)
}

fn is_pipe(fd: impl AsFd) -> bool {
    let file = fd.as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|file| file.file_type().is_fifo())
}

fn catch_signals() -> io::Result<Posted> {
    caller::ignore_signals()?;
    signal::unblock_all()?;
    Posted::catch(&[Signal::SIGTERM])
}

/// A client, and who that is.
struct Client {
    connection: OwnedFd,
    uid: Uid,
}

struct Depot {
    home: Home,
    queue: Queue,
    origins: Origins,
    lobby: Lobby<Client>,
    /// Nobody is accepted before.
    accept_from: Option<Instant>,
    pid: u32,
    /// Messages that have been numbered.
    round: u64,
    /// Room for a packet, and a byte more.
    packet: Vec<u8>,
}

impl Depot {
    fn new(home: Home, queue: Queue) -> Depot {
        Depot {
            origins: Origins::find(&home),
            home,
            queue,
            lobby: Lobby::default(),
            accept_from: None,
            pid: process::id().as_raw().unsigned_abs(),
            round: 0,
            packet: vec![0; PACKET + 1],
        }
    }

    /// Serves until it is told to stop, and then whoever has sent a packet.
    fn serve(&mut self, stop: &Posted) -> io::Result<()> {
        loop {
            let is_last = self.wait(stop)?;
            self.accept();
            while self.turn() > 0 && is_last {}
            if is_last {
                return Ok(());
            }
            self.lobby.clear(clock::monotonic());
        }
    }

    /// Waits until there is something to do; true if that is to stop.
    fn wait(&mut self, stop: &Posted) -> io::Result<bool> {
        let now = clock::monotonic();
        let pause = self.accept_from.map(|from| from.saturating_duration_since(now));
        let limit = [pause, self.lobby.limit(now)].into_iter().flatten().min();
        let (listener, lifetime) = (fd::stdin(), fd::stdout());
        let ends: [_; ENDS] = [Interest::readable(stop), Interest::readable(&lifetime)];
        let mut interests = Vec::from(ends);
        let connections = self.lobby.clients().map(|client| &client.connection);
        interests.extend(connections.map(Interest::readable));
        if pause.is_none() {
            interests.push(Interest::readable(&listener));
        }
        poll::wait(&mut interests, limit)?;
        let ready: Vec<bool> = interests.iter().map(Interest::is_ready).collect();
        drop(interests);
        self.lobby.mark(ready.iter().skip(ENDS).copied());
        Ok(ready.iter().take(ENDS).any(|is_ready| *is_ready))
    }

    /// Lets in who has connected.
    fn accept(&mut self) {
        let now = clock::monotonic();
        if self.accept_from.is_some_and(|from| from > now) {
            return;
        }
        self.accept_from = None;
        for _ in 0..PLACES {
            match socket::accept_local(&fd::stdin()) {
                Ok(connection) => {
                    if let Ok(uid) = socket::peer_user(&connection) {
                        self.lobby.admit(now, Client { connection, uid });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // There is no descriptor or no memory for it; that may change.
                Err(_) => {
                    self.accept_from = Some(now + PAUSE);
                    return;
                }
            }
        }
    }

    /// Queues what has come, and answers; gives how many clients were looked at.
    fn turn(&mut self) -> usize {
        let guests = self.lobby.next(MOST);
        let count = guests.len();
        if count == 0 {
            return 0;
        }
        let extra = Extra::read(&self.home).map_err(|_| Refusal::Control);
        let (mut turn, mut queued) = (Turn::default(), Vec::new());
        for guest in guests {
            match socket::receive(&guest.client.connection, &mut self.packet) {
                Ok(length) if (1..=PACKET).contains(&length) => {
                    let number = series::number(self.pid, self.round);
                    self.round += 1;
                    let client = guest.client;
                    let extra = extra.as_ref().map_err(|refusal| *refusal);
                    let queue = |extra| self.queue(&mut turn, &client, number, length, extra);
                    match extra.and_then(queue) {
                        Ok(()) => queued.push((client, number)),
                        // Nothing is left of it, and perhaps there is only no descriptor here: qmail-queue may
                        // have one, and has its own word on what is wrong.
                        Err(Refusal::Control | Refusal::Pid | Refusal::Intd) => drop(client),
                        Err(refusal) => answer(&client, number, Err(refusal)),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.lobby.wait(guest),
                // Gone, or too large: whoever is not answered hands the message over elsewhere.
                _ => drop(guest),
            }
        }
        if !turn.is_empty() {
            // Before the disk is waited for: qmail-send believes a message that proves itself.
            trigger::pull(self.queue.dir());
            let results = turn.settle(&mut self.queue);
            for ((client, number), result) in queued.into_iter().zip(results) {
                // Whether another sync fails, qmail-queue finds out: this one may have lacked a descriptor for
                // its directory.
                if result.is_ok() {
                    answer(&client, number, Ok(()));
                }
            }
        }
        count
    }

    /// Writes the message of a packet.
    fn queue(
        &mut self,
        turn: &mut Turn<File>,
        client: &Client,
        number: u64,
        length: usize,
        extra: &Extra,
    ) -> Result<(), Refusal> {
        let offer = Offer::parse(self.packet.get(..length).unwrap_or_default())?;
        let stamp = Stamp {
            number,
            uid: client.uid.as_raw(),
            origin: self.origins.of(client.uid),
            time: clock::wall().seconds,
        };
        turn.add(&mut self.queue, &stamp, offer.message, &extra.added_to(offer.envelope))
    }
}

/// Tells a client what became of its message. One that is gone does not hear it.
fn answer(client: &Client, number: u64, result: Result<(), Refusal>) {
    let code = result.map_or_else(|refusal| refusal as u8, |()| 0);
    let _ = socket::send(&client.connection, &Answer { code, number }.to_packet());
}
