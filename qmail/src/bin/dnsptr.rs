//! dnsptr — print the name of an address.

use std::process::ExitCode;

use lookup::resolver::Resolver;
use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;

const DNSPTR: Program = Program::new("dnsptr", "address");

fn main() -> ExitCode {
    prog::main(DNSPTR, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let text = dnstool::operand(&mut args)?;
    let address = wire::ip::parse(&text).or_else(|| wire::ip::parse_literal(&text));
    let address = address.ok_or_else(dnstool::hard)?;
    let name = Resolver::of_process().ptr(address).map_err(dnstool::unanswered)?;
    dnstool::say([name])
}
