//! qmail-rcptcheck-realrcptto — tell whether a recipient has a mailbox here.

use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program, env};
use qmail::control::Control;
use qmail::recipients::{Known, Places, Recipients};
use queue::home::Home;

const CHECK: Program = Program::new("qmail-rcptcheck-realrcptto", "");

fn main() -> ExitCode {
    prog::main(CHECK, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let recipient = env::get("RECIPIENT").ok_or_else(|| Fatal::soft("RECIPIENT not set"))?;
    let home = Home::find();
    let places = Places::read(&Control::of(&home)).or_fatal("unable to read controls")?;
    let mut recipients = Recipients::new(&home, places);
    match recipients.find(&recipient).or_fatal("unable to look a recipient up")? {
        Known::No => Ok(Exit::HARD),
        Known::Yes | Known::Perhaps => Ok(Exit::OK),
    }
}
