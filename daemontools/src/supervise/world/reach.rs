//! Signals for everything that a service has started.

use std::collections::HashSet;

use unix::Pid;
use unix::kin::{Kin, Process};
use unix::pidfd::Handle;
use unix::signal::{self, Signal};

/// How often it is looked for processes that were started meanwhile.
const ROUNDS: usize = 50;

/// Sends a signal to all that descend from `roots`, and not from `spared`. Processes that these start
/// while it goes on get it too; each gets it once.
///
/// Nothing where /proc does not tell who descends from whom.
pub fn send_to_all(signal: Signal, roots: &[Pid], spared: &[Pid]) {
    let mut done = HashSet::new();
    for _ in 0..ROUNDS {
        let all = Process::all().unwrap_or_default();
        let others: Vec<Process> =
            all.into_iter().filter(|process| !spared.contains(&process.pid)).collect();
        let kin = Kin::of(&others);
        let mut is_over = true;
        for process in roots.iter().flat_map(|root| kin.descendants(*root)) {
            if !process.is_over() && done.insert((process.pid, process.start)) {
                send(signal, &process);
                is_over = false;
            }
        }
        if is_over {
            return;
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
