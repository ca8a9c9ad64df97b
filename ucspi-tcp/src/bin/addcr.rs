//! addcr — put a carriage return before every newline.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use ucspi_tcp::crlf::AddCr;
use ucspi_tcp::relay;

const ADDCR: Program = Program::new("addcr", "");

fn main() -> ExitCode {
    prog::main(ADDCR, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    // Its standard error is a terminal or a log that belongs to others: as ever it fails silently.
    relay::filter(AddCr).map_err(|_| Fatal::silent(Exit::SOFT))?;
    Ok(Exit::OK)
}
