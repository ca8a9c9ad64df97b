//! qmail-newu — prepare the assignments of users/assign for qmail-lspawn.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use lookup::cdb::{Finished, Writer};
use prog::{Args, Exit, Fatal, Program};
use qmail::users::assign::{Line, Wildcards};
use queue::home::Home;
use unix::dir::{self, Dir};
use unix::process;

const QMAIL_NEWU: Program = Program::new("qmail-newu", "");

const SOURCE: &str = "users/assign";
const ASIDE: &str = "users/cdb.tmp";
const TARGET: &str = "users/cdb";

fn main() -> ExitCode {
    prog::main(QMAIL_NEWU, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    process::umask(0o033); // qmail-lspawn reads it, and so may everybody
    let home = Dir::base_at(&Home::find().path).map_err(|_| said("unable to chdir"))?;
    dir::change_to(&home).map_err(|_| said("unable to chdir"))?;
    let source = File::open(SOURCE).map_err(|_| said(("unable to open ", SOURCE)))?;
    let database = Writer::create(ASIDE.as_ref()).map_err(|_| said(("unable to open ", ASIDE)))?;
    let finished = compile(BufReader::with_capacity(64 * 1024, source), database)?;
    let moved = finished.commit(TARGET.as_ref());
    moved.map_err(|_| said(("unable to move ", ASIDE, " to ", TARGET)))?;
    Ok(Exit::OK)
}

/// Writes the records of all lines up to the end, and then the one that lists the wildcards.
fn compile(mut source: impl BufRead, mut database: Writer) -> Result<Finished, Fatal> {
    let mut wildcards = Wildcards::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        source.read_until(b'\n', &mut line).map_err(|_| said(("unable to read ", SOURCE)))?;
        let malformed = || said(("bad format in ", SOURCE));
        match Line::parse(&line).map_err(|_| malformed())? {
            Line::End => break,
            // A last line that was cut short may have lost more than its newline.
            Line::Assignment(_) if !line.ends_with(b"\n") => return Err(malformed()),
            Line::Assignment(assignment) => {
                wildcards.note(&assignment);
                database
                    .add(&assignment.key, &assignment.data)
                    .map_err(|error| unwritten(&error))?;
            }
        }
    }
    database.add(b"", wildcards.bytes()).map_err(|error| unwritten(&error))?;
    database.finish().map_err(|error| unwritten(&error))
}

/// The original gives no cause.
fn said(what: impl prog::Piece) -> Fatal {
    Fatal::soft(what)
}

fn unwritten(error: &io::Error) -> Fatal {
    match error.kind() {
        io::ErrorKind::OutOfMemory => said("out of memory"),
        _ => said(("unable to write ", ASIDE)),
    }
}
