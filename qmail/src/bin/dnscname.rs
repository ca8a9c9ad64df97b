//! dnscname — print the name that a name is an alias of.

use std::process::ExitCode;

use lookup::resolver::Resolver;
use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;

const DNSCNAME: Program = Program::new("dnscname", "name");

fn main() -> ExitCode {
    prog::main(DNSCNAME, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let name = dnstool::operand(&mut args)?;
    dnstool::say([dnstool::canonical(&Resolver::of_process(), &name)?])
}
