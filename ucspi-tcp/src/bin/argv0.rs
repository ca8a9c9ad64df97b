//! argv0 — run a program under another name.

use std::process::ExitCode;

use prog::{Args, Chain, Fatal, Program};

const ARGV0: Program = Program::new("argv0", "realname program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(ARGV0, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let real = args.operand()?;
    let name = args.operand()?;
    let mut next = Chain::new([real]);
    next.argv0(name);
    for word in args.rest() {
        next.argument(word);
    }
    Ok(next)
}
