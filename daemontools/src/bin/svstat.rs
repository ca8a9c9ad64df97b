//! svstat — say how services are.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use daemontools::exit;
use daemontools::service::{self, Trouble};
use prog::{Args, Exit, Fatal, OrFatal, Piece, Program};
use unix::{clock, fd};

const SVSTAT: Program = Program::new("svstat", "dir ...");

fn main() -> ExitCode {
    prog::main(SVSTAT, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut lines = Vec::new();
    let mut exit = Exit::OK;
    for dir in args.rest() {
        let dir = PathBuf::from(dir);
        (&dir, ": ").render(&mut lines);
        match service::status(&dir) {
            Ok((normally, Some(status))) => {
                status.words(normally, clock::wall()).render(&mut lines);
            }
            Ok((_, None)) => {
                "unable to read supervise/status: bad format".render(&mut lines);
                exit = exit::worse(exit, Exit::SOFT);
            }
            Err(trouble) => {
                let is_answer = trouble.is_unsupervised();
                exit = exit::worse(exit, if is_answer { Exit::HARD } else { Exit::SOFT });
                tell(trouble, &mut lines)?;
            }
        }
        lines.push(b'\n');
    }
    fd::stdout().write_all(&lines).or_fatal("unable to write output")?;
    Ok(exit::classic(exit))
}

fn tell(trouble: Trouble, lines: &mut Vec<u8>) -> Result<(), Fatal> {
    let words = |error: &std::io::Error| unix::errno::classic(unix::errno::of(error));
    match trouble {
        Trouble::File(attempt, error) => {
            ("unable to ", attempt, ": ", words(&error)).render(lines);
        }
        Trouble::NoDirectory(error) => ("unable to chdir: ", words(&error)).render(lines),
        Trouble::NoWayBack(error) => {
            return Err(Fatal::because("unable to set directory", error));
        }
        Trouble::NotRunning => "supervise not running".render(lines),
    }
    Ok(())
}
