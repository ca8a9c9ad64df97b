//! Whether a connection gets its program, and what that is told: rules and limits.

use std::io;
use std::os::unix::ffi::OsStrExt;

use unix::{load, socket};
use wire::{ip, next};

use super::Server;
use super::serve::{Arrival, DROPPED, Ended, REFUSED};
use crate::connection::Connection;
use crate::limits::{Excess, Limits, Near};
use crate::rules::{self, Item, Match, Peer};

impl Server {
    /// Refuses, or puts the program's variables together; those of the rule come last. Gives the
    /// limits that hold for the connection.
    pub(super) fn decide(
        &mut self,
        connection: &Connection,
        arrival: &Arrival,
        own: i32,
        rate: u32,
    ) -> Result<Limits, Ended> {
        let rule = self.find(connection).map_err(|error| {
            let path = self.options.rules.clone().unwrap_or_default();
            self.warn_drop(&[b"unable to read ", path.as_os_str().as_bytes()], error);
            Ended(DROPPED)
        })?;
        let data = rule.as_ref().map_or(&b""[..], |rule| &rule.data);
        let (limits, malformed) = self.limits(data);
        let is_denied = rules::items(data).any(|item| item == Item::Deny);
        if let Some(name) = malformed.filter(|_| !is_denied) {
            self.warn_drop(&[b"no number in ", name], ());
            return Err(Ended(DROPPED));
        }
        let excess = if is_denied { None } else { self.excess(&limits, connection, rate) };
        if is_denied || excess.is_some() {
            self.tell_verdict(b"deny", own, connection, excess);
            say(arrival, limits.messages.to(excess));
            return Err(Ended(REFUSED));
        }
        self.fill(connection, data).map_err(|error| {
            self.warn_drop(&[b"unable to set up the environment"], error);
            Ended(DROPPED)
        })?;
        Ok(limits)
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

    /// The limits with what the rule says, and a variable of it that should be a number.
    fn limits<'a>(&self, data: &'a [u8]) -> (Limits, Option<&'a [u8]>) {
        let mut limits = self.options.limits.clone();
        let mut malformed = None;
        for item in rules::items(data) {
            if let Item::Set(name, value) = item
                && limits.set(name, value).is_err()
            {
                malformed = Some(name);
            }
        }
        (limits, malformed)
    }

    /// How often the client has connected within a minute; 0 if nothing can depend on that.
    pub(super) fn count(&mut self, arrival: &Arrival) -> u32 {
        let meter = self.meter.as_mut();
        meter.map_or(0, |meter| meter.count(arrival.remote.ip(), arrival.since))
    }

    fn excess(&self, limits: &Limits, connection: &Connection, rate: u32) -> Option<Excess> {
        let (guests, networks) = (self.slots.guests(), self.options.networks);
        let address = ip::unmapped(connection.remote.ip());
        let others = |near, many| match near {
            Near::Address => guests.has_address(address, many),
            Near::Network => guests.has_network(networks, address, many),
        };
        limits.excess(|| load::average().unwrap_or_default(), others, rate)
    }

    fn fill(&mut self, connection: &Connection, data: &[u8]) -> io::Result<()> {
        let variables = &mut self.variables;
        variables.clear();
        connection
            .variables(|name, value| variables.add(name, |out| out.extend_from_slice(value)))?;
        for item in rules::items(data) {
            if let Item::Set(name, value) = item
                // The server's to set, where it keeps programs.
                && !(self.keep.is_some() && name == next::VARIABLE)
            {
                variables.set(name, value)?;
            }
        }
        Ok(())
    }
}

/// Sends a client that is refused a message, if there is one; who does not take it does not get it.
fn say(arrival: &Arrival, message: &[u8]) {
    if !message.is_empty() {
        let _ = socket::send(&arrival.socket, message);
        // Closing a connection with unread bytes resets it, and the message could be lost.
        let _ = socket::receive(&arrival.socket, &mut [0; 4096]);
    }
}
