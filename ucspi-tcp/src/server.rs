//! tcpserver's edges: its options, its start, and what happens to one connection.

pub mod options;
mod serve;
pub mod start;

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;

use lookup::cdb::Kept;
use prog::{Cause, Chain, Fatal, OrFatal};
use unix::launch::{Complaint, Launcher, Variables};
use unix::process::{self, Status};
use unix::signal::Held;
use wire::decimal;

pub use options::Options;

use crate::connection::{Connection, VARIABLES};
use crate::slots::{self, Slots};
use crate::verbosity::Verbosity;

const WARNING: &[u8] = b"tcpserver: warning: ";
const DROPPING: &[u8] = b"dropping connection, ";

/// A server, ready for connections.
#[derive(Debug)]
pub struct Server {
    options: Options,
    rules: Option<Kept>,
    launcher: Launcher,
    variables: Variables,
    held: Held,
    slots: Slots,
    /// The number of this process.
    own: i32,
    /// Lines that are not written yet: as many as possible go out at once.
    log: Vec<u8>,
}

impl Server {
    /// A server that serves by `options`, and to which the signals of `held` come while it waits.
    pub fn new(mut options: Options, held: Held) -> Result<Server, Fatal> {
        let name = options.program.program().to_owned();
        let mut program = std::mem::replace(&mut options.program, Chain::new([&name]));
        for variable in VARIABLES {
            program.env.unset(variable);
        }
        let image = program.image().or_fatal(("unable to run ", &name))?;
        let complaint = complaint(options.verbosity, &name);
        Ok(Server {
            rules: options.rules.as_ref().map(Kept::new),
            slots: Slots::new(options.limit),
            options,
            launcher: Launcher::new(image, complaint),
            variables: Variables::default(),
            held,
            own: process::id().as_raw(),
            log: Vec::new(),
        })
    }

    /// The places and who has them.
    pub fn slots(&mut self) -> &mut Slots {
        &mut self.slots
    }

    /// The signals that are held back.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Takes note of each child that has ended.
    pub fn reap(&mut self) {
        while let Ok(Some((pid, status))) = process::reap() {
            self.launcher.ended(pid);
            if self.slots.ended(pid.as_raw()) {
                self.tell_end(pid.as_raw(), status);
            }
        }
    }

    /// Writes what is to be said.
    pub fn flush(&mut self) {
        if !self.log.is_empty() {
            // Who reads the log is gone, or its disk is full: nobody can be told.
            let _ = unix::fd::stderr().write_all(&self.log);
            self.log.clear();
        }
    }

    fn is_verbose(&self) -> bool {
        self.options.verbosity == Verbosity::All
    }

    /// Says how many places are taken.
    pub fn tell_status(&mut self) {
        if self.is_verbose() {
            self.slots.push_status(&mut self.log);
        }
    }

    fn tell_end(&mut self, pid: i32, status: Status) {
        if self.is_verbose() {
            slots::push_end(&mut self.log, pid, status.raw());
        }
        self.tell_status();
    }

    fn tell_pid(&mut self, pid: i32, remote: SocketAddr) {
        if self.is_verbose() {
            self.log.extend_from_slice(b"tcpserver: pid ");
            decimal::push(&mut self.log, pid.unsigned_abs().into());
            self.log.extend_from_slice(b" from ");
            Connection::new(remote, remote, self.options.as_ipv6).push_remote_ip(&mut self.log);
            self.log.push(b'\n');
        }
    }

    fn tell_verdict(&mut self, verdict: &[u8], pid: i32, connection: &Connection) {
        if self.is_verbose() {
            self.log.extend([b"tcpserver: ", verdict, b" "].into_iter().flatten());
            decimal::push(&mut self.log, pid.unsigned_abs().into());
            self.log.push(b' ');
            connection.push_fields(&mut self.log);
            self.log.push(b'\n');
        }
    }

    /// Says what went wrong.
    pub fn warn(&mut self, what: &[&[u8]], cause: impl Cause) {
        if self.options.verbosity == Verbosity::Quiet {
            return;
        }
        self.log.extend_from_slice(WARNING);
        self.log.extend(what.iter().copied().flatten());
        if let Some(words) = cause.words() {
            self.log.extend_from_slice(b": ");
            self.log.extend_from_slice(words.as_bytes());
        }
        self.log.push(b'\n');
    }

    fn warn_drop(&mut self, what: &[&[u8]], cause: impl Cause) {
        let what = [&[DROPPING], what].concat();
        self.warn(&what, cause);
    }
}

/// What the child of a connection says if it cannot become the program `name`.
fn complaint(verbosity: Verbosity, name: &OsStr) -> Complaint {
    if verbosity == Verbosity::Quiet {
        return Complaint::default();
    }
    Complaint {
        descriptors: [WARNING, DROPPING, b"unable to set up descriptors"].concat(),
        program: [WARNING, DROPPING, b"unable to run ", name.as_bytes()].concat(),
    }
}
