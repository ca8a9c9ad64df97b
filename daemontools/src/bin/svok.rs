//! svok — check whether supervise is running.

use std::process::ExitCode;

use daemontools::service;
use prog::{Args, Exit, Fatal, Program};

const SVOK: Program = Program::new("svok", "dir");

fn main() -> ExitCode {
    prog::main(SVOK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let dir = args.path()?;
    match service::ok(&dir) {
        Ok(()) => Ok(Exit::OK),
        Err(trouble) if trouble.is_unsupervised() => Ok(Exit::HARD), // silently: it is the answer
        Err(trouble) => Err(trouble.fatal(&dir)),
    }
}
