//! qmail-remote — send a message via SMTP.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use lookup::resolver::Resolver;
use prog::{Args, Exit, Outcome, Program};
use qmail::control::Control;
use qmail::domains::DomainMap;
use qmail::ipme;
use qmail::smtp::client::{Attempts, BadSender, Conversation, Ending, Next};
use qmail::smtp::connection::Connection;
use qmail::smtp::data::Encoder;
use qmail::smtp::hosts::{self, Route};
use qmail::smtp::reply::{Reader, Reply};
use qmail::tcpto::DeadHosts;
use queue::home::Home;
use unix::errno::{self, Errno};
use unix::signal::{self, Signal};
use unix::timed::Timed;
use unix::{clock, fd, process, socket};

const REMOTE: Program = Program::new("qmail-remote", "host sender recip [ recip ... ]");

/// Hosts that are spoken with before the message is left for later: each may keep silent for long.
const CONVERSATIONS: usize = 5;
/// Read from the message and sent to the host at once.
const PIECE: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(REMOTE, run)
}

/// What became of the message, for qmail-rspawn: the program's only output, and its only end.
struct Report(Vec<u8>);

impl Report {
    fn new(text: &str) -> Report {
        Report([text.as_bytes(), b"\n\0"].concat())
    }
}

impl Outcome for Report {
    fn conclude(self, _: &Program) -> Exit {
        let _ = fd::stdout().write_all(&self.0); // who does not listen is not told
        Exit::OK
    }
}

/// The administrator's word on how to send.
struct Settings {
    helo: Vec<u8>,
    route: Route,
    connect: Duration,
    timeout: Duration,
}

impl Settings {
    fn read(control: &Control, host: &[u8]) -> io::Result<Settings> {
        let seconds = |file, default| {
            let number = control.number(file)?.unwrap_or(default);
            Ok::<_, io::Error>(Duration::from_secs(number.max(1)))
        };
        let routes = control.list("smtproutes")?.unwrap_or_default();
        let route = DomainMap::new(routes.lines()).host(host).map(Route::parse);
        Ok(Settings {
            helo: control.line_or_me("helohost")?.ok_or(io::ErrorKind::NotFound)?,
            route: route.unwrap_or_default(),
            connect: seconds("timeoutconnect", 60)?,
            timeout: seconds("timeoutremote", 1200)?,
        })
    }
}

fn run(mut args: Args) -> Report {
    let words = args.rest();
    let [host, sender, recipients @ ..] = words.as_slice() else { return misuse() };
    if recipients.is_empty() {
        return misuse();
    }
    // A host that is gone shows when it is written to.
    let _ = signal::ignore(Signal::SIGPIPE);
    let home = Home::find();
    if std::env::set_current_dir(&home.path).is_err() {
        return Report::new("ZUnable to switch to home directory. (#4.3.0)");
    }
    let host = host.as_bytes();
    let Ok(settings) = Settings::read(&Control::of(&home), host) else {
        return Report::new("ZUnable to read control files. (#4.3.0)");
    };
    let resolver = Resolver::of_process();
    match hosts::find(&resolver, host, &settings.route, ipme::addresses) {
        Ok(Ok(addresses)) => send(&settings, DeadHosts::of(&home), &addresses, sender, recipients),
        Ok(Err(nowhere)) => Report([nowhere.report(host), b"\0".to_vec()].concat()),
        Err(_) => no_resources(),
    }
}

fn misuse() -> Report {
    Report::new("DI (qmail-remote) was invoked improperly. (#5.3.5)")
}

fn no_resources() -> Report {
    Report::new("ZSystem resources temporarily unavailable. (#4.3.0)")
}

