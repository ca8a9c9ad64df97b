//! Where the lines of a session's log go.

use std::io;

use prog::Program;
use unix::fd::{self, Standard};

use crate::smtp::log::Log;

/// Writes a session's log to standard error; not if that is the connection, as under inetd.
#[derive(Debug)]
pub struct Journal {
    program: Program,
    log: Log,
}

impl Journal {
    /// For lines that `log` makes, in the name of `program`.
    #[must_use]
    pub fn new(program: Program, log: Log) -> Journal {
        Journal { program, log }
    }

    /// Says something, and why it is so.
    pub fn tell(&self, text: &[u8], cause: Option<&io::Error>) {
        self.write(self.log.line(text), cause);
    }

    /// Says that a command was refused, if the reply to it does that.
    pub fn refused(&self, command: &[u8], reply: &[u8]) {
        self.write(self.log.reply(command, reply), None);
    }

    fn write(&self, line: Option<Vec<u8>>, cause: Option<&io::Error>) {
        let Some(line) = line else { return };
        if fd::is_same_file(Standard::Output, Standard::Error).unwrap_or(true) {
            return;
        }
        match (cause, cause.and_then(io::Error::get_ref)) {
            // An error of our own says what it is about.
            (_, Some(words)) => {
                self.program.warning([line, format!(": {words}").into()].concat(), ());
            }
            (Some(cause), None) => self.program.warning(line, cause),
            (None, None) => self.program.info(line, ()),
        }
    }
}
