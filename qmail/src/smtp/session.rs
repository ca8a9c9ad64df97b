//! The server's half of a session, as a machine: commands in, replies out.

pub mod replies;

use std::net::IpAddr;

use wire::decimal;

use super::address::{self, Malformed, Parameters};
use super::intake::Refusal;
use super::line::{Command, Line, Verb};
use crate::submit::Verdict;

/// What a server is told once.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Stands behind the number in the first reply, the last, and those to HELO and EHLO.
    pub greeting: Vec<u8>,
    /// Takes the place of an address literal that is an address of this host, if there is a name.
    pub literal_host: Option<Vec<u8>>,
    /// The client may relay, and this is appended to each recipient.
    pub relay: Option<Vec<u8>>,
    /// Most recipients of a message; 0 is any number.
    pub recipients: u64,
    /// Most bytes of a message; 0 is any number.
    pub databytes: u64,
}

/// What a server has to look up.
pub trait Policy {
    /// True if `address` is one of this host's.
    fn is_own_address(&mut self, address: IpAddr) -> Result<bool, Trouble>;

    /// True if mail from `sender` is not wanted.
    fn refuses_sender(&mut self, sender: &[u8]) -> bool;

    /// True if a client that may not relay may send to `recipient`.
    fn accepts_recipient(&mut self, recipient: &[u8]) -> Result<bool, Trouble>;

    /// What is known of a recipient that the client may send to.
    fn judges(&mut self, message: &Asked<'_>) -> Judgement;

    /// True if a client that has named so many recipients whom nobody has may name no more.
    fn is_fed_up(&mut self, unknown: u64) -> Result<bool, Trouble>;
}

/// A recipient that is asked about, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The recipient.
    pub recipient: &'a [u8],
    /// The envelope's sender.
    pub sender: &'a [u8],
    /// The name that the client gave itself.
    pub helo: Option<&'a [u8]>,
    /// The client may relay.
    pub relays: bool,
}

/// What is known of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is a mailbox, or nobody knows better.
    Welcome,
    /// There is none.
    Unknown,
    /// That cannot be told for now.
    Unclear,
    /// It is not taken, with this reply.
    Refused(Vec<u8>),
    /// The session ends with this reply.
    End(Vec<u8>),
}

/// Why a server cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This host's addresses cannot be told.
    Addresses,
    /// A control file cannot be read.
    Controls,
    /// There is no memory.
    Memory,
}

impl Trouble {
    /// The reply, with its line end.
    #[must_use]
    pub fn reply(self) -> &'static str {
        match self {
            Trouble::Addresses => "421 unable to figure out my IP addresses (#4.3.0)\r\n",
            Trouble::Controls => "421 unable to read controls (#4.3.0)\r\n",
            Trouble::Memory => "421 out of memory (#4.3.0)\r\n",
        }
    }
}

/// Whom a message is from and to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Return path; may be empty.
    pub sender: Vec<u8>,
    /// Each recipient and a zero byte.
    list: Vec<u8>,
    count: u64,
}

impl Envelope {
    /// The recipients, none of them empty.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        self.list.split(|&byte| byte == 0).filter(|recipient| !recipient.is_empty())
    }

    fn add(&mut self, recipient: &[u8], tail: &[u8]) -> Result<(), Trouble> {
        let needed = recipient.len() + tail.len() + 1;
        self.list.try_reserve(needed).map_err(|_| Trouble::Memory)?;
        self.list.extend_from_slice(recipient);
        self.list.extend_from_slice(tail);
        self.list.push(0);
        self.count += 1;
        Ok(())
    }
}

/// What comes next, when the replies to a command are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection is closed: the server cannot go on.
    Abort,
    /// The message comes, if nothing of it is here already.
    Message(Envelope),
    /// The next command.
    Next,
    /// The connection is closed: the client wants it so.
    Quit,
}

/// A session between its commands.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    helo: Option<Vec<u8>>,
    mail: Option<Mail>,
    /// Recipients that nobody has and that were named.
    unknown: u64,
}

#[derive(Debug, Default)]
struct Mail {
    envelope: Envelope,
    is_refused: bool,
}

impl Session {
    /// A session with a client that has just come.
    #[must_use]
    pub fn new(settings: Settings) -> Session {
        Session { settings, helo: None, mail: None, unknown: 0 }
    }

