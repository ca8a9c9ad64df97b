//! setlock — run another program with a file locked.

use std::os::fd::AsRawFd;
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};
use unix::file;

const SETLOCK: Program = Program::new("setlock", "[ -nNxX ] file program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(SETLOCK, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let (mut wait, mut quiet) = (true, false);
    while let Some(option) = args.option(b"nNxX")? {
        match option.letter {
            b'n' => wait = false,
            b'N' => wait = true,
            b'x' => quiet = true,
            _ => quiet = false,
        }
    }
    let path = args.path()?;
    let mut next = args.chain()?;

    let unable = |fatal: Fatal| if quiet { Fatal::silent(Exit::OK) } else { fatal };
    let file = file::open_append(&path).or_fatal(("unable to open ", &path)).map_err(unable)?;
    let locked = if wait { file::lock(&file) } else { file::try_lock(&file) };
    locked.or_fatal(("unable to lock ", &path)).map_err(unable)?;

    // The lock lives as long as anybody has the file open; the next program gets it as it is.
    next.descriptor(file.as_raw_fd(), file);
    Ok(next)
}
