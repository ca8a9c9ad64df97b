//! tai64n — put a precise timestamp on each line.

use std::io::{Read, Write};
use std::process::ExitCode;

use daemontools::tai::Stamper;
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::{clock, fd};
use wire::gather::Gather;

const TAI64N: Program = Program::new("tai64n", "");

fn main() -> ExitCode {
    prog::main(TAI64N, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let mut stamper = Stamper::default();
    let mut input = vec![0; 64 * 1024];
    let mut output = Gather::with_capacity(2 * 64 * 1024);
    loop {
        let count = fd::stdin().read(&mut input).or_fatal("unable to read input")?;
        if count == 0 {
            return Ok(Exit::OK);
        }
        output.clear();
        stamper.feed(input.get(..count).unwrap_or_default(), &mut output, clock::wall);
        fd::stdout().write_all(output.text()).or_fatal("unable to write output")?;
    }
}
