//! qmail-smtpd — receive mail via SMTP.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use prog::{Args, Exit, Program, env};
use qmail::control::Control;
use qmail::domains::DomainSet;
use qmail::ipme;
use qmail::rcptcheck;
use qmail::rcpthosts::RcptHosts;
use qmail::received::Peer;
use qmail::recipients::{Known, Places, Recipients};
use qmail::smtp::connection::Connection;
use qmail::smtp::data::{BareCr, Progress};
use qmail::smtp::intake::Intake;
use qmail::smtp::line::{Line, Lines};
use qmail::smtp::log::Log;
use qmail::smtp::session::{
    Asked, Envelope, Judgement, Policy, Session, Settings, Step, Trouble, push_result, replies,
};
use qmail::submit::{Idle, Starter};
use queue::home::Home;
use unix::fd::{self, Standard};
use unix::signal::{self, Signal};
use unix::timed::Timed;
use unix::{clock, process, socket};
use wire::decimal;

const SMTPD: Program = Program::new("qmail-smtpd", "");

/// How every session ends but for QUIT.
const LOST: Exit = Exit(1);
/// Most recipients of a message, where the administrator does not say.
const RECIPIENTS: u64 = 10_000;
/// Seconds for each read and write, where the administrator does not say.
const TIMEOUT: u64 = 1200;
/// No more is written at once, since the descriptor may be a blocking one.
const PIECE: usize = 4096;

type Client = Connection<Timed<Standard>, Timed<Standard>>;

fn main() -> ExitCode {
    prog::main(SMTPD, run)
}

fn run(_: Args) -> Exit {
    // Both are only for speed or for a better end; where there is no socket there is no delay.
    let _ = signal::ignore(Signal::SIGPIPE);
    let _ = socket::no_delay(&Standard::Output);

    let home = Home::find();
    let control = Control::of(&home);
    let peer = Peer::read(env::get);
    let log = Log::new(process::id().as_raw().unsigned_abs(), &peer.ip);
    let timeout = control.number("timeoutsmtpd");
    let limit = timeout.as_ref().ok().copied().flatten().unwrap_or(TIMEOUT).max(1);
    let timed = |end| Timed::new(end, Duration::from_secs(limit));
    let mut client = Client::new(timed(Standard::Input), timed(Standard::Output), PIECE);

    let begun = timeout.and_then(|_| Server::new(&home, &control, &peer, &log));
    let ended = match begun {
        Ok(mut server) => server.serve(&mut client),
        Err(error) => {
            complain(log.line(b"unable to read controls"), Some(&error));
            abort(Trouble::Controls.reply(), &mut client)
        }
    };
    ended.unwrap_or_else(|error| {
        if error.kind() == io::ErrorKind::TimedOut {
            complain(log.line(b"timeout"), None);
            // A client that does not read what was said is not told more.
            if client.output().is_empty() {
                let _ = abort(replies::TIMEOUT, &mut client); // it ends in any case
            }
        }
        LOST
    })
}

/// Says a last thing.
fn abort(reply: &str, client: &mut Client) -> io::Result<Exit> {
    client.output().extend_from_slice(reply.as_bytes());
    client.send()?;
    Ok(LOST)
}

/// Writes a line to the log; not if the log is the connection, as under inetd.
fn complain(line: Option<Vec<u8>>, cause: Option<&io::Error>) {
    let Some(line) = line else { return };
    if fd::is_same_file(Standard::Output, Standard::Error).unwrap_or(true) {
        return;
    }
    match (cause, cause.and_then(io::Error::get_ref)) {
        // An error of our own says what it is about.
        (_, Some(words)) => SMTPD.warning([line, format!(": {words}").into()].concat(), ()),
        (Some(cause), None) => SMTPD.warning(line, cause),
        (None, None) => SMTPD.info(line, ()),
    }
}

struct Server<'a> {
    peer: &'a Peer,
    log: &'a Log,
    session: Session,
    site: Site<'a>,
    bare_cr: BareCr,
    starter: Starter,
    /// The queue program that waits for a message.
    queue: Option<Idle>,
}

