//! matchtest — show whether a pattern of multilog matches a line.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use daemontools::multilog::pattern::Pattern;
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::fd;

const MATCHTEST: Program = Program::new("matchtest", "[ pattern [ line ] ]");

fn main() -> ExitCode {
    prog::main(MATCHTEST, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let (pattern, line) =
        (args.optional().unwrap_or_default(), args.optional().unwrap_or_default());
    let (pattern, line) = (pattern.as_bytes(), line.as_bytes());

    let sign: &[u8] = if Pattern::parse(pattern).matches(line) { b"+" } else { b"-" };
    fd::write_all_of(&mut fd::stdout(), &[sign, pattern, b" (", line, b")\n"])
        .or_fatal("unable to write output")?;
    Ok(Exit::OK)
}
