//! condredirect — redirect a message to another address if a program succeeds.

use std::fs::File;
use std::io::Seek;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use qmail::{condition, redirect};

const CONDREDIRECT: Program = Program::new("condredirect", "newaddress program [ arg ... ]");

/// By which qmail-local knows that the instructions that follow do not count.
const DONE: Exit = Exit(99);

fn main() -> ExitCode {
    prog::main(CONDREDIRECT, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let address = args.operand()?;
    if !condition::holds(args.chain()?)? {
        return Ok(Exit::OK);
    }
    let mut message = File::from(unix::fd::take(0).or_fatal("unable to rewind")?);
    message.rewind().or_fatal("unable to rewind")?;
    let qp = redirect::send("SENDER", &[address.as_bytes()], &mut message)?;
    Err(Fatal::lines(DONE, ("condredirect: qp ", qp)))
}
