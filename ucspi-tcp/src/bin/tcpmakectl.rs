//! tcpmakectl — compile rules for tcpcontrol: tcprules under the name that it once had.

use std::io::BufReader;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use ucspi_tcp::rules;
use unix::fd;

const TCPMAKECTL: Program = Program::new("tcpmakectl", "rules.cdb rules.tmp");
const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(TCPMAKECTL, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    let aside = args.path()?;
    let warning = rules::compile(BufReader::with_capacity(BUFFER, fd::stdin()), &path, &aside)?;
    if let Some(warning) = warning {
        TCPMAKECTL.warning(&warning, ());
    }
    Ok(Exit::OK)
}
