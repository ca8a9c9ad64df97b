//! errorsto — run another program with its errors appended to a file.

use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use unix::{fd, file};

const ERRORSTO: Program = Program::new("errorsto", "file program [ arg ... ]").silent();

fn main() -> ExitCode {
    prog::main(ERRORSTO, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let path = args.path()?;
    let mut next = args.chain()?;

    let file = file::open_append(&path).or_fatal(("unable to open ", &path))?;
    fd::nonblocking(&file, false).or_fatal(("unable to open ", &path))?;
    next.descriptor(2, file);
    Ok(next)
}