    /// The name that the client gave itself.
    #[must_use]
    pub fn helo(&self) -> Option<&[u8]> {
        self.helo.as_deref()
    }

    /// The settings it has begun with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether there is somebody to send a message to, so that it will probably come.
    #[must_use]
    pub fn expects_message(&self) -> bool {
        self.mail.as_ref().is_some_and(|mail| mail.envelope.count > 0)
    }

    /// Appends what is said first.
    pub fn greet(&self, out: &mut Vec<u8>) {
        push(out, &[b"220 ", &self.settings.greeting, b" ESMTP\r\n"]);
    }

    /// Appends the reply to a line, and tells what comes next.
    pub fn line(&mut self, line: Line<'_>, policy: &mut impl Policy, out: &mut Vec<u8>) -> Step {
        let Line::Text(text) = line else {
            return say(out, "500 line too long (#5.5.2)\r\n");
        };
        let Command { verb, argument } = Command::parse(text);
        match verb {
            Verb::Data => self.data(out),
            Verb::Ehlo => self.ehlo(argument, out),
            Verb::Helo => {
                push(out, &[b"250 ", &self.settings.greeting, b"\r\n"]);
                self.introduced(argument)
            }
            Verb::Help => say(out, "214 Daisychain; see qmail-smtpd(8) and RFC 5321\r\n"),
            Verb::Mail => self.mail(argument, policy, out),
            Verb::Noop => say(out, "250 ok\r\n"),
            Verb::Quit => {
                push(out, &[b"221 ", &self.settings.greeting, b"\r\n"]);
                Step::Quit
            }
            Verb::Rcpt => self.rcpt(argument, policy, out),
            Verb::Rset => {
                self.mail = None;
                say(out, "250 flushed\r\n")
            }
            Verb::Unknown => say(out, "502 unimplemented (#5.5.1)\r\n"),
            Verb::Vrfy => say(out, "252 send some mail, i'll try my best\r\n"),
        }
    }

    fn introduced(&mut self, name: &[u8]) -> Step {
        self.helo = Some(name.to_vec());
        self.mail = None;
        Step::Next
    }

    fn ehlo(&mut self, argument: &[u8], out: &mut Vec<u8>) -> Step {
        push(out, &[b"250-", &self.settings.greeting, b"\r\n250-PIPELINING\r\n250-SIZE "]);
        decimal::push(out, self.settings.databytes);
        push(out, &[b"\r\n250 8BITMIME\r\n"]);
        self.introduced(argument)
    }

    fn mail(&mut self, argument: &[u8], policy: &mut impl Policy, out: &mut Vec<u8>) -> Step {
        let Ok((sender, rest)) = address::parse(argument) else { return say(out, replies::SYNTAX) };
        let Ok(parameters) = Parameters::of_mail(rest) else {
            return say(out, "555 unknown or malformed parameter (#5.5.4)\r\n");
        };
        // In the queue such a sender means a bounce of a bounce, or one that is made anew for each
        // recipient; nobody outside has reason to ask for either.
        if sender.ends_with(b"@[]") {
            return say(out, "553 sorry, that envelope sender is reserved (#5.1.7)\r\n");
        }
        let limit = self.settings.databytes;
        if limit != 0 && parameters.size.is_some_and(|size| size > limit) {
            return say(out, replies::TOO_BIG);
        }
        match self.with_own_name(sender, policy) {
            Err(trouble) => fail(out, trouble),
            Ok(sender) => {
                let is_refused = policy.refuses_sender(&sender);
                let envelope = Envelope { sender, ..Envelope::default() };
                self.mail = Some(Mail { envelope, is_refused });
                say(out, "250 ok\r\n")
            }
        }
    }

