//! One connection, from the kernel to its program.
//!
//! If nobody else need be asked, the program is started without copying the server, and who is
//! refused costs no process at all. A child of our own is made only where names or ident are to be
//! looked up, which may take long: see [`crate::ask`].

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use prog::Cause;
use unix::fd::Direct;
use unix::launch::Notice;
use unix::process::{self, Status};
use unix::socket;

use super::Server;
use crate::ask::{self, Wanted};
use crate::connection::Connection;
use crate::guests::Guest;
use crate::limits::Limits;

/// Exit code of a connection that was refused.
pub(super) const REFUSED: u8 = 100;
/// Exit code of a connection that was dropped.
pub(super) const DROPPED: u8 = 111;

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) socket: OwnedFd,
    /// Our end, unless it is still to be asked for.
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: SocketAddr,
    pub(super) since: Instant,
    /// A balancer has it from a client.
    pub(super) is_relayed: bool,
}

/// Why a connection does not get its program: the exit code of its child, also where it has none.
/// The log has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended(pub(super) u8);

impl Server {
    /// Serves a connection, which has a place already.
    pub(super) fn serve(&mut self, arrival: Arrival) {
        let rate = self.count(&arrival);
        if self.options.must_ask() {
            self.serve_in_child(&arrival, rate);
        } else {
            self.serve_here(arrival, rate);
        }
        self.flush();
    }

    fn serve_here(&mut self, arrival: Arrival, rate: u32) {
        // Who is refused is told of under the server's own number, having no other.
        let own = self.own;
        let lines = self.log.len();
        self.tell_pid(own, arrival.remote);
        let decided = self.connection(&arrival).and_then(|connection| {
            let limits = self.decide(&connection, &arrival, own, rate)?;
            self.set_up(&arrival.socket);
            keep_alive(&arrival.socket, &limits);
            self.send_banner(&arrival.socket)?;
            Ok((connection, limits))
        });
        match decided {
            Ok((connection, limits)) => {
                self.log.truncate(lines);
                match self.hand_over(&connection, &arrival) {
                    Some(pid) => self.began(pid, arrival, &limits),
                    None => self.launch(&connection, arrival, &limits),
                }
            }
            Err(Ended(code)) => {
                self.slots.dropped();
                self.tell_end(own, Status::from_raw(i32::from(code) << 8));
                // Before the client sees the end.
                self.flush();
            }
        }
    }

    /// Starts the program. The child itself writes the lines with its number, so that they come
    /// before anything that the program says, and what keeps it from becoming the program.
    fn launch(&mut self, connection: &Connection, arrival: Arrival, limits: &Limits) {
        self.flush();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if self.is_verbose() {
            before.extend_from_slice(b" from ");
            connection.push_remote_ip(&mut before);
            before.extend_from_slice(b"\ntcpserver: ok ");
            after.push(b' ');
            connection.push_fields(&mut after);
            after.push(b'\n');
        }
        let notice = self.is_verbose().then_some(Notice(b"tcpserver: pid ", &before, &after));
        let channel = self.offer();
        let mut to = Vec::from(descriptors(&arrival.socket));
        if let (Some(keep), Some(channel)) = (&self.keep, &channel) {
            to.push(channel.descriptor(keep));
        }
        match self.launcher.start(&self.variables, &to, notice, &self.held) {
            Ok(child) => {
                self.offered(child.pid.as_raw(), channel);
                self.began(child.pid.as_raw(), arrival, limits);
            }
            Err(errno) => self.unable_to_fork(errno),
        }
    }

    /// The connection is with process `pid`.
    fn began(&mut self, pid: i32, arrival: Arrival, limits: &Limits) {
        self.started(pid, &arrival);
        self.watch(pid, arrival.since, limits, arrival.socket);
    }

    fn started(&mut self, pid: i32, arrival: &Arrival) {
        self.slots.started(pid, Guest { remote: arrival.remote, since: arrival.since });
    }

    fn unable_to_fork(&mut self, cause: impl Cause) {
        self.warn_drop(&[b"unable to fork"], cause);
        self.slots.dropped();
        self.tell_status();
    }

    /// A child of ours does all that may take long, and then becomes the program.
    fn serve_in_child(&mut self, arrival: &Arrival, rate: u32) {
        self.flush();
        match process::fork(|| self.child(arrival, rate)) {
            Ok(child) => self.started(child.pid.as_raw(), arrival),
            Err(error) => self.unable_to_fork(error),
        }
    }

    fn child(&mut self, arrival: &Arrival, rate: u32) -> u8 {
        self.held.release();
        let own = process::id().as_raw();
        self.tell_pid(own, arrival.remote);
        self.flush();
        let Ended(code) = match self.asked(arrival, own, rate) {
            Ok((connection, limits)) => {
                self.tell_verdict(b"ok", own, &connection, None);
                self.flush();
                self.report(own, &limits, &arrival.socket);
                self.launcher.enter(&self.variables, &descriptors(&arrival.socket), &self.held);
                Ended(DROPPED)
            }
            Err(ended) => ended,
        };
        self.flush();
        code
    }

    /// Everything that comes before the verdict, in the order of the original.
    fn asked(
        &mut self,
        arrival: &Arrival,
        own: i32,
        rate: u32,
    ) -> Result<(Connection, Limits), Ended> {
        self.set_up(&arrival.socket);
        self.send_banner(&arrival.socket)?;
        let mut connection = self.connection(arrival)?;
        let options = &self.options;
        let wanted = Wanted {
            name: options.common.asks_name,
            is_paranoid: options.is_paranoid,
            // The client's host knows of no connection to this one.
            user: (options.common.asks_ident && !arrival.is_relayed)
                .then_some(options.common.timeout),
        };
        ask::ask(wanted, &mut connection);
        let limits = self.decide(&connection, arrival, own, rate)?;
        keep_alive(&arrival.socket, &limits);
        Ok((connection, limits))
    }

    fn connection(&mut self, arrival: &Arrival) -> Result<Connection, Ended> {
        let local = match arrival.local {
            Some(local) => Ok(local),
            None => socket::local_address(&arrival.socket),
        };
        let local = local.map_err(|error| {
            self.warn_drop(&[b"unable to get local address"], error);
            Ended(DROPPED)
        })?;
        let mut connection = Connection::new(local, arrival.remote, self.options.common.as_ipv6);
        connection.local_host.clone_from(&self.options.common.local_host);
        connection.interface = ask::interface(arrival.remote);
        Ok(connection)
    }

    fn set_up(&self, socket: &OwnedFd) {
        // Without these the connection works all the same.
        if !self.options.keeps_ip_options {
            let _ = socket::clear_ip_options(socket);
        }
        if self.options.common.no_delay {
            let _ = socket::no_delay(socket);
        }
    }

    fn send_banner(&mut self, socket: &OwnedFd) -> Result<(), Ended> {
        if self.options.banner.is_empty() {
            return Ok(());
        }
        Direct(socket).write_all(&self.options.banner).map_err(|error| {
            self.warn_drop(&[b"unable to print banner"], error);
            Ended(DROPPED)
        })
    }
}

fn keep_alive(socket: &OwnedFd, limits: &Limits) {
    if let Some(idle) = limits.keep_alive {
        let _ = socket::keep_alive(socket, idle);
    }
}

/// The program finds the connection at 0 and 1.
fn descriptors(socket: &OwnedFd) -> [(RawFd, BorrowedFd<'_>); 2] {
    [(0, socket.as_fd()), (1, socket.as_fd())]
}