impl<'a> Server<'a> {
    fn new(home: &'a Home, control: &Control, peer: &'a Peer, log: &'a Log) -> io::Result<Self> {
        let greeting = control.line_or_me("smtpgreeting")?;
        let settings = Settings {
            greeting: greeting.ok_or(io::ErrorKind::NotFound)?,
            literal_host: control.line_or_me("localiphost")?,
            relay: env::get("RELAYCLIENT"),
            recipients: control.number_or("MAXRECIPIENTS", "maxrecipients")?.unwrap_or(RECIPIENTS),
            databytes: control.number_or("DATABYTES", "databytes")?.unwrap_or(0),
        };
        let badmailfrom = control.list("badmailfrom")?.unwrap_or_default();
        let rcpthosts = RcptHosts::read(home, control)?;
        if rcpthosts.is_missing() && settings.relay.is_none() {
            let text = b"control/rcpthosts is missing, so only local recipients are accepted";
            complain(log.line(text), None);
        }
        let badmailfrom = DomainSet::new(badmailfrom.lines());
        let recipients = Recipients::new(home, Places::read(control)?);
        let (checks, most_unknown) = (None, None);
        let site = Site {
            home,
            log,
            badmailfrom,
            rcpthosts,
            recipients,
            checks,
            most_unknown,
            addresses: None,
        };
        let keep = env::get("ALLOW_BARECR").is_some();
        let bare_cr = if keep { BareCr::Keep } else { BareCr::Refuse };
        let (session, starter) = (Session::new(settings), Starter::new(home));
        Ok(Server { peer, log, session, site, bare_cr, starter, queue: None })
    }

    fn serve(&mut self, client: &mut Client) -> io::Result<Exit> {
        let mut lines = Lines::default();
        self.session.greet(client.output());
        loop {
            while !client.pending().is_empty() {
                let (input, output) = client.sides();
                let (taken, line) = lines.take(input);
                let step = line.map_or(Step::Next, |line| self.answer(line, output));
                client.consume(taken);
                match step {
                    Step::Next => client.send_if_much()?,
                    Step::Message(envelope) => {
                        if let Some(exit) = self.message(&envelope, client)? {
                            return Ok(exit);
                        }
                    }
                    Step::Abort => return client.send().map(|()| LOST),
                    Step::Quit => return client.send().map(|()| Exit::OK),
                }
            }
            if self.queue.is_none() && self.session.expects_message() {
                // It gets ready while the client reads the reply and asks for DATA.
                client.send()?;
                self.queue = self.starter.early();
            }
            if !client.listen()? {
                return Ok(LOST);
            }
        }
    }

    fn answer(&mut self, line: Line<'_>, output: &mut Vec<u8>) -> Step {
        let before = output.len();
        let step = self.session.line(line, &mut self.site, output);
        if let Line::Text(text) = line {
            let reply = output.get(before..).unwrap_or_default();
            complain(self.log.reply(text, reply), None);
        }
        step
    }

    /// Takes a message and hands it to the queue; gives an exit code if the session ends with it.
    fn message(&mut self, envelope: &Envelope, client: &mut Client) -> io::Result<Option<Exit>> {
        let refuse = |reply: &str, client: &mut Client| {
            complain(self.log.reply(b"DATA", reply.as_bytes()), None);
            client.output().extend_from_slice(reply.as_bytes());
        };
        let end = |reply: &str, client: &mut Client| {
            refuse(reply, client);
            client.send().map(|()| Some(LOST))
        };
        if !client.pending().is_empty() {
            return end(replies::AHEAD, client);
        }
        let kept = self.queue.take().and_then(Idle::next);
        let Ok(mut queue) = kept.map_or_else(|| self.starter.begin(), Ok) else {
            refuse(replies::NO_QUEUE, client);
            return Ok(None);
        };
        client.output().extend_from_slice(replies::GO_AHEAD.as_bytes());

        let mut received = Vec::with_capacity(256);
        let now = clock::wall().seconds;
        self.peer.push_received(&mut received, "SMTP", self.session.helo(), now);
        // Writing to the queue never fails: the verdict tells.
        let _ = queue.write_all(&received);
        let mut intake = Intake::new(self.session.settings().databytes, self.bare_cr);
        loop {
            if client.pending().is_empty() && !client.listen()? {
                return Ok(Some(LOST));
            }
            let (taken, progress) = intake.read(client.pending(), |bytes| {
                let _ = queue.write_all(bytes);
            });
            client.consume(taken);
            if intake.refusal().is_some() {
                queue.fail(); // what is left is read to be answered, not to fill the disk
            }
            match progress {
                Progress::More => {}
                Progress::Done => break,
                Progress::BareCr => return end(replies::BARE_CR, client),
                Progress::BareLf => return end(replies::BARE_LF, client),
            }
        }
        queue.envelope(&envelope.sender, envelope.recipients());
        let (verdict, kept) = queue.conclude();
        self.queue = kept;
        let before = client.output().len();
        push_result(client.output(), &verdict, intake.refusal(), clock::wall().seconds);
        let reply = client.output().get(before..).unwrap_or_default();
        complain(self.log.reply(b"DATA", reply), None);
        Ok(None)
    }
}

