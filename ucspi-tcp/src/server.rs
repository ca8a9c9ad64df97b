//! tcpserver's edges: its options, its start, and what happens to connections.

mod decide;
mod gate;
mod inherit;
mod keep;
pub mod options;
mod serve;
pub mod start;
mod turn;
mod watched;

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use lookup::cdb::Kept;
use prog::{Cause, Chain, Fatal, OrFatal};
use unix::launch::{Complaint, Launcher, Variables};
use unix::process::{self, Status};
use unix::signal::{Held, Posted, Signal};
use unix::{clock, socket};
use wire::{decimal, next};

use options::Limit;
pub use options::Options;

use crate::connection::{Connection, VARIABLES};
use crate::limits::Excess;
use crate::meter::Meter;
use crate::slots::{self, Slots};
use crate::verbosity::Verbosity;
use crate::watch::Why;
use gate::Gate;
use keep::Keep;
use start::Listener;
use watched::Watched;

const WARNING: &[u8] = b"tcpserver: warning: ";
const DROPPING: &[u8] = b"dropping connection, ";

/// A server, ready for connections.
#[derive(Debug)]
pub struct Server {
    options: Options,
    listeners: Vec<Listener>,
    rules: Option<Kept>,
    launcher: Launcher,
    variables: Variables,
    held: Held,
    posted: Posted,
    slots: Slots,
    /// How often clients connect, if something may depend on that.
    meter: Option<Meter>,
    watched: Watched,
    gate: Gate,
    /// Programs for further connections, with `-k`.
    keep: Option<Keep>,
    /// Where children of ours tell what rules have said about their time, and where they do it.
    reports: Option<(OwnedFd, OwnedFd)>,
    /// When the server ends although programs are running; none before SIGTERM.
    end: Option<Instant>,
    /// The number of this process.
    own: i32,
    /// Connections accepted since the server last looked for anything else.
    in_a_row: u32,
    /// A connection may be waiting: the server has not looked, or has seen one.
    is_expected: bool,
    /// Lines that are not written yet: as many as possible go out at once.
    log: Vec<u8>,
}

impl Server {
    /// A server that serves by `options`, `limit` clients at a time, and to which the signals of `held` come while it waits.
    pub fn new(
        mut options: Options,
        limit: u32,
        listeners: Vec<Listener>,
        mut held: Held,
    ) -> Result<Server, Fatal> {
        let name = options.program.program().to_owned();
        let mut program = std::mem::replace(&mut options.program, Chain::new([&name]));
        for variable in VARIABLES {
            program.env.unset(variable);
        }
        program.env.unset(next::VARIABLE);
        inherit::hide(&mut program);
        let image = program.image().or_fatal(("unable to run ", &name))?;
        let keep = match options.keeps {
            0 => None,
            most => {
                let keep = Keep::new(most as usize, image.candidates.clone());
                Some(keep.or_fatal("unable to keep programs")?)
            }
        };
        let complaint = complaint(options.common.verbosity, &name);
        let posted = held.post(&signals(&options));
        let limits = &options.limits;
        let is_metered = options.rules.is_some() || limits.per_minute.is_some();
        let meter =
            is_metered.then(|| Meter::new(clock::monotonic(), options.networks.ipv6_bits()));
        let mut server = Server {
            rules: options.rules.as_ref().map(Kept::new),
            slots: Slots::new(limit),
            options,
            listeners,
            launcher: Launcher::new(image, complaint),
            variables: Variables::default(),
            held,
            posted: posted.or_fatal("unable to catch signals")?,
            meter,
            watched: Watched::default(),
            gate: Gate::default(),
            keep,
            reports: None,
            end: None,
            own: process::id().as_raw(),
            in_a_row: 0,
            is_expected: true,
            log: Vec::new(),
        };
        if server.options.must_ask() && server.may_limit_time() {
            server.reports = Some(socket::pair().or_fatal("unable to create socket")?);
        }
        Ok(server)
    }

    fn may_limit_time(&self) -> bool {
        let limits = &self.options.limits;
        self.rules.is_some() || limits.lifetime.is_some() || limits.idle.is_some()
    }

    /// Takes note of each child that has ended.
    pub fn reap(&mut self) {
        while let Ok(Some((pid, status))) = process::reap() {
            self.launcher.ended(pid);
            if let Some(keep) = &mut self.keep {
                keep.pool.forget(pid.as_raw());
            }
            self.ended(pid.as_raw(), status);
        }
    }

    /// The connection of process `pid` is over, if it had one.
    fn ended(&mut self, pid: i32, status: Status) {
        self.watched.ended(pid);
        if self.slots.ended(pid) {
            self.tell_end(pid, status);
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
        self.options.common.verbosity == Verbosity::All
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
            Connection::new(remote, remote, self.options.common.as_ipv6)
                .push_remote_ip(&mut self.log);
            self.log.push(b'\n');
        }
    }

    fn tell_verdict(
        &mut self,
        verdict: &[u8],
        pid: i32,
        connection: &Connection,
        excess: Option<Excess>,
    ) {
        if self.is_verbose() {
            self.log.extend([b"tcpserver: ", verdict, b" "].into_iter().flatten());
            decimal::push(&mut self.log, pid.unsigned_abs().into());
            self.log.push(b' ');
            connection.push_fields(&mut self.log);
            if let Some(excess) = excess {
                excess.push(&mut self.log);
            }
            self.log.push(b'\n');
        }
    }

    fn tell_timeout(&mut self, pid: i32, why: Why) {
        if self.is_verbose() {
            self.log.extend_from_slice(b"tcpserver: timeout ");
            decimal::push(&mut self.log, pid.unsigned_abs().into());
            self.log.push(b' ');
            self.log.extend_from_slice(why.word());
            self.log.push(b'\n');
        }
    }

    /// Says what went wrong.
    pub fn warn(&mut self, what: &[&[u8]], cause: impl Cause) {
        if self.options.common.verbosity == Verbosity::Quiet {
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

/// The signals that the server acts upon; the others end it, as ever.
fn signals(options: &Options) -> Vec<Signal> {
    let term = options.grace.map(|_| Signal::SIGTERM);
    let is_hup = options.keeps > 0 || matches!(options.limit, Limit::File(_));
    let hup = is_hup.then_some(Signal::SIGHUP);
    [Some(Signal::SIGUSR1), term, hup].into_iter().flatten().collect()
}

/// What the child of a connection says if it cannot become the program `name`.
fn complaint(verbosity: Verbosity, name: &OsStr) -> Complaint {
    if verbosity == Verbosity::Quiet {
        return Complaint::default();
    }
    Complaint {
        descriptors: [WARNING, DROPPING, b"unable to set up descriptors"].concat(),
        program: [WARNING, DROPPING, b"unable to run ", name.as_bytes()].concat(),
        ..Complaint::default()
    }
}
