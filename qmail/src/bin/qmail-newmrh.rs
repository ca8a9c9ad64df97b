//! qmail-newmrh — prepare the hosts of control/morercpthosts for qmail-smtpd.

use std::fs;
use std::process::ExitCode;

use lookup::cdb::Writer;
use prog::{Args, Exit, Fatal, OrFatal, Program};
use qmail::control::List;
use queue::home::Home;
use unix::dir::{self, Dir};
use unix::process;

const QMAIL_NEWMRH: Program = Program::new("qmail-newmrh", "");

const SOURCE: &str = "control/morercpthosts";
const ASIDE: &str = "control/morercpthosts.tmp";
const TARGET: &str = "control/morercpthosts.cdb";
const UNWRITTEN: (&str, &str) = ("unable to write to ", ASIDE);

fn main() -> ExitCode {
    prog::main(QMAIL_NEWMRH, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    process::umask(0o033); // qmail-smtpd reads it
    let home = Home::find().path;
    let entered = Dir::base_at(&home).and_then(|directory| dir::change_to(&directory));
    entered.or_fatal(("unable to chdir to ", &home))?;
    let source = List::new(fs::read(SOURCE).or_fatal(("unable to read ", SOURCE))?);
    let mut database = Writer::create(ASIDE.as_ref()).or_fatal(UNWRITTEN)?;
    for host in source.lines() {
        database.add(&host.to_ascii_lowercase(), b"").or_fatal(UNWRITTEN)?;
    }
    let finished = database.finish().or_fatal(UNWRITTEN)?;
    finished.commit(TARGET.as_ref()).or_fatal(("unable to move ", ASIDE, " to ", TARGET))?;
    Ok(Exit::OK)
}
