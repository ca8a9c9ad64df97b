//! accustamp — put the time in decimal seconds on each line.

use std::process::ExitCode;

use daemontools::{filter, tai};
use prog::{Args, Exit, Fatal, Program};
use unix::clock;

const ACCUSTAMP: Program = Program::new("accustamp", "");

fn main() -> ExitCode {
    prog::main(ACCUSTAMP, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let mut at_line_start = true;
    filter::parts(|input, output| {
        tai::mark_lines(input, &mut at_line_start, output, |output| {
            let now = clock::wall();
            let stamp = format!("{}.{:06} ", now.seconds, now.nanos / 1000);
            output.push(stamp.as_bytes());
        });
    })
}
