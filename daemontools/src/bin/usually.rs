//! usually — copy the input, and show the lines of it that match no pattern.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use daemontools::usually::{Lines, Usual};
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::fd;
use unix::signal::{Signal, Signals};

const USUALLY: Program = Program::new("usually", "file");

fn main() -> ExitCode {
    prog::main(USUALLY, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;

    let mut again = Signals::catch(&[Signal::SIGHUP]).or_fatal("unable to catch signals")?;
    let mut usual = patterns(&path)?;
    let (mut lines, mut unusual) = (Lines::default(), Vec::new());
    let mut block = vec![0; 64 * 1024];
    loop {
        let count = fd::stdin().read(&mut block).or_fatal("unable to read input")?;
        if count == 0 {
            return Ok(Exit::OK);
        }
        let input = block.get(..count).unwrap_or_default();
        fd::stdout().write_all(input).or_fatal("unable to write output")?;
        if again.is_pending() {
            again.drain();
            usual = patterns(&path)?;
        }
        unusual.clear();
        lines.feed(input, &usual, &mut unusual);
        let _ = fd::stderr().write_all(&unusual); // the output counts, whoever watches it
    }
}

fn patterns(path: &Path) -> Result<Usual, Fatal> {
    Ok(Usual::parse(&std::fs::read(path).or_fatal(("unable to read ", path))?))
}
