//! tai64n — put a precise timestamp on each line.

use std::process::ExitCode;

use daemontools::filter;
use daemontools::stamp::Stamper;
use prog::{Args, Exit, Fatal, Program};
use unix::clock;

const TAI64N: Program = Program::new("tai64n", "");

fn main() -> ExitCode {
    prog::main(TAI64N, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let mut stamper = Stamper::default();
    filter::parts(|input, output| stamper.feed(input, output, clock::wall))
}
