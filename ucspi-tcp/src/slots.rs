//! tcpserver's machine: limit, children, status lines.

use std::time::{Duration, Instant};

use unix::errno::Errno;
use wire::decimal;

use crate::guests::{Guest, Guests};

/// How long no connection is accepted after the kernel has run out of something.
const PAUSE: Duration = Duration::from_secs(1);

/// Who has a place, and whether there is one for the next connection.
///
/// A place is taken when a connection is accepted and free again when its child has ended, or when
/// there is no child for it. At the limit nothing is accepted: clients wait in the kernel.
#[derive(Debug)]
pub struct Slots {
    limit: u32,
    guests: Guests,
    /// Connections that have no child yet.
    opening: usize,
    paused_until: Option<Instant>,
}

impl Slots {
    /// `limit` places, all free.
    #[must_use]
    pub fn new(limit: u32) -> Slots {
        Slots { limit, guests: Guests::default(), opening: 0, paused_until: None }
    }

    /// There are `limit` places from now on. More may be taken: nobody is sent away.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Who has a program.
    #[must_use]
    pub fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Places taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.guests.len() + self.opening
    }

    /// Whether the next connection can be accepted.
    #[must_use]
    pub fn may_accept(&self) -> bool {
        self.paused_until.is_none() && self.taken() < self.limit as usize
    }

    /// A connection was accepted.
    pub fn accepted(&mut self) {
        self.opening += 1;
    }

    /// A connection that was accepted has child `pid`.
    pub fn started(&mut self, pid: i32, guest: Guest) {
        self.dropped();
        self.guests.add(pid, guest);
    }

    /// A connection was closed without a child.
    pub fn dropped(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// Process `pid` has ended. False if it was none of these children, such as one that was started
    /// before this program took the process over.
    pub fn ended(&mut self, pid: i32) -> bool {
        // What it has given back may be what was missing.
        self.paused_until = None;
        self.guests.remove(pid).is_some()
    }

    /// Nothing could be accepted. True if that deserves a warning: then nothing is accepted for a
    /// second, or until a child ends. Everything else is the client's failure, and tried again.
    pub fn accept_failed(&mut self, errno: Errno, now: Instant) -> bool {
        use Errno::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
        let exhausted = matches!(errno, EMFILE | ENFILE | ENOBUFS | ENOMEM);
        if exhausted {
            self.paused_until = Some(now + PAUSE);
        }
        exhausted
    }

    /// How long to wait for children alone; ends a pause that is over.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now);
        if left.is_zero() {
            self.paused_until = None;
            return None;
        }
        Some(left)
    }

    /// Appends the line that says how many places are taken: `tcpserver: status: 1/40`.
    pub fn push_status(&self, out: &mut Vec<u8>) {
        self.push_count(b"status", out);
    }

    /// The same with another word.
    pub fn push_count(&self, word: &[u8], out: &mut Vec<u8>) {
        out.extend([b"tcpserver: ", word, b": "].into_iter().flatten());
        decimal::push(out, self.taken() as u64);
        out.push(b'/');
        decimal::push(out, self.limit.into());
        out.push(b'\n');
    }
}

/// Appends the line that says how a child ended; `status` is the number of wait(2).
pub fn push_end(out: &mut Vec<u8>, pid: i32, status: i32) {
    out.extend_from_slice(b"tcpserver: end ");
    decimal::push(out, pid.unsigned_abs().into());
    out.extend_from_slice(b" status ");
    decimal::push(out, status.unsigned_abs().into());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Guest {
        Guest { remote: "192.0.2.1:40000".parse().unwrap(), since: Instant::now() }
    }

    fn status(slots: &Slots) -> String {
        let mut out = Vec::new();
        slots.push_status(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn at_the_limit_nothing_is_accepted() {
        let mut slots = Slots::new(2);
        assert_eq!(status(&slots), "tcpserver: status: 0/2\n");
        for pid in [7, 8] {
            assert!(slots.may_accept());
            slots.accepted();
            slots.started(pid, guest());
        }
        assert_eq!(status(&slots), "tcpserver: status: 2/2\n");
        assert!(!slots.may_accept());
        assert!(slots.ended(7));
        assert!(slots.may_accept());
        slots.set_limit(1);
        assert!(!slots.may_accept());
        slots.set_limit(3);
        assert!(slots.may_accept());
    }

    #[test]
    fn a_connection_without_a_child_gives_its_place_back() {
        let mut slots = Slots::new(1);
        slots.accepted();
        assert_eq!(status(&slots), "tcpserver: status: 1/1\n");
        assert!(!slots.may_accept());
        slots.dropped();
        assert_eq!(status(&slots), "tcpserver: status: 0/1\n");
    }

    #[test]
    fn a_child_of_someone_else_has_no_place() {
        let mut slots = Slots::new(1);
        slots.accepted();
        slots.started(7, guest());
        assert!(!slots.ended(9));
        assert_eq!(slots.taken(), 1);
    }

    #[test]
    fn want_of_descriptors_is_a_pause_with_a_warning() {
        let mut slots = Slots::new(40);
        let now = Instant::now();
        assert!(!slots.accept_failed(Errno::ECONNABORTED, now));
        assert!(slots.may_accept());
        assert!(slots.accept_failed(Errno::EMFILE, now));
        assert!(!slots.may_accept());
        assert_eq!(slots.pause(now), Some(PAUSE));
        assert_eq!(slots.pause(now + PAUSE), None);
        assert!(slots.may_accept());
        slots.accept_failed(Errno::ENOBUFS, now);
        slots.ended(7);
        assert!(slots.may_accept());
    }

    #[test]
    fn an_end_is_the_number_of_wait() {
        let mut out = Vec::new();
        push_end(&mut out, 24859, 768);
        assert_eq!(out, b"tcpserver: end 24859 status 768\n");
    }
}
