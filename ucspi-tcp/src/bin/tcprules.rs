//! tcprules — compile rules for tcpserver.

use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use ucspi_tcp::rules;
use unix::fd;

const TCPRULES: Program = Program::new("tcprules", "rules.cdb rules.tmp | -d rules.cdb");
const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(TCPRULES, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    // Only so, as the original takes any word for a name, those of two dashes too.
    if path.as_os_str() == "-d" {
        return dump(&args.path()?);
    }
    let aside = args.path()?;
    let warning = rules::compile(BufReader::with_capacity(BUFFER, fd::stdin()), &path, &aside)?;
    if let Some(warning) = warning {
        TCPRULES.warning(&warning, ());
    }
    Ok(Exit::OK)
}

fn dump(path: &Path) -> Result<Exit, Fatal> {
    let mut output = BufWriter::with_capacity(BUFFER, fd::stdout());
    if let Some(warning) = rules::dump(path, &mut output)? {
        TCPRULES.warning(&warning, ());
    }
    Ok(Exit::OK)
}
