//! envini — run another program with variables set from a file with sections.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use daemontools::envini;
use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};

const ENVINI: Program = Program::new("envini", "[ -p prefix ] inifile child").misuse(Exit::SOFT); // as envdir

fn main() -> ExitCode {
    prog::main(ENVINI, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut prefix = OsString::new();
    while let Some(option) = args.option(b"p:")? {
        prefix = option.value;
    }
    let path = args.path()?;
    let mut next = args.chain()?;

    let file = std::fs::read(&path).or_fatal(("unable to read ", &path))?;
    for (name, value) in envini::variables(&file, prefix.as_bytes()) {
        next.env.set(name, value);
    }
    Ok(next)
}
