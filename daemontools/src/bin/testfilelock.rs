//! testfilelock — tell whether a file is locked.

use std::io::ErrorKind;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::{fifo, file};

const TESTFILELOCK: Program = Program::new("testfilelock", "filename");

fn main() -> ExitCode {
    prog::main(TESTFILELOCK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;

    let file = fifo::write_end(&path).or_fatal(("unable to open ", &path))?;
    match file::try_lock(&file) {
        Ok(()) => Ok(Exit::HARD),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Exit::OK),
        Err(error) => Err(Fatal::because(("trouble locking ", &path), error)),
    }
}
