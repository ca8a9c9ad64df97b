//! Connections that may not last for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use unix::signal::{self, Signal};
use unix::{Pid, clock, socket};

use super::Server;
use crate::limits::Limits;
use crate::watch::{Step, Watch};

/// The connections with a limit on their time.
///
/// The server keeps a descriptor of each, to see whether it is quiet and to end it.
#[derive(Debug, Default)]
pub(super) struct Watched {
    by_pid: BTreeMap<i32, (Watch, OwnedFd)>,
    by_due: BTreeSet<(Instant, i32)>,
}

impl Watched {
    /// When there may be something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.by_due.first().map(|&(due, _)| due)
    }

    /// Process `pid` has ended.
    pub(super) fn ended(&mut self, pid: i32) {
        if let Some((watch, _)) = self.by_pid.remove(&pid)
            && let Some(due) = watch.due()
        {
            self.by_due.remove(&(due, pid));
        }
    }

    fn begin(&mut self, pid: i32, watch: Watch, socket: OwnedFd) {
        self.by_due.extend(watch.due().map(|due| (due, pid)));
        self.by_pid.insert(pid, (watch, socket));
    }

    /// Something that is to be done now, and to whom.
    fn step(&mut self, now: Instant) -> Option<(i32, Step)> {
        while let Some(&(due, pid)) = self.by_due.first()
            && due <= now
        {
            self.by_due.pop_first();
            let Some((watch, socket)) = self.by_pid.get_mut(&pid) else { continue };
            // If the kernel does not tell, it is taken to be in use.
            let step = watch.step(now, || socket::quiet(socket).unwrap_or_default());
            self.by_due.extend(watch.due().map(|due| (due, pid)));
            if let Some(Step::Close(_)) = step {
                let _ = socket::shut_down(socket); // the client may have done that already
            }
            if let Some(step) = step {
                return Some((pid, step));
            }
        }
        None
    }
}

impl Server {
    /// Watches the connection of process `pid`, if its time is limited.
    pub(super) fn watch(&mut self, pid: i32, since: Instant, limits: &Limits, socket: OwnedFd) {
        if limits.lifetime.is_none() && limits.idle.is_none() {
            return;
        }
        let begin = clock::monotonic();
        if let Some(watch) = Watch::new(since, begin, limits.lifetime, limits.idle) {
            self.watched.begin(pid, watch, socket);
        }
    }

    /// Does what is due to connections whose time is limited.
    pub(super) fn keep_time(&mut self, now: Instant) {
        while let Some((pid, step)) = self.watched.step(now) {
            match step {
                Step::Close(why) => self.tell_timeout(pid, why),
                Step::Kill => send(pid, Signal::SIGKILL),
                Step::Term => send(pid, Signal::SIGTERM),
            }
        }
    }

    /// Tells the server, from a child of ours, what it cannot know: the limits that a rule has set.
    pub(super) fn report(&self, own: i32, limits: &Limits, socket: &OwnedFd) {
        if let Some((_, there)) = &self.reports
            && (limits.lifetime.is_some() || limits.idle.is_some())
        {
            let message = Report { pid: own, lifetime: limits.lifetime, idle: limits.idle };
            // Without it the connection goes on unwatched.
            let _ = socket::hand_over(there, &message.write(), socket);
        }
    }

    /// Reads what children have reported.
    pub(super) fn read_reports(&mut self) {
        let mut message = [0; 12];
        while let Some((here, _)) = &self.reports
            && let Ok((_, Some(socket))) = socket::take_over(here, &mut message)
        {
            let Some(Report { pid, lifetime, idle }) = Report::read(&message) else { continue };
            if let Some(since) = self.slots.guests().get(pid).map(|guest| guest.since) {
                let limits = Limits { lifetime, idle, ..Limits::default() };
                self.watch(pid, since, &limits, socket);
            }
        }
    }
}

/// What a child reports, together with its socket.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    pid: i32,
    lifetime: Option<Duration>,
    idle: Option<Duration>,
}

impl Report {
    fn write(&self) -> [u8; 12] {
        let seconds = |time: Option<Duration>| {
            u32::try_from(time.map_or(0, |time| time.as_secs())).unwrap_or(u32::MAX).to_ne_bytes()
        };
        let mut message = [0; 12];
        let fields = [self.pid.to_ne_bytes(), seconds(self.lifetime), seconds(self.idle)];
        for (to, field) in message.chunks_exact_mut(4).zip(fields) {
            to.copy_from_slice(&field);
        }
        message
    }

    fn read(message: &[u8]) -> Option<Report> {
        let time = |bytes| match u32::from_ne_bytes(bytes) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        };
        let &[pid, lifetime, idle] = message.as_chunks().0 else { return None };
        let pid = i32::from_ne_bytes(pid);
        Some(Report { pid, lifetime: time(lifetime), idle: time(idle) })
    }
}

/// Sends a signal to a child, which may have ended but has not been waited for.
pub(super) fn send(pid: i32, signal: Signal) {
    let _ = signal::send(Pid::from_raw(pid), signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_back() {
        let second = Duration::from_secs(1);
        let report = Report { pid: 4711, lifetime: Some(60 * second), idle: None };
        assert_eq!(Report::read(&report.write()), Some(report));
        assert_eq!(Report::read(b"12345678"), None);
    }
}
