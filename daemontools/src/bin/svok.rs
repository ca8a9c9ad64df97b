//! svok — check whether supervise is running.

use std::process::ExitCode;

use daemontools::service::{self, Trouble};
use prog::{Args, Exit, Fatal, Program};

const SVOK: Program = Program::new("svok", "dir");

fn main() -> ExitCode {
    prog::main(SVOK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let dir = args.path()?;
    let Err(trouble) = service::ok(&dir) else { return Ok(Exit::OK) };
    if trouble.is_unsupervised() {
        return Ok(Exit::HARD); // silently: it is the answer
    }
    match trouble {
        Trouble::File(_, error) => {
            Err(Fatal::because(("unable to open ", &dir, "/supervise/ok"), error))
        }
        Trouble::NoDirectory(error) => Err(Fatal::because(("unable to chdir to ", &dir), error)),
        Trouble::NoWayBack(error) => Err(Fatal::because("unable to set directory", error)),
        Trouble::NotRunning => Ok(Exit::HARD),
    }
}