/// Speaks with the hosts in turn, until one has been told of the message.
fn send(
    settings: &Settings,
    mut dead: DeadHosts,
    addresses: &[IpAddr],
    sender: &OsString,
    recipients: &[OsString],
) -> Report {
    let now = || u64::try_from(clock::wall().seconds).unwrap_or(0);
    let pid = process::id().as_raw().unsigned_abs();
    let mut attempts = Attempts::default();
    let size = message_size();
    let mut conversations = 0;
    for &address in addresses {
        if conversations == CONVERSATIONS || dead.is_dead(address, now(), pid) {
            attempts.unreached();
            continue;
        }
        let recipients = recipients.iter().map(|recipient| recipient.as_bytes());
        let conversation =
            Conversation::new(address, &settings.helo, sender.as_bytes(), recipients);
        let conversation = match conversation {
            Ok(conversation) => conversation.of_size(size),
            Err(BadSender) => {
                return Report::new(
                    "DSMTP cannot transfer a sender with a line end in it. (#5.1.7)",
                );
            }
        };
        let at = SocketAddr::new(address, settings.route.port);
        match socket::connect(at, None, settings.connect) {
            Ok(socket) => {
                dead.answered(address);
                conversations += 1;
                match converse(conversation, &socket, settings.timeout) {
                    Ending::Early { is_permanent, text } => attempts.early(is_permanent, text),
                    Ending::Final(report) => return Report(report),
                }
            }
            Err(error) => {
                attempts.unreached();
                match errno::of(&error) {
                    Errno::ETIMEDOUT => dead.timed_out(address, now()),
                    Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM => {
                        return no_resources();
                    }
                    _ => dead.answered(address),
                }
            }
        }
    }
    Report(attempts.report())
}

/// Bytes of the message, if it lies in a file.
fn message_size() -> Option<u64> {
    let message = fd::duplicate(fd::stdin(), 3).ok()?;
    let file = File::from(message).metadata().ok()?;
    file.is_file().then_some(file.len())
}

type Host<'a> = Connection<Timed<&'a OwnedFd>, Timed<&'a OwnedFd>>;

/// Why a conversation cannot go on.
enum Stop {
    Lost,
    Unreadable,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Stop {
        Stop::Lost
    }
}

fn converse(mut conversation: Conversation<'_>, socket: &OwnedFd, timeout: Duration) -> Ending {
    let _ = socket::no_delay(socket); // what is sent is whole, so nothing is gained by waiting
    let mut host = Host::new(Timed::new(socket, timeout), Timed::new(socket, timeout), PIECE);
    match speak(&mut conversation, &mut host, socket, timeout) {
        Ok(ending) => ending,
        Err(Stop::Lost) => conversation.died(),
        Err(Stop::Unreadable) => conversation.unreadable(),
    }
}

fn speak(
    conversation: &mut Conversation<'_>,
    host: &mut Host<'_>,
    socket: &OwnedFd,
    timeout: Duration,
) -> Result<Ending, Stop> {
    fd::nonblocking(socket, true)?;
    let mut is_read = false;
    loop {
        let reply = hear(host, timeout)?;
        match conversation.reply(&reply, host.output()) {
            Next::Listen => {}
            Next::Message => {
                if std::mem::replace(&mut is_read, true) {
                    rewind().map_err(|_| Stop::Unreadable)?;
                }
                send_message(conversation, host)?;
            }
            Next::Leave(ending) => {
                let _ = host.send(); // it knows better than we whether it is still there
                return Ok(ending);
            }
        }
    }
}

/// Sends what is to be said, and waits for the reply: for each part of it as long as for all of it.
fn hear(host: &mut Host<'_>, timeout: Duration) -> io::Result<Reply> {
    let deadline = clock::monotonic() + timeout;
    let mut reader = Reader::default();
    loop {
        let (taken, reply) = reader.take(host.pending());
        host.consume(taken);
        if let Some(reply) = reply {
            return Ok(reply);
        }
        if clock::monotonic() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !host.listen()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The message is read from its start again.
fn rewind() -> io::Result<()> {
    File::from(fd::duplicate(fd::stdin(), 3)?).rewind()
}

/// Sends the message; its end waits for the host to be listened to.
fn send_message(conversation: &mut Conversation<'_>, host: &mut Host<'_>) -> Result<(), Stop> {
    let mut encoder = Encoder::default();
    let mut buffer = vec![0; PIECE];
    loop {
        let read = fd::stdin().read(&mut buffer).map_err(|_| Stop::Unreadable)?;
        if read == 0 {
            conversation.message_ends();
            encoder.finish(host.output());
            return Ok(());
        }
        encoder.write(buffer.get(..read).unwrap_or_default(), host.output());
        host.send_if_much()?;
    }
}
