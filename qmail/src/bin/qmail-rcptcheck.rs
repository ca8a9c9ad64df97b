//! qmail-rcptcheck — ask the programs of control/rcptchecks about a recipient.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use prog::{Args, Exit, Fatal, OrFatal, Program};
use qmail::control::Control;
use qmail::rcptcheck;
use queue::home::Home;

const CHECK: Program = Program::new("qmail-rcptcheck", "");

/// A program could not be run.
const UNRUN: Exit = Exit(120);

/// For all programs together; less than qmail-smtpd gives to this one, so that none is left behind.
const LIMIT: Duration = Duration::from_secs(50);

fn main() -> ExitCode {
    prog::main(CHECK, run)
}

/// The recipient is in the environment, where each program finds it.
fn run(_: Args) -> Result<Exit, Fatal> {
    let deadline = Instant::now() + LIMIT;
    let home = Home::find();
    for program in rcptcheck::listed(&Control::of(&home)).or_fatal("unable to read rcptchecks")? {
        let left = deadline.saturating_duration_since(Instant::now());
        let code = rcptcheck::run(&home, &program, left);
        match code.or_fatal(("no answer from ", &program))? {
            Some(code @ (100 | 111 | 113 | 120)) => return Ok(Exit(code)),
            Some(_) => {}
            None => return Ok(UNRUN),
        }
    }
    Ok(Exit::OK)
}
