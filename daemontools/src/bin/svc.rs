//! svc — control services.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use daemontools::exit;
use daemontools::service::{self, Trouble};
use prog::{Args, Exit, Fatal, Program};

const HELP: &str = "svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, \
                    i interrupt, t term, k kill";
const SVC: Program = Program::new("svc", "[ -udopchaitkx ] dir ...").help(HELP);

fn main() -> ExitCode {
    prog::main(SVC, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut commands = Vec::new();
    while let Some(opt) = args.option(b"udopchaitkx")? {
        if !commands.contains(&opt.letter) {
            commands.push(opt.letter);
        }
    }
    let mut exit = Exit::OK;
    for dir in args.rest() {
        if !command(&PathBuf::from(dir), &commands)? {
            exit = Exit::SOFT;
        }
    }
    Ok(exit::classic(exit))
}

/// Sends `commands` to a service in one write; false, and a warning, if that cannot be.
fn command(dir: &Path, commands: &[u8]) -> Result<bool, Fatal> {
    match service::control(dir) {
        Ok(mut fifo) => match fifo.write_all(commands) {
            Ok(()) => return Ok(true),
            Err(error) => SVC.warning(("error writing commands to ", dir), error),
        },
        Err(Trouble::File(_, error)) => SVC.warning(("unable to control ", dir), error),
        Err(Trouble::NoDirectory(error)) => SVC.warning(("unable to chdir to ", dir), error),
        Err(Trouble::NoWayBack(error)) => {
            return Err(Fatal::because("unable to set directory", error));
        }
        Err(Trouble::NotRunning) => {
            SVC.warning(("unable to control ", dir, ": supervise not running"), ());
        }
    }
    Ok(false)
}
