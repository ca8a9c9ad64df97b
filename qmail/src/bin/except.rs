//! except — reverse the exit code of a program.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::condition;

const EXCEPT: Program = Program::new("except", "program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(EXCEPT, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let holds = condition::holds(args.chain()?)?;
    Ok(if holds { Exit::HARD } else { Exit::OK })
}
