//! preline — put the lines of the envelope before a message, for a program that reads it.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program, env};
use qmail::feeding;

const PRELINE: Program = Program::new("preline", "[ -frdFRD ] cmd [ arg ... ]");

fn main() -> ExitCode {
    prog::main(PRELINE, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    // In the order they are to stand in; an option of the same letter leaves one out.
    let mut lines = [(b'f', "UFLINE"), (b'r', "RPLINE"), (b'd', "DTLINE")]
        .map(|(letter, name)| (letter, env::get(name), true));
    while let Some(option) = args.option(b"frdFRD")? {
        for (letter, _, wanted) in &mut lines {
            if option.letter.eq_ignore_ascii_case(letter) {
                *wanted = option.letter.is_ascii_uppercase();
            }
        }
    }
    let mut head = Vec::new();
    for (_, line, wanted) in lines {
        let line = line.ok_or_else(|| args.usage())?;
        if wanted {
            head.extend(line);
        }
    }
    feeding::feed(args.chain()?, head)
}
