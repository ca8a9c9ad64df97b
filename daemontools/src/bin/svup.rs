//! svup — check whether a service is up.

use std::process::ExitCode;

use daemontools::service;
use daemontools::status::Service;
use prog::{Args, Exit, Fatal, Program};

const SVUP: Program = Program::new("svup", "dir");

fn main() -> ExitCode {
    prog::main(SVUP, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    // It has no options, and one of another edition's must not be taken for a directory.
    let _: Option<prog::Opt> = args.option(b"")?;
    let dir = args.path()?;
    match service::normally(&dir).and_then(|_| service::status(&dir)) {
        Ok(Some(status)) if status.service == Service::Down => Ok(Exit::HARD),
        Ok(Some(_)) => Ok(Exit::OK),
        Ok(None) => Err(Fatal::soft(("unable to read ", &dir, "/supervise/status: bad format"))),
        Err(trouble) if trouble.is_unsupervised() => Ok(Exit::HARD), // silently: it is the answer
        Err(trouble) => Err(trouble.fatal(&dir)),
    }
}
