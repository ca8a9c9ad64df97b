//! One session of a server: from the greeting to its end.

use std::io::{self, Read, Write};

use prog::{Exit, env};
use queue::home::Home;
use unix::clock;

use super::journal::Journal;
use super::site::Site;
use crate::control::Control;
use crate::received::Peer;
use crate::smtp::connection::Connection;
use crate::smtp::data::{BareCr, Progress};
use crate::smtp::intake::Intake;
use crate::smtp::line::{Line, Lines};
use crate::smtp::session::{Envelope, Session, Settings, Step, push_result, replies};
use crate::submit::{Idle, Starter};

/// How every session ends but for QUIT.
pub const LOST: Exit = Exit(1);
/// Most recipients of a message, where the administrator does not say.
const RECIPIENTS: u64 = 10_000;

/// What one session needs. Dropped, it lets the queue program go that waits for a message, and waits for
/// its end.
#[derive(Debug)]
pub struct Server<'a> {
    peer: &'a Peer,
    journal: &'a Journal,
    session: Session,
    site: Site<'a>,
    bare_cr: BareCr,
    starter: &'a mut Starter,
    /// The queue program that waits for a message.
    queue: Option<Idle>,
}

impl<'a> Server<'a> {
    /// A server for the client that the environment describes. An error is one of a control file.
    pub fn new(
        home: &'a Home,
        control: &Control,
        peer: &'a Peer,
        journal: &'a Journal,
        starter: &'a mut Starter,
    ) -> io::Result<Server<'a>> {
        let greeting = control.line_or_me("smtpgreeting")?;
        let settings = Settings {
            greeting: greeting.ok_or(io::ErrorKind::NotFound)?,
            literal_host: control.line_or_me("localiphost")?,
            relay: env::get("RELAYCLIENT"),
            recipients: control.number_or("MAXRECIPIENTS", "maxrecipients")?.unwrap_or(RECIPIENTS),
            databytes: control.number_or("DATABYTES", "databytes")?.unwrap_or(0),
        };
        let site = Site::read(home, control, journal, settings.relay.is_some())?;
        let keep = env::get("ALLOW_BARECR").is_some();
        let bare_cr = if keep { BareCr::Keep } else { BareCr::Refuse };
        let session = Session::new(settings);
        Ok(Server { peer, journal, session, site, bare_cr, starter, queue: None })
    }

    /// Talks to the client until one of both has had enough; gives the exit code.
    pub fn serve<R: Read, W: Write>(&mut self, client: &mut Connection<R, W>) -> io::Result<Exit> {
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
            self.journal.refused(text, output.get(before..).unwrap_or_default());
        }
        step
    }

    /// Takes a message and hands it to the queue; gives an exit code if the session ends with it.
    fn message<R: Read, W: Write>(
        &mut self,
        envelope: &Envelope,
        client: &mut Connection<R, W>,
    ) -> io::Result<Option<Exit>> {
        let refuse = |reply: &str, client: &mut Connection<R, W>| {
            self.journal.refused(b"DATA", reply.as_bytes());
            client.output().extend_from_slice(reply.as_bytes());
        };
        let end = |reply: &str, client: &mut Connection<R, W>| {
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
        self.journal.refused(b"DATA", reply);
        Ok(None)
    }
}
