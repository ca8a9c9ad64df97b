//! A service's two supervises: when each is started, and what it is told when all is to end.

use std::ffi::OsString;
use std::time::Duration;

use unix::signal::Signal;

use super::{Action, Id, Key, Role};

/// How long a logger may take to read what is in its pipe.
const DRAINING: Duration = Duration::from_secs(2);

/// How long to wait for what must be quick: the end of a process that was killed.
const MOMENT: Duration = Duration::from_secs(1);

/// A supervise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// Does not run, and may be started from then on.
    Due(Duration),
    /// Does not end, and is not waited for any more.
    Lost,
    Running {
        pid: u32,
        since: Duration,
        /// When svscan ends: what it has been told last, and when to tell it more.
        told: Option<(Told, Duration)>,
    },
    /// Being started: nobody has told yet what came of it.
    Starting,
}

/// What a supervise is told, in this order, until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Leave when your service has read all of its input (USR1); only loggers.
    Drain,
    /// Leave, and end your service (TERM).
    End,
    /// Leave, and kill your service (QUIT).
    Kill,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: OsString,
    pub(super) id: Id,
    /// The number of the reading of the directory that found it last.
    pub(super) seen: u64,
    pub(super) main: Process,
    pub(super) log: Option<Process>,
}

impl Process {
    pub(super) fn is_gone(self) -> bool {
        matches!(self, Process::Due(_) | Process::Lost)
    }

    /// Its number, while it runs.
    pub(super) fn pid(self) -> Option<u32> {
        match self {
            Process::Running { pid, .. } => Some(pid),
            Process::Due(_) | Process::Lost | Process::Starting => None,
        }
    }

    /// Tells a supervise `first` (and how long that may take), or, when that has taken too long, more.
    fn tell(
        &mut self,
        first: (Told, Duration),
        now: Duration,
        (name, role): (&OsString, Role),
    ) -> Option<Action> {
        let Process::Running { pid, told, .. } = self else { return None };
        let (telling, time) = match told {
            None => first,
            Some((_, next)) if now < *next => return None,
            Some((Told::Drain, _)) => (Told::End, MOMENT),
            Some((Told::End, _)) => (Told::Kill, MOMENT),
            Some((Told::Kill, _)) => {
                *self = Process::Lost;
                return Some(Action::Lost(name.clone(), role));
            }
        };
        *told = Some((telling, now.saturating_add(time)));
        let signal = match telling {
            Told::Drain => Signal::SIGUSR1,
            Told::End => Signal::SIGTERM,
            Told::Kill => Signal::SIGQUIT,
        };
        Some(Action::Signal(*pid, signal))
    }
}

impl Service {
    pub(super) fn process(&mut self, role: Role) -> Option<&mut Process> {
        match role {
            Role::Log => self.log.as_mut(),
            Role::Main => Some(&mut self.main),
        }
    }

    /// Lets what waits be started now.
    pub(super) fn hurry(&mut self, now: Duration) {
        for process in [Some(&mut self.main), self.log.as_mut()].into_iter().flatten() {
            if matches!(process, Process::Due(_)) {
                *process = Process::Due(now);
            }
        }
    }

    /// Starts what may be started, the log first; gives when the rest may be.
    pub(super) fn start(
        &mut self,
        key: Key,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Option<Duration> {
        let Service { name, main, log, .. } = self;
        let has_log = log.is_some();
        let mut next: Option<Duration> = None;
        for (role, process) in [(Role::Log, log.as_mut()), (Role::Main, Some(main))] {
            match process {
                Some(Process::Due(due)) if *due > now => {
                    next = Some(next.map_or(*due, |next| next.min(*due)));
                }
                Some(process @ Process::Due(_)) => {
                    *process = Process::Starting;
                    actions.push(Action::Start { key, role, name: name.clone(), has_log });
                }
                _ => {}
            }
        }
        next
    }

    /// Tells the service to end, or if that was done, its log.
    pub(super) fn stop(
        &mut self,
        key: Key,
        limit: Duration,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        if let Some(action) = self.main.tell((Told::End, limit), now, (&self.name, Role::Main)) {
            actions.push(action);
        }
        let Some(log) = self.log.as_mut().filter(|_| self.main.is_gone()) else { return };
        let is_first = matches!(log, Process::Running { told: None, .. });
        if let Some(action) = log.tell((Told::Drain, DRAINING), now, (&self.name, Role::Log)) {
            actions.push(action);
        }
        if is_first {
            // Not before it knows what the end of its input means.
            actions.push(Action::Close(key));
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.main.is_gone() && self.log.is_none_or(Process::is_gone)
    }
}
