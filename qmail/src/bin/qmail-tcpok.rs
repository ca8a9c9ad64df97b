//! qmail-tcpok — make every host worth trying again.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use qmail::tcpto;
use queue::home::Home;
use unix::dir::Dir;

const QMAIL_TCPOK: Program = Program::new("qmail-tcpok", "");

fn main() -> ExitCode {
    prog::main(QMAIL_TCPOK, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let home = Home::find();
    let lock = home.queue().join("lock");
    for directory in [&home.path, &lock] {
        Dir::base_at(directory).or_fatal(("unable to chdir to ", directory))?;
    }
    tcpto::clear(&home).or_fatal(("unable to clear ", &lock.join("tcpto")))?;
    Ok(Exit::OK)
}
