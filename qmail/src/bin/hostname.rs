//! hostname — print the name that this host calls itself.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;

const HOSTNAME: Program = Program::new("hostname", "");

fn main() -> ExitCode {
    prog::main(HOSTNAME, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    if args.optional().is_some() {
        return Err(args.usage());
    }
    dnstool::say([unix::process::host_name()])
}
