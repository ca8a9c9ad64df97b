//! Lists of `control/` that are compiled into databases, for those of a million lines.

use std::fs;

use lookup::cdb::Writer;
use prog::{Exit, Fatal, OrFatal};
use queue::home::Home;
use unix::dir::{self, Dir};
use unix::process;

use crate::control::List;

/// Writes the lines of `control/NAME`, in lower case, to `control/NAME.cdb`, whose data are empty. The new database takes
/// the place of the old as a whole; after an error the old one stays.
pub fn compile(name: &str) -> Result<Exit, Fatal> {
    process::umask(0o033); // qmail-smtpd reads it
    let home = Home::find().path;
    let entered = Dir::base_at(&home).and_then(|directory| dir::change_to(&directory));
    entered.or_fatal(("unable to chdir to ", &home))?;
    let source = format!("control/{name}");
    let (aside, target) = (format!("{source}.tmp"), format!("{source}.cdb"));
    let unwritten = ("unable to write to ", &aside);
    let list = List::new(fs::read(&source).or_fatal(("unable to read ", &source))?);
    let mut database = Writer::create(aside.as_ref()).or_fatal(unwritten)?;
    for line in list.lines() {
        database.add(&line.to_ascii_lowercase(), b"").or_fatal(unwritten)?;
    }
    let finished = database.finish().or_fatal(unwritten)?;
    finished.commit(target.as_ref()).or_fatal(("unable to move ", &aside, " to ", &target))?;
    Ok(Exit::OK)
}