/// The programs that are asked about recipients: the one that the rules for this client name, and those
/// that are asked for every client.
fn checks(control: &Control) -> io::Result<Vec<Vec<u8>>> {
    let mut checks: Vec<_> =
        env::get("RCPTCHECK").into_iter().filter(|program| !program.is_empty()).collect();
    checks.extend(rcptcheck::listed(control)?);
    Ok(checks)
}

/// What this host's files say of addresses.
struct Site<'a> {
    home: &'a Home,
    log: &'a Log,
    badmailfrom: DomainSet,
    rcpthosts: RcptHosts,
    recipients: Recipients<'a>,
    /// Programs that are asked about recipients; read when there is one.
    checks: Option<Vec<Vec<u8>>>,
    /// Recipients that nobody has and that a client may name, 0 for any number; read when there is one.
    most_unknown: Option<u64>,
    /// Looked up when there is an address literal.
    addresses: Option<Vec<IpAddr>>,
}

impl Policy for Site<'_> {
    fn is_own_address(&mut self, address: IpAddr) -> Result<bool, Trouble> {
        if self.addresses.is_none() {
            let own = ipme::addresses().map_err(|error| {
                complain(self.log.line(b"unable to list this host's addresses"), Some(&error));
                Trouble::Addresses
            });
            self.addresses = Some(own?);
        }
        Ok(ipme::contains(self.addresses.as_deref().unwrap_or_default(), address))
    }

    fn refuses_sender(&mut self, sender: &[u8]) -> bool {
        let at = memchr::memrchr(b'@', sender);
        let host = at.and_then(|at| sender.get(at..));
        self.badmailfrom.contains(sender)
            || host.is_some_and(|host| self.badmailfrom.contains(host))
    }

    fn accepts_recipient(&mut self, recipient: &[u8]) -> Result<bool, Trouble> {
        self.rcpthosts.accepts(recipient).map_err(|error| {
            complain(self.log.line(b"unable to read control/morercpthosts.cdb"), Some(&error));
            Trouble::Controls
        })
    }

    fn judges(&mut self, asked: &Asked<'_>) -> Judgement {
        let mut known = rcptcheck::Known { is_found: false, is_ours: true };
        if asked.relays {
            let is_wanted = env::get("RCPTCHECKRELAYCLIENT")
                .is_some_and(|value| decimal::scan(&value).is_some_and(|(number, _)| number != 0));
            if !is_wanted {
                return Judgement::Welcome;
            }
            // Whether it can be told or not, the client may send to it.
            known.is_ours = self.rcpthosts.accepts(asked.recipient).unwrap_or(false);
        } else {
            match self.recipients.find(asked.recipient) {
                Ok(Known::No) => return Judgement::Unknown,
                Ok(found) => known.is_found = found == Known::Yes,
                Err(error) => {
                    complain(self.log.line(b"unable to look a recipient up"), Some(&error));
                    return Judgement::Unclear;
                }
            }
        }
        let checks = match self.checks.take().map_or_else(|| checks(&Control::of(self.home)), Ok) {
            Ok(checks) => self.checks.insert(checks),
            Err(error) => {
                complain(self.log.line(b"unable to read control/rcptchecks"), Some(&error));
                return Judgement::Unclear;
            }
        };
        for program in checks {
            match rcptcheck::ask(self.home, program, asked, known) {
                Ok(Judgement::Welcome) => {}
                Ok(said) => return said,
                Err(error) => {
                    let text = [b"no answer from ", program.as_slice()].concat();
                    complain(self.log.line(&text), Some(&error));
                    return Judgement::Unclear;
                }
            }
        }
        Judgement::Welcome
    }

    fn is_fed_up(&mut self, unknown: u64) -> Result<bool, Trouble> {
        let most = match self.most_unknown {
            Some(most) => most,
            None => Control::of(self.home)
                .number_or("BRTLIMIT", "brtlimit")
                .map_err(|error| {
                    complain(self.log.line(b"unable to read control/brtlimit"), Some(&error));
                    Trouble::Controls
                })?
                .unwrap_or(0),
        };
        self.most_unknown = Some(most);
        Ok(most != 0 && unknown >= most)
    }
}
