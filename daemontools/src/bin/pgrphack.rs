//! pgrphack — run a program in a session and process group of its own.

use std::process::ExitCode;

use prog::{Args, Chain, Fatal, Program};

const PGRPHACK: Program = Program::new("pgrphack", "child");

fn main() -> ExitCode {
    prog::main(PGRPHACK, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut next = args.chain()?;
    next.session();
    Ok(next)
}
