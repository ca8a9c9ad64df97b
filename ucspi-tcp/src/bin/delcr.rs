//! delcr — take the carriage return before every newline away.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use ucspi_tcp::crlf::DelCr;
use ucspi_tcp::relay;

const DELCR: Program = Program::new("delcr", "");

fn main() -> ExitCode {
    prog::main(DELCR, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    // As ever it fails silently.
    relay::filter(DelCr::default()).map_err(|_| Fatal::silent(Exit::SOFT))?;
    Ok(Exit::OK)
}
