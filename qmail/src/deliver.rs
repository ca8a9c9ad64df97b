//! Following the instructions of a .qmail file. Source: qmail-local(8), qmail-command(8).

use std::ffi::OsStr;
use std::io::{self, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use prog::{Chain, Exit, Fatal, Piece};
use queue::home::Home;
use unix::clock;
use unix::errno::{self, classic};
use unix::process::{SpawnError, Status};

use crate::local::dotqmail::{self, Instruction};
use crate::local::environment::{Delivery, Owners};
use crate::local::plan::{Plan, Tally, Verdict};
use crate::mailbox;
use crate::maildir;
use crate::message::Message;
use crate::submit::{self, Submission};

/// A report on what will never succeed: `text`, 100.
#[must_use]
pub fn hard(text: impl Piece) -> Fatal {
    Fatal::lines(Exit::HARD, text)
}

/// A report on what may succeed later: `text`, 111.
#[must_use]
pub fn soft(text: impl Piece) -> Fatal {
    Fatal::lines(Exit::SOFT, text)
}

/// `what: cause. (#4.3.0)`, 111.
#[must_use]
pub fn trouble(what: impl Piece, error: &io::Error) -> Fatal {
    soft((what, ": ", classic(errno::of(error)), ". (#4.3.0)"))
}

/// Writes a report on success.
pub fn say(text: &[u8]) -> Result<(), Fatal> {
    let written = unix::fd::stdout().write_all(text);
    written.map_err(|error| trouble("Unable to write report", &error))
}

/// What the instructions are followed with.
#[derive(Debug)]
pub struct Work<'a> {
    delivery: &'a Delivery,
    default: Option<&'a [u8]>,
    message: Message,
    seconds: i64,
    maildirs: Option<maildir::Names>,
    /// Asked for when it is needed: a delivery to a maildir has no use for it.
    new_sender: Option<Vec<u8>>,
}

impl<'a> Work<'a> {
    /// Begins. `default` is what `$DEFAULT` is to be.
    #[must_use]
    pub fn new(delivery: &'a Delivery, default: Option<&'a [u8]>, message: Message) -> Work<'a> {
        let seconds = clock::wall().seconds;
        Work { delivery, default, message, seconds, maildirs: None, new_sender: None }
    }

    /// Follows the instructions in order. All forwarding is done at the end, in one message to the
    /// queue, so that what fails before leaves none of it behind.
    ///
    /// A delivery that fails is the end, with a report; what was done before it stays done. Gives the exit
    /// code and what is left to be printed.
    pub fn follow(mut self, plan: Plan<'_>) -> Result<(Exit, Vec<u8>), Fatal> {
        let mut tally = Tally::default();
        let mut addresses = Vec::new();
        for instruction in plan {
            match instruction.map_err(|refusal| soft(refusal.text()))? {
                Instruction::Forward(address) => addresses.push(address),
                Instruction::Maildir(name) => {
                    tally.files += 1;
                    self.maildir(name)?;
                }
                Instruction::Mbox(name) => {
                    tally.files += 1;
                    self.mbox(name)?;
                }
                Instruction::Program(command) => {
                    tally.programs += 1;
                    match self.program(command)? {
                        Verdict::Done => {}
                        Verdict::DoneForGood => break,
                        Verdict::Hard => return Ok((Exit::HARD, Vec::new())),
                        Verdict::Soft => return Ok((Exit::SOFT, Vec::new())),
                    }
                }
                Instruction::ForwardOnly | Instruction::Nothing => {}
            }
        }
        tally.forwards = addresses.len() as u64;
        let mut report = tally.line();
        if !addresses.is_empty() {
            let qp = self.forward(addresses)?;
            report.extend(format!("qp {qp}\n").into_bytes());
        }
        Ok((Exit::OK, report))
    }

    fn maildir(&mut self, name: &[u8]) -> Result<(), Fatal> {
        let (path, dt) = (self.delivery.return_path(), self.delivery.delivered_to());
        let names = self.maildirs.get_or_insert_default();
        names
            .deliver(Path::new(OsStr::from_bytes(name)), &[&path, &dt], &mut self.message)
            .map_err(|trouble| soft(trouble.text()))
    }

    fn mbox(&mut self, name: &[u8]) -> Result<(), Fatal> {
        let from = self.delivery.from_line(self.seconds);
        let (path, dt) = (self.delivery.return_path(), self.delivery.delivered_to());
        let mbox = Path::new(OsStr::from_bytes(name));
        mailbox::append(mbox, &[&from, &path, &dt], &mut self.message)
            .map_err(|trouble| soft(trouble.text(name)))
    }

    fn program(&mut self, command: &[u8]) -> Result<Verdict, Fatal> {
        let rewound = self.message.file().rewind();
        rewound.map_err(|_| soft("Unable to rewind message. (#4.3.0)"))?;
        let mut chain =
            Chain::new([OsStr::new("/bin/sh"), OsStr::new("-c"), OsStr::from_bytes(command)]);
        let new_sender = self.new_sender()?;
        for (name, value) in self.delivery.variables(self.default, &new_sender, self.seconds) {
            chain.env.set(name, value);
        }
        self.new_sender = Some(new_sender);
        let child = chain.launch().map_err(|error| match error {
            SpawnError::Enter(failure) => trouble("Unable to run /bin/sh", &failure.errno.into()),
            SpawnError::Fork(errno) => trouble("Unable to fork", &errno.into()),
        })?;
        let code = child.wait().ok().and_then(Status::code);
        let code = code.ok_or_else(|| soft("Aack, child crashed. (#4.3.0)"))?;
        Ok(Verdict::of_exit(code))
    }

    fn forward(&mut self, addresses: Vec<&[u8]>) -> Result<u64, Fatal> {
        let new_sender = self.new_sender()?;
        let line = self.delivery.delivered_to();
        let started = Submission::start_with(&Home::find(), || {
            self.delivery.variables(self.default, &new_sender, self.seconds)
        });
        let mut submission = started.map_err(|error| trouble("Unable to fork", &error))?;
        self.message.restart();
        if self.message.copy(&[&line], &mut submission).is_err() {
            submission.fail(); // what cannot be read; writing never fails
        }
        submission.envelope(&new_sender, addresses);
        match submission.finish() {
            submit::Verdict::Accepted { qp } => Ok(qp),
            submit::Verdict::Permanent(text) => {
                Err(hard(("Unable to forward message: ", &*text, ".")))
            }
            submit::Verdict::Temporary(text) => {
                Err(soft(("Unable to forward message: ", &*text, ".")))
            }
        }
    }

    /// The sender of what is forwarded.
    fn new_sender(&mut self) -> Result<Vec<u8>, Fatal> {
        if let Some(known) = self.new_sender.take() {
            return Ok(known);
        }
        let (owner, each) = dotqmail::owners(&self.delivery.dash, &self.delivery.ext);
        let owners = if !self.delivery.may_have_owner() || !exists(&owner)? {
            Owners::Nobody
        } else if exists(&each)? {
            Owners::Each
        } else {
            Owners::One
        };
        Ok(self.delivery.new_sender(owners))
    }
}

/// True if there is something of that name, whatever it is.
fn exists(name: &[u8]) -> Result<bool, Fatal> {
    match std::fs::metadata(OsStr::from_bytes(name)) {
        Ok(_) => Ok(true),
        Err(error) if errno::is_temporary(errno::of(&error)) => {
            Err(trouble(("Unable to open ", name), &error))
        }
        Err(_) => Ok(false),
    }
}
