//! tailocal — show the timestamps of accustamp in local time.

use std::process::ExitCode;

use daemontools::filter;
use daemontools::local::Form;
use prog::{Args, Exit, Fatal, Program};

const TAILOCAL: Program = Program::new("tailocal", "");

fn main() -> ExitCode {
    prog::main(TAILOCAL, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    filter::localized(Form::Seconds)
}
