//! dnsfq — print the fully qualified name of a host.

use std::process::ExitCode;

use lookup::hosts;
use lookup::resolver::Resolver;
use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;

const DNSFQ: Program = Program::new("dnsfq", "name");

fn main() -> ExitCode {
    prog::main(DNSFQ, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let name = dnstool::operand(&mut args)?;
    let resolver = Resolver::of_process();
    let addresses = hosts::in_dns(&resolver, &name).map_err(dnstool::unanswered)?;
    let Some(&address) = addresses.first() else { return Err(dnstool::hard()) };
    dnstool::say(resolver.ptr(address).map(Some).map_err(dnstool::unanswered)?)
}
