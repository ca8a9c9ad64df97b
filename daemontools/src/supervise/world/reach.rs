//! Everything that a service has started.

use std::collections::HashSet;

use unix::Pid;
use unix::kin::{Kin, Process};
use unix::pidfd::Handle;
use unix::signal::{self, Signal};

use super::Cgroup;

/// How often it is looked for processes that were started meanwhile.
const ROUNDS: usize = 50;

/// All that descend from `roots`, and not from `spared`; and all in a cgroup, if the service has one.
///
/// Without a cgroup it is nothing where /proc does not tell who descends from whom.
#[derive(Debug)]
pub struct Family<'a> {
    /// Supervise, and a service that is nobody's descendant here.
    pub roots: Vec<Pid>,
    /// Helpers that are no part of the service.
    pub spared: Vec<Pid>,
    /// The service's cgroup.
    pub cgroup: Option<&'a Cgroup>,
}

impl Family<'_> {
    /// Its members that have not ended.
    #[must_use]
    pub fn members(&self) -> Vec<Process> {
        let mut all = Process::all().unwrap_or_default();
        all.retain(|process| !self.spared.contains(&process.pid));
        let kin = Kin::of(&all);
        let inside: HashSet<Pid> = self.cgroup.iter().flat_map(|cgroup| cgroup.pids()).collect();
        let inside = all.iter().filter(|process| inside.contains(&process.pid)).copied();
        let descendants = self.roots.iter().flat_map(|root| kin.descendants(*root));
        let mut seen = HashSet::new();
        inside
            .chain(descendants)
            .filter(|process| !process.is_over() && seen.insert(process.pid))
            .collect()
    }

    /// Sends a signal to all of them. Processes that these start while it goes on get it too; each gets
    /// it once.
    pub fn send(&self, signal: Signal) {
        if signal == Signal::SIGKILL {
            let _ = self.cgroup.is_some_and(Cgroup::kill); // what follows finds whom it did not
        }
        let mut done = HashSet::new();
        for _ in 0..ROUNDS {
            let mut is_over = true;
            for process in self.members() {
                if done.insert((process.pid, process.start)) {
                    send(signal, &process);
                    is_over = false;
                }
            }
            if is_over {
                return;
            }
        }
    }
}

/// The descriptor keeps the number from meaning another process between look and signal.
fn send(signal: Signal, process: &Process) {
    let is_same = || Process::of(process.pid).is_ok_and(|now| now.start == process.start);
    let _ = match Handle::open(process.pid) {
        Ok(handle) if is_same() => handle.send(signal), // it may have ended, or be another user's
        Ok(_) => Ok(()),
        Err(_) => signal::send(process.pid, signal), // as above
    };
}
