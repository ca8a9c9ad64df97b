//! bouncesaying — bounce a message with a text, perhaps only if a program succeeds.

use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, Program};
use qmail::condition;

const BOUNCESAYING: Program = Program::new("bouncesaying", "error [ program [ arg ... ] ]");

fn main() -> ExitCode {
    prog::main(BOUNCESAYING, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let text = args.operand()?;
    let program = args.rest();
    if !program.is_empty() && !condition::holds(Chain::new(program))? {
        return Ok(Exit::OK);
    }
    Err(Fatal::lines(Exit::HARD, text))
}
