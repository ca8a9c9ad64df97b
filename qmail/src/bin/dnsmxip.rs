//! dnsmxip — print the addresses that mail for a host goes to.

use std::process::ExitCode;

use lookup::resolver::Resolver;
use prog::{Args, Exit, Fatal, Program};
use qmail::dnstool;
use qmail::smtp::hosts::{Candidate, Nowhere, exchangers};

const DNSMXIP: Program = Program::new("dnsmxip", "name");

fn main() -> ExitCode {
    prog::main(DNSMXIP, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let name = dnstool::operand(&mut args)?;
    match exchangers(&Resolver::of_process(), &name) {
        Ok(found) => dnstool::say(found.iter().map(line)),
        // Exchangers that lead nowhere are an answer.
        Err(Nowhere::NoAddress | Nowhere::NullMx | Nowhere::Ourselves) => Ok(Exit::OK),
        Err(Nowhere::Hard) => Err(dnstool::hard()),
        Err(Nowhere::Soft) => Err(dnstool::soft()),
    }
}

/// The address and how much it is preferred.
fn line((preference, address): &Candidate) -> Vec<u8> {
    let mut line = wire::ip::text(*address);
    line.push(b' ');
    wire::decimal::push(&mut line, (*preference).into());
    line
}
