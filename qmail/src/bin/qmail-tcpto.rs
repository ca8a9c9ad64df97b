//! qmail-tcpto — list the hosts that have not answered lately.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Piece, Program};
use qmail::listing::fatal;
use qmail::tcpto::{Family, entries, read};
use queue::home::Home;
use unix::clock;
use unix::dir::Dir;

const QMAIL_TCPTO: Program = Program::new("qmail-tcpto", "");

fn main() -> ExitCode {
    prog::main(QMAIL_TCPTO, run)
}

/// No lock is taken: who may only read may look, and a record is written in one piece.
fn run(_: Args) -> Result<Exit, Fatal> {
    let lock = Dir::base_at(&Home::find().queue().join("lock"));
    let lock = lock.map_err(|error| fatal("unable to chdir", &error))?;
    let now = clock::wall().seconds;
    let mut out = Vec::with_capacity(4096);
    for family in [Family::Four, Family::Six] {
        let name = family.name();
        let file = match lock.open_file(name.as_ref()) {
            // The original's hosts have none.
            Err(error) if family == Family::Six && error.kind() == ErrorKind::NotFound => continue,
            other => other.map_err(|error| fatal(("unable to open ", name), &error))?,
        };
        let table = read(family, file).map_err(|error| fatal(("unable to read ", name), &error))?;
        for entry in entries(family, &table).filter(|entry| entry.count > 0) {
            let age = u64::try_from(now).unwrap_or(0).saturating_sub(entry.time);
            let count = entry.count;
            let what = " seconds ago; # recent timeouts: ";
            (entry.address, " timed out ", age, what, count, "\n").render(&mut out);
        }
    }
    let written = unix::fd::stdout().write_all(&out);
    written.map_err(|error| Fatal::because("unable to write output", error))?;
    Ok(Exit::OK)
}
