//! tai64nlocal — show precise timestamps in local time.

use std::process::ExitCode;

use daemontools::filter;
use daemontools::local::Form;
use prog::{Args, Exit, Fatal, Program};

const TAI64NLOCAL: Program = Program::new("tai64nlocal", "");

fn main() -> ExitCode {
    prog::main(TAI64NLOCAL, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    filter::localized(Form::Label)
}
