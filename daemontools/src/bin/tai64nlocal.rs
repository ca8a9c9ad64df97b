//! tai64nlocal — show precise timestamps in local time.

use std::io::{Read, Write};
use std::process::ExitCode;

use daemontools::tai::{LABEL, Localizer};
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::{clock, fd};

const TAI64NLOCAL: Program = Program::new("tai64nlocal", "");

fn main() -> ExitCode {
    prog::main(TAI64NLOCAL, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let mut localizer = Localizer::default();
    let mut input = vec![0; LABEL + 64 * 1024];
    let mut held = 0; // bytes of a label that the last read ended in
    let mut output = Vec::new();
    loop {
        let room = input.get_mut(held..).unwrap_or_default();
        let count = fd::stdin().read(room).or_fatal("unable to read input")?;
        let filled = input.get(..held + count).unwrap_or_default();
        output.clear();
        let taken = localizer.feed(filled, count == 0, &mut output, clock::local);
        fd::stdout().write_all(&output).or_fatal("unable to write output")?;
        if count == 0 {
            return Ok(Exit::OK);
        }
        held = filled.len() - taken;
        input.copy_within(taken..taken + held, 0);
    }
}
