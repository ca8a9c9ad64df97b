//! accustamp — put the time in decimal seconds on each line.

use std::process::ExitCode;

use daemontools::filter;
use daemontools::stamp::{Form, Stamper};
use prog::{Args, Exit, Fatal, Program};
use unix::clock;

const ACCUSTAMP: Program = Program::new("accustamp", "");

fn main() -> ExitCode {
    prog::main(ACCUSTAMP, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let mut stamper = Stamper::new(Form::Unix);
    filter::parts(|input, output| stamper.feed(input, output, clock::wall))
}
