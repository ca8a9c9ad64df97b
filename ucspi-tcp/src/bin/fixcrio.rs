//! fixcrio — run a program, and put the carriage returns that are missing into what it reads and writes.

use std::process::ExitCode;

use prog::{Args, Chain, Fatal, Program};
use ucspi_tcp::crlf::FixCr;
use ucspi_tcp::relay;

const FIXCRIO: Program = Program::new("fixcrio", "program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(FIXCRIO, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut next = args.chain()?;
    relay::surround(&mut next, FixCr::default(), FixCr::default())?;
    Ok(next)
}
