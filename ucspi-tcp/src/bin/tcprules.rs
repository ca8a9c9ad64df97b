//! tcprules — compile rules for tcpserver.

use std::io::BufReader;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use ucspi_tcp::rules;
use unix::fd;

const TCPRULES: Program = Program::new("tcprules", "rules.cdb rules.tmp");
const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(TCPRULES, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    let aside = args.path()?;
    let warning = rules::compile(BufReader::with_capacity(BUFFER, fd::stdin()), &path, &aside)?;
    if let Some(warning) = warning {
        TCPRULES.warning(&warning, ());
    }
    Ok(Exit::OK)
}
