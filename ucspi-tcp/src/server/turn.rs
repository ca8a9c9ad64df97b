//! What the server waits for, and does about it.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use prog::{Fatal, OrFatal};
use unix::poll::{self, Interest};
use unix::signal::Signal;
use unix::{clock, errno, socket};

use super::options::Limit;
use super::serve::Arrival;
use super::watched::send;
use super::{Server, start};
use crate::connection::shown;
use crate::pool::Pool;

/// After so many connections without a pause in between, signals and clocks are looked at.
const IN_A_ROW: u32 = 32;
/// After so long without a connection the server gives memory back.
const QUIET: Duration = Duration::from_secs(1);

impl Server {
    /// Serves until the server has been told to stop and nothing is left to wait for.
    pub fn run(mut self) -> Result<(), Fatal> {
        self.tell_status();
        while !self.is_over() {
            self.flush();
            let is_idle = !(self.is_expected && self.slots.may_accept() && self.accept());
            // A program that is about to be idle is better than one that is started.
            let lacks_idle = self.keep.as_ref().is_some_and(|keep| !keep.pool.has_idle());
            let waits = is_idle || lacks_idle;
            let is_signalled = if waits || self.in_a_row > IN_A_ROW {
                self.in_a_row = 0;
                self.wait(waits)?
            } else {
                false
            };
            // Without a signal only a child of this server can have ended.
            if is_signalled || self.slots.taken() > 0 {
                self.reap();
            }
        }
        self.leave();
        Ok(())
    }

    /// Serves a connection from each socket that has one. False if there was none.
    fn accept(&mut self) -> bool {
        let mut any = false;
        for place in 0..self.listeners.len() {
            let Some(listener) = self.listeners.get(place).filter(|_| self.slots.may_accept())
            else {
                break;
            };
            match socket::accept(&listener.socket) {
                Ok((socket, remote)) => {
                    any = true;
                    self.in_a_row += 1;
                    // A socket that listens at one address has connections at no other.
                    let address = listener.address;
                    let local = (!address.ip().is_unspecified()).then_some(address);
                    let since = clock::monotonic();
                    self.slots.accepted();
                    self.tell_status();
                    self.admit(Arrival { socket, local, remote, since, is_relayed: false });
                }
                Err(error) => {
                    if self.slots.accept_failed(errno::of(&error), clock::monotonic()) {
                        self.warn(&[b"unable to accept connections"], error);
                    }
                }
            }
        }
        any
    }

    /// Waits for a connection, if one can be accepted, for a child to end, or for something to be
    /// due; only looks, if it is not to wait. True if there may have been a signal.
    fn wait(&mut self, waits: bool) -> Result<bool, Fatal> {
        self.flush();
        let now = clock::monotonic();
        let pause = self.slots.pause(now);
        let pool = self.keep.as_ref().map(|keep| &keep.pool);
        let expiry = pool.and_then(Pool::due);
        let due = [self.watched.due(), self.gate.due(), expiry, self.end];
        let due = due.into_iter().flatten().min();
        let left = due.map(|due| due.saturating_duration_since(now));
        let rests = waits && self.slots.taken() == 0 && self.launcher.may_rest();
        let limit = [pause, left, (!waits).then_some(Duration::ZERO), rests.then_some(QUIET)];
        let limit = limit.into_iter().flatten().min();

        let mut interests = vec![Interest::readable(&self.posted)];
        interests.extend(self.reports.iter().map(|(here, _)| Interest::readable(here)));
        let gate = interests.len();
        interests.extend(self.gate.interests());
        let kept = interests.len();
        let channels = || pool.into_iter().flat_map(Pool::channels);
        interests.extend(channels().map(|(_, channel)| Interest::readable(channel)));
        let first = interests.len();
        let accepts = waits && self.slots.may_accept();
        if accepts {
            interests.extend(self.listeners.iter().map(|l| Interest::readable(&l.socket)));
        }
        let ready =
            poll::wait_held(&mut interests, limit, &self.held).or_fatal("unable to wait")?;
        let is_posted = interests.first().is_some_and(Interest::is_ready);
        let is_reported = interests.iter().take(gate).skip(1).any(Interest::is_ready);
        let others = interests.iter().take(kept).skip(gate);
        let is_at_gate: Vec<bool> = others.map(Interest::is_ready).collect();
        let kept = channels().zip(interests.iter().skip(kept));
        let kept = kept.filter(|(_, interest)| interest.is_ready()).map(|((pid, _), _)| pid);
        let heard: Vec<i32> = kept.collect();
        self.is_expected = !accepts || interests.iter().skip(first).any(Interest::is_ready);
        drop(interests);
        if rests && ready == 0 && clock::monotonic().saturating_duration_since(now) >= QUIET {
            self.launcher.rest();
        }
        if is_posted {
            self.obey()?;
        }
        if is_reported {
            self.read_reports();
        }
        self.hear(&heard);
        if due.is_some() {
            let now = clock::monotonic();
            self.keep_time(now);
            self.expire(now);
            self.look_at_gate(&is_at_gate, now);
        }
        Ok(ready == 0)
    }

    /// Does what signals ask for.
    fn obey(&mut self) -> Result<(), Fatal> {
        while let Some(signal) = self.posted.next().or_fatal("unable to read signals")? {
            match signal {
                Signal::SIGTERM => self.stop(clock::monotonic()),
                Signal::SIGHUP => {
                    self.dismiss();
                    self.read_limit();
                }
                _ => self.tell_connections(clock::monotonic()),
            }
        }
        Ok(())
    }

    /// Reads anew how many connections there may be at a time; what is no number changes nothing.
    fn read_limit(&mut self) {
        let Limit::File(file) = self.options.limit.clone() else { return };
        let path = file.as_os_str().as_bytes();
        match start::limit_in(&file) {
            Ok(Some(limit)) => self.slots.set_limit(limit),
            Ok(None) => self.warn(&[b"no limit in ", path], ()),
            Err(error) => self.warn(&[b"unable to read ", path], error),
        }
        self.tell_status();
    }

    /// Accepts nothing any more, and gives programs their time to end; none, if it was told before.
    fn stop(&mut self, now: Instant) {
        let grace = self.options.grace.unwrap_or_default();
        self.end = match self.end {
            Some(_) => Some(now),
            None => now.checked_add(grace),
        };
        self.listeners.clear();
        self.dismiss();
        if self.is_verbose() {
            self.slots.push_count(b"stopping", &mut self.log);
        }
    }

    /// Whether nothing is left to wait for.
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.slots.taken() == 0 || clock::monotonic() >= end)
    }

    /// Leaves programs behind whose time is over, with a SIGTERM.
    fn leave(&mut self) {
        for pid in self.slots.guests().pids() {
            send(pid, Signal::SIGTERM);
        }
        self.flush();
    }

    fn tell_connections(&mut self, now: Instant) {
        self.slots.push_count(b"connections", &mut self.log);
        let as_ipv6 = self.options.common.as_ipv6;
        self.slots.guests().push_table(&mut self.log, now, |ip| shown(ip, as_ipv6));
    }
}
