//! qmail-rcptcheck — ask the programs of control/rcptchecks about a recipient.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};
use qmail::control::Control;
use queue::home::Home;

const CHECK: Program = Program::new("qmail-rcptcheck", "");

/// A program could not be run.
const UNRUN: Exit = Exit(120);

fn main() -> ExitCode {
    prog::main(CHECK, run)
}

/// The recipient is in the environment, where each program finds it.
fn run(_: Args) -> Result<Exit, Fatal> {
    let home = Home::find();
    let list = Control::of(&home).list("rcptchecks").or_fatal("unable to read rcptchecks")?;
    for line in list.unwrap_or_default().lines() {
        let program = home.path.join(OsString::from_vec(line.to_vec()));
        let mut chain = Chain::new([program]);
        chain.directory(&home.path);
        let Ok(child) = chain.launch() else { return Ok(UNRUN) };
        match child.wait().or_fatal("wait failed")?.code() {
            Some(code @ (100 | 111 | 113 | 120)) => return Ok(Exit(code)),
            Some(_) => {}
            None => return Ok(UNRUN),
        }
    }
    Ok(Exit::OK)
}
