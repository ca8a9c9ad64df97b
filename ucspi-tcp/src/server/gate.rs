//! Connections of balancers, which first say for whom they are.
//!
//! The server reads the header itself, and does not wait for it, so that rules and limits see the
//! client.

use std::io;
use std::time::Instant;

use prog::Cause;
use unix::errno::Errno;
use unix::poll::Interest;
use unix::process::Status;
use unix::socket;
use wire::ip;

use super::Server;
use super::serve::{Arrival, DROPPED};
use crate::proxy::{self, Header, Progress};

/// The connections that have not said yet for whom they are.
#[derive(Debug, Default)]
pub(super) struct Gate(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    arrival: Arrival,
    /// The part of the header that has been read.
    seen: Vec<u8>,
    deadline: Instant,
}

/// What came of looking at a connection.
enum Look {
    /// It has said all.
    Complete,
    /// There is no more to come.
    Gone,
    /// What it says is no header.
    Malformed,
    /// More has to come.
    Partial,
}

impl Gate {
    /// What to wait for.
    pub(super) fn interests(&self) -> impl Iterator<Item = Interest<'_>> {
        self.0.iter().map(|waiting| Interest::readable(&waiting.arrival.socket))
    }

    /// When the first of them has had its time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|waiting| waiting.deadline).min()
    }
}

impl Waiting {
    /// Reads as much of the header as there is, and nothing behind it.
    fn look(&mut self) -> Look {
        let mut buffer = [0; proxy::LONGEST];
        let count = match socket::peek(&self.arrival.socket, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Look::Partial,
            Err(_) | Ok(0) => return Look::Gone,
            Ok(count) => count,
        };
        let before = self.seen.len();
        self.seen.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let (look, length) = match proxy::parse(&self.seen) {
            Err(proxy::Malformed) => return Look::Malformed,
            Ok(Progress::Partial) => (Look::Partial, self.seen.len()),
            Ok(Progress::Complete(header, length)) => {
                if let Header::Relayed { source, destination } = header {
                    (self.arrival.remote, self.arrival.local) = (source, Some(destination));
                }
                self.arrival.is_relayed = true;
                (Look::Complete, length)
            }
        };
        self.seen.truncate(length);
        let own = buffer.get_mut(..length.saturating_sub(before)).unwrap_or_default();
        match socket::receive(&self.arrival.socket, own) {
            Ok(read) if read == own.len() => look,
            _ => Look::Gone,
        }
    }
}

impl Server {
    /// Serves a connection that has a place; one of a balancer when it has said for whom it is.
    pub(super) fn admit(&mut self, arrival: Arrival) {
        let from = ip::unmapped(arrival.remote.ip());
        if !self.options.balancers.iter().any(|network| network.contains(from)) {
            return self.serve(arrival);
        }
        match arrival.since.checked_add(self.options.patience) {
            Some(deadline) => self.look(Waiting { arrival, seen: Vec::new(), deadline }),
            None => self.turn_away(&arrival, b"no", Errno::ETIMEDOUT),
        }
    }

    /// Goes on with the connections in the gate: `is_ready` says, in their order, which have bytes.
    pub(super) fn look_at_gate(&mut self, is_ready: &[bool], now: Instant) {
        let gate = std::mem::take(&mut self.gate.0);
        for (waiting, &is_ready) in gate.into_iter().zip(is_ready) {
            if is_ready {
                self.look(waiting);
            } else if now >= waiting.deadline {
                self.turn_away(&waiting.arrival, b"no", Errno::ETIMEDOUT);
            } else {
                self.gate.0.push(waiting);
            }
        }
    }

    fn look(&mut self, mut waiting: Waiting) {
        match waiting.look() {
            Look::Complete => self.serve(waiting.arrival),
            Look::Gone => self.turn_away(&waiting.arrival, b"no", ()),
            Look::Malformed => self.turn_away(&waiting.arrival, b"malformed", ()),
            Look::Partial => self.gate.0.push(waiting),
        }
    }

    fn turn_away(&mut self, arrival: &Arrival, what: &[u8], cause: impl Cause) {
        self.tell_pid(self.own, arrival.remote);
        let mut from = Vec::new();
        ip::push(&mut from, ip::unmapped(arrival.remote.ip()));
        self.warn_drop(&[what, b" PROXY header from ", &from], cause);
        self.slots.dropped();
        self.tell_end(self.own, Status::from_raw(i32::from(DROPPED) << 8));
        self.flush();
    }
}
