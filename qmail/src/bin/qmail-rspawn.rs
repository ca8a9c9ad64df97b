//! qmail-rspawn — make remote deliveries, many at a time.
//!
//! Runs qmail-remote, or `$QMAILREMOTE`, once for each command of qmail-send, which may be for several
//! recipients at one host, and reports what its output means. Says nothing itself.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Program};
use qmail::spawn::protocol::Slot;
use qmail::spawn::report;
use qmail::spawn::serve::{Capture, Next, Order, Recipient, Run, Spawner, Unstarted, serve};
use qmail::tcpto;
use queue::home::Home;
use unix::errno;
use unix::image::Step;
use unix::process::{SpawnError, Status};

const QMAIL_RSPAWN: Program = Program::new("qmail-rspawn", "").silent();

/// More output than this is no report of qmail-remote's.
const LONGEST_OUTPUT: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(QMAIL_RSPAWN, run)
}

fn run(_: Args) -> Exit {
    let home = Home::find();
    // Hosts that did not answer before this start are given another chance. The tables are only
    // advice, so it does not matter if they cannot be written.
    let _ = tcpto::clear(&home);
    let program = std::env::var_os("QMAILREMOTE").unwrap_or_else(|| "qmail-remote".into());
    match serve(&home, Remote { program }) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::SOFT,
    }
}

struct Remote {
    program: OsString,
}

impl Spawner for Remote {
    /// Whom a child is to deliver to.
    type Job = Vec<Slot>;

    /// One child for the recipients at each host: they share its connection.
    fn begin(&mut self, order: Order) -> Vec<Next<Vec<Slot>>> {
        let Order { message, file, sender, recipients } = order;
        let mut hosts: Vec<(Vec<u8>, Vec<Recipient>)> = Vec::new();
        for recipient in recipients {
            match hosts.iter_mut().find(|(host, _)| *host == recipient.domain) {
                Some((_, recipients)) => recipients.push(recipient),
                None => hosts.push((recipient.domain.clone(), vec![recipient])),
            }
        }
        let mut first = Some(message);
        let mut next = Vec::new();
        for (host, recipients) in hosts {
            let slots: Vec<_> = recipients.iter().map(|it| it.slot).collect();
            let message = first.take().map_or_else(|| file.open(), Ok);
            match message {
                Ok(message) => next.push(self.run(message, host, &sender, &recipients, slots)),
                Err(text) => {
                    next.extend(slots.into_iter().map(|slot| Next::Report(slot, text.into())));
                }
            }
        }
        next
    }

    fn unstarted(&mut self, slots: Vec<Slot>, why: Unstarted) -> Vec<(Slot, Vec<u8>)> {
        let is_hard = matches!(&why, Unstarted::Spawn(SpawnError::Enter(failure))
            if failure.step == Step::Exec && !errno::is_temporary(failure.errno));
        let text = match why.report() {
            Some(text) => text,
            None if is_hard => "DUnable to run qmail-remote.\n",
            None => "ZUnable to run qmail-remote.\n",
        };
        slots.into_iter().map(|slot| (slot, text.into())).collect()
    }

    fn ended(&mut self, slots: Vec<Slot>, status: Status, output: Vec<u8>) -> Vec<Next<Vec<Slot>>> {
        let reports = if output.len() > LONGEST_OUTPUT {
            vec![b"Zqmail-remote produced too much output.\n".to_vec(); slots.len()]
        } else {
            report::remote_each(status, &output, slots.len())
        };
        slots.into_iter().zip(reports).map(|(slot, text)| Next::Report(slot, text)).collect()
    }

    fn keep(&self) -> usize {
        LONGEST_OUTPUT + 1
    }
}

impl Remote {
    fn run(
        &self,
        message: File,
        host: Vec<u8>,
        sender: &[u8],
        recipients: &[Recipient],
        job: Vec<Slot>,
    ) -> Next<Vec<Slot>> {
        let sender = OsStr::from_bytes(sender).to_owned();
        let mut chain = Chain::new([self.program.clone(), OsString::from_vec(host), sender]);
        for Recipient { local, domain, .. } in recipients {
            chain.argument(OsString::from_vec([local, &b"@"[..], domain].concat()));
        }
        chain.descriptor(0, message);
        Next::Run(Box::new(Run { chain, capture: Capture::Both, job }))
    }
}
