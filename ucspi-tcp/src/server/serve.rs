//! One connection, decided by the server itself.
//!
//! If nobody else need be asked, the program is started without copying the server, and who is
//! refused costs no process at all. A child of our own is made only where names or ident are to be
//! looked up, which may take long: see [`crate::ask`].

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use prog::Cause;
use unix::fd::Direct;
use unix::launch::Notice;
use unix::process::{self, Status};
use unix::socket;

use super::Server;
use super::start::Listener;
use crate::ask::{self, Wanted};
use crate::connection::Connection;
use crate::rules::{self, Item, Match, Peer};

/// Exit code of a connection that was refused.
const REFUSED: u8 = 100;
/// Exit code of a connection that was dropped.
const DROPPED: u8 = 111;
/// Most bytes of a banner that are sent without a child: any new socket has room for them.
const SHORT: usize = 2048;

/// Why a connection does not get its program: the exit code of its child, also where it has none.
/// The log has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended(pub(super) u8);

impl Server {
    /// Serves a connection that `listener` has accepted.
    pub fn serve(&mut self, listener: &Listener, socket: &OwnedFd, remote: SocketAddr) {
        self.slots.accepted();
        self.tell_status();
        if self.must_ask() {
            self.serve_in_child(listener, socket, remote);
        } else {
            self.serve_here(listener, socket, remote);
        }
        self.flush();
    }

    /// Whether something may take long.
    fn must_ask(&self) -> bool {
        let options = &self.options;
        options.asks_name
            || options.asks_ident
            || options.local_host.is_none()
            || options.banner.len() > SHORT
    }

    fn serve_here(&mut self, listener: &Listener, socket: &OwnedFd, remote: SocketAddr) {
        // Who is refused is told of under the server's own number, having no other.
        let own = self.own;
        let lines = self.log.len();
        self.tell_pid(own, remote);
        let decided = self.connection(listener, socket, remote).and_then(|connection| {
            self.decide(&connection, own)?;
            self.set_up(socket);
            self.send_banner(socket)?;
            Ok(connection)
        });
        match decided {
            Ok(connection) => {
                self.log.truncate(lines);
                self.launch(&connection, socket);
            }
            Err(Ended(code)) => {
                self.slots.dropped();
                self.tell_end(own, Status::from_raw(i32::from(code) << 8));
            }
        }
    }

    /// Starts the program. The child itself writes the lines with its number, so that they come
    /// before anything that the program says, and what keeps it from becoming the program.
    fn launch(&mut self, connection: &Connection, socket: &OwnedFd) {
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
        match self.launcher.start(&self.variables, &descriptors(socket), notice, &self.held) {
            Ok(child) => self.slots.started(child.pid.as_raw()),
            Err(errno) => self.unable_to_fork(errno),
        }
    }

    fn unable_to_fork(&mut self, cause: impl Cause) {
        self.warn_drop(&[b"unable to fork"], cause);
        self.slots.dropped();
        self.tell_status();
    }

    /// A child of ours does all that may take long, and then becomes the program.
    fn serve_in_child(&mut self, listener: &Listener, socket: &OwnedFd, remote: SocketAddr) {
        self.flush();
        match process::fork(|| self.child(listener, socket, remote)) {
            Ok(child) => self.slots.started(child.pid.as_raw()),
            Err(error) => self.unable_to_fork(error),
        }
    }

    fn child(&mut self, listener: &Listener, socket: &OwnedFd, remote: SocketAddr) -> u8 {
        self.held.release();
        let own = process::id().as_raw();
        self.tell_pid(own, remote);
        self.flush();
        let Ended(code) = match self.asked(listener, socket, remote, own) {
            Ok(connection) => {
                self.tell_verdict(b"ok", own, &connection);
                self.flush();
                self.launcher.enter(&self.variables, &descriptors(socket), &self.held);
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
        listener: &Listener,
        socket: &OwnedFd,
        remote: SocketAddr,
        own: i32,
    ) -> Result<Connection, Ended> {
        self.set_up(socket);
        self.send_banner(socket)?;
        let mut connection = self.connection(listener, socket, remote)?;
        let options = &self.options;
        let wanted = Wanted {
            name: options.asks_name,
            is_paranoid: options.is_paranoid,
            user: options.asks_ident.then_some(options.timeout),
        };
        ask::ask(wanted, &mut connection);
        self.decide(&connection, own)?;
        Ok(connection)
    }

    fn connection(
        &mut self,
        listener: &Listener,
        socket: &OwnedFd,
        remote: SocketAddr,
    ) -> Result<Connection, Ended> {
        // A socket that listens at one address has connections at no other.
        let is_any = listener.address.ip().is_unspecified();
        let local = if is_any { socket::local_address(socket) } else { Ok(listener.address) };
        let local = local.map_err(|error| {
            self.warn_drop(&[b"unable to get local address"], error);
            Ended(DROPPED)
        })?;
        let mut connection = Connection::new(local, remote, self.options.as_ipv6);
        connection.local_host.clone_from(&self.options.local_host);
        connection.interface = ask::interface(remote);
        Ok(connection)
    }

    /// Refuses, or puts the program's variables together; those of the rule come last.
    fn decide(&mut self, connection: &Connection, own: i32) -> Result<(), Ended> {
        let rule = self.find(connection).map_err(|error| {
            let path = self.options.rules.clone().unwrap_or_default();
            self.warn_drop(&[b"unable to read ", path.as_os_str().as_bytes()], error);
            Ended(DROPPED)
        })?;
        let data = rule.as_ref().map_or(&b""[..], |rule| &rule.data);
        if rules::items(data).any(|item| item == Item::Deny) {
            self.tell_verdict(b"deny", own, connection);
            return Err(Ended(REFUSED));
        }
        self.fill(connection, data).map_err(|error| {
            self.warn_drop(&[b"unable to set up the environment"], error);
            Ended(DROPPED)
        })
    }

    fn find(&mut self, connection: &Connection) -> io::Result<Option<Match>> {
        let Some(kept) = &mut self.rules else { return Ok(None) };
        let cdb = match kept.current() {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.options.may_lack_rules =>
            {
                return Ok(None);
            }
            other => other?,
        };
        let peer = Peer {
            ip: &connection.rule_ip(),
            host: connection.remote_host.as_deref(),
            info: connection.remote_info.as_deref(),
        };
        rules::find(peer, |key| cdb.find(key))
    }

    fn fill(&mut self, connection: &Connection, data: &[u8]) -> io::Result<()> {
        let variables = &mut self.variables;
        variables.clear();
        connection
            .variables(|name, value| variables.add(name, |out| out.extend_from_slice(value)))?;
        for item in rules::items(data) {
            if let Item::Set(name, value) = item {
                variables.set(name, value)?;
            }
        }
        Ok(())
    }

    fn set_up(&self, socket: &OwnedFd) {
        // Without these the connection works all the same.
        if !self.options.keeps_ip_options {
            let _ = socket::clear_ip_options(socket);
        }
        if self.options.no_delay {
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

/// The program finds the connection at 0 and 1.
fn descriptors(socket: &OwnedFd) -> [(RawFd, BorrowedFd<'_>); 2] {
    [(0, socket.as_fd()), (1, socket.as_fd())]
}
