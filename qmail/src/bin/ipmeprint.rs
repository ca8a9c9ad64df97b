//! ipmeprint — print the addresses that mail takes for this host's own.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::{dnstool, ipme};

const IPMEPRINT: Program = Program::new("ipmeprint", "");

fn main() -> ExitCode {
    prog::main(IPMEPRINT, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let addresses = ipme::addresses().map_err(|_| dnstool::hard())?;
    dnstool::say(addresses.into_iter().map(wire::ip::text))
}
