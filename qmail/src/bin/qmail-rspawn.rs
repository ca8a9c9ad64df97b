//! qmail-rspawn — make remote deliveries, many at a time.
//!
//! Runs qmail-remote, or `$QMAILREMOTE`, once for each command of qmail-send, and reports what its
//! output means. Says nothing itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Program};
use qmail::spawn::report;
use qmail::spawn::serve::{Capture, Next, Order, Run, Spawner, serve};
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
    type Job = ();

    fn begin(&mut self, order: Order) -> Next<()> {
        let recipient = [&order.local[..], b"@", &order.domain].concat();
        let words = [order.domain, order.sender, recipient].map(OsString::from_vec);
        let mut chain = Chain::new([self.program.clone()].into_iter().chain(words));
        chain.descriptor(0, order.message);
        Next::Run(Box::new(Run { chain, capture: Capture::Both, job: () }))
    }

    fn unstarted(&mut self, (): (), error: SpawnError) -> Vec<u8> {
        let soft = match error {
            SpawnError::Enter(failure) => {
                failure.step != Step::Exec || errno::is_temporary(failure.errno)
            }
            SpawnError::Fork(_) => true,
        };
        if soft { "ZUnable to run qmail-remote.\n" } else { "DUnable to run qmail-remote.\n" }
            .into()
    }

    fn ended(&mut self, (): (), status: Status, output: Vec<u8>) -> Next<()> {
        Next::Report(if output.len() > LONGEST_OUTPUT {
            b"Zqmail-remote produced too much output.\n".into()
        } else {
            report::remote(status, &output)
        })
    }

    fn keep(&self) -> usize {
        LONGEST_OUTPUT + 1
    }
}
