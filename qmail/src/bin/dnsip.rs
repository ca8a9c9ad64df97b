//! dnsip — print the addresses of a host.

use std::process::ExitCode;

use lookup::resolver::Resolver;
use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;

const DNSIP: Program = Program::new("dnsip", "name");

fn main() -> ExitCode {
    prog::main(DNSIP, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let name = dnstool::operand(&mut args)?;
    let addresses = Resolver::of_process().addresses(&name).map_err(dnstool::unanswered)?;
    dnstool::say(addresses.into_iter().map(wire::ip::text))
}