    fn rcpt(&mut self, argument: &[u8], policy: &mut impl Policy, out: &mut Vec<u8>) -> Step {
        if self.mail.is_none() {
            return say(out, replies::WANT_MAIL);
        }
        let Ok(recipient) = recipient(argument) else { return say(out, replies::SYNTAX) };
        let recipient = match self.with_own_name(recipient, policy) {
            Err(trouble) => return fail(out, trouble),
            Ok(recipient) => recipient,
        };
        let Some(Mail { envelope, is_refused }) = &mut self.mail else {
            return say(out, replies::WANT_MAIL);
        };
        if self.unknown > 0 {
            match policy.is_fed_up(self.unknown) {
                Ok(false) => {}
                Ok(true) => {
                    out.extend_from_slice(replies::FED_UP.as_bytes());
                    return Step::Abort;
                }
                Err(trouble) => return fail(out, trouble),
            }
        }
        if *is_refused {
            return say(
                out,
                "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)\r\n",
            );
        }
        if self.settings.recipients != 0 && envelope.count >= self.settings.recipients {
            return say(out, "452 max rcpt limit exceeded (#5.7.1)\r\n");
        }
        let relay = self.settings.relay.as_deref();
        if relay.is_none() {
            match policy.accepts_recipient(&recipient) {
                Ok(true) => {}
                Ok(false) => return say(out, replies::FOREIGN),
                Err(trouble) => return fail(out, trouble),
            }
        }
        let (sender, helo) = (&*envelope.sender, self.helo.as_deref());
        let asked = Asked { recipient: &recipient, sender, helo, relays: relay.is_some() };
        match policy.judges(&asked) {
            Judgement::Welcome => {}
            Judgement::Unknown => {
                self.unknown += 1;
                return say(out, replies::UNKNOWN);
            }
            Judgement::Unclear => return say(out, replies::UNCLEAR),
            Judgement::Refused(reply) => {
                self.unknown += 1;
                out.extend(reply);
                return Step::Next;
            }
            Judgement::End(reply) => {
                out.extend(reply);
                return Step::Abort;
            }
        }
        match envelope.add(&recipient, relay.unwrap_or_default()) {
            Ok(()) => say(out, "250 ok\r\n"),
            Err(trouble) => fail(out, trouble),
        }
    }

    /// The reply to DATA is the caller's: it depends on the queue program and on what has come.
    fn data(&mut self, out: &mut Vec<u8>) -> Step {
        match self.mail.take() {
            None => say(out, replies::WANT_MAIL),
            Some(mail) if mail.envelope.count == 0 => {
                self.mail = Some(mail);
                say(out, "503 RCPT first (#5.5.1)\r\n")
            }
            Some(mail) => Step::Message(mail.envelope),
        }
    }

    /// `address` with a name in place of a literal of this host.
    fn with_own_name(
        &self,
        mut address: Vec<u8>,
        policy: &mut impl Policy,
    ) -> Result<Vec<u8>, Trouble> {
        if let Some(name) = &self.settings.literal_host
            && let Some((start, literal)) = address::literal(&address)
            && policy.is_own_address(literal)?
        {
            address.truncate(start);
            address.extend_from_slice(name);
        }
        Ok(address)
    }
}

/// The address of RCPT, which cannot be empty.
fn recipient(argument: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (recipient, rest) = address::parse(argument)?;
    address::no_parameters(rest)?;
    if recipient.is_empty() { Err(Malformed) } else { Ok(recipient) }
}

/// Appends the reply to a message that has been read to its end.
pub fn push_result(out: &mut Vec<u8>, verdict: &Verdict, refusal: Option<Refusal>, seconds: i64) {
    match (verdict, refusal) {
        (Verdict::Accepted { qp }, _) => {
            out.extend_from_slice(b"250 ok ");
            decimal::push(out, seconds.unsigned_abs());
            out.extend_from_slice(b" qp ");
            decimal::push(out, *qp);
            out.extend_from_slice(b"\r\n");
        }
        (_, Some(Refusal::Header)) => {
            push(out, &[b"552 sorry, that message header is too long (#5.3.4)\r\n"]);
        }
        (_, Some(Refusal::Hops)) => {
            push(out, &[b"554 too many hops, this message is looping (#5.4.6)\r\n"]);
        }
        (_, Some(Refusal::Size)) => push(out, &[replies::TOO_BIG.as_bytes()]),
        (Verdict::Permanent(text), None) => push(out, &[b"554 ", text, b"\r\n"]),
        (Verdict::Temporary(text), None) => push(out, &[b"451 ", text, b"\r\n"]),
    }
}

fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn say(out: &mut Vec<u8>, reply: &str) -> Step {
    out.extend_from_slice(reply.as_bytes());
    Step::Next
}

fn fail(out: &mut Vec<u8>, trouble: Trouble) -> Step {
    out.extend_from_slice(trouble.reply().as_bytes());
    Step::Abort
}

#[cfg(test)]
mod tests;
