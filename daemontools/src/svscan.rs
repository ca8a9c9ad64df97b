//! Which services exist, which have a log, what to start again; and how all of them end.
//!
//! A service is a directory, whatever its name. It has a `supervise`, and another for its log if it has
//! a `log`. The machine is told what was found and who ended, and says what to
//! start and to signal; its only clock is the time it is told, counted from any moment. Source:
//! svscan(8).

pub mod directory;
mod service;
pub mod starter;
pub mod strangers;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::time::Duration;

use unix::signal::Signal;

use service::{Process, Service};

/// How soon something is looked at again that gives no sign of its own: the original's period.
pub const PERIOD: Duration = Duration::from_secs(5);

/// How long a directory that has just been made is left to be filled.
pub const SETTLING: Duration = Duration::from_secs(1);

/// How long services may take to end when svscan ends, if nobody says otherwise.
pub const LIMIT: Duration = Duration::from_secs(6);

/// What a directory is known by: device and inode.
pub type Id = (u64, u64);

/// The number of a service within one life of svscan.
pub type Key = u64;

/// Which of a service's two supervises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The one of its log.
    Log,
    /// Its own.
    Main,
}

impl Role {
    /// What comes behind the service's name in messages.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Role::Log => "/log",
            Role::Main => "",
        }
    }
}

/// A service as it was found in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// Its identity.
    pub id: Id,
    /// Whether there is a `log` in it.
    pub has_log: bool,
    /// Whether somebody may still be filling it: it is no link, and changed less than [`SETTLING`] ago.
    /// Of a service that is known: whether its `log` did.
    pub is_fresh: bool,
}

/// What is known about a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has not been seen before.
    Not,
    /// It is a service with a log.
    WithLog,
    /// It is a service that had no log yet.
    WithoutLog,
}

/// What was found in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The services, in the order in which they are to be started.
    pub entries: Vec<Entry>,
    /// Something could not be looked at, and should be tried again.
    pub is_troubled: bool,
    /// Changes will be told; otherwise it has to be looked for them.
    pub is_watched: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Names in the directory have changed.
    Changed,
    /// A child has ended; true if it exited 0, which supervise does when it was told to.
    Ended(u32, bool),
    /// A supervise could not be started.
    Failed(Key, Role),
    /// The directory was read.
    Found(Found),
    /// A supervise was started as this process.
    Started(Key, Role, u32),
    /// Everything is to end.
    Stop,
    /// Time has passed.
    Time,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Close this service's pipe: both ends.
    Close(Key),
    /// Give this service a pipe to the log that it has got, and tell its supervise, if that runs.
    Join(Key, OsString, Option<u32>),
    /// Exit.
    Leave,
    /// Complain that this supervise does not end.
    Lost(OsString, Role),
    /// Read the directory.
    Scan,
    /// Send a signal to a supervise.
    Signal(u32, Signal),
    /// Start a supervise, with the service's pipe if it `has_log`.
    Start {
        /// Which service.
        key: Key,
        /// Which of its supervises.
        role: Role,
        /// The service's name.
        name: OsString,
        /// Whether there is a pipe to a log.
        has_log: bool,
    },
}

/// A svscan: what it has found and started.
#[derive(Clone, Debug)]
pub struct Machine {
    limit: Duration,
    services: BTreeMap<Key, Service>,
    keys: HashMap<Id, Key>,
    pids: HashMap<u32, (Key, Role)>,
    /// Directories that somebody may still be filling, and when they were first seen.
    settling: HashMap<Id, Duration>,
    next_key: Key,
    /// When the directory is read although nobody tells of a change; `None` if somebody would.
    next_scan: Option<Duration>,
    /// How often the directory was read.
    scans: u64,
    is_stopping: bool,
}

impl Machine {
    /// The machine of a svscan that has just begun at `now`; `limit` is how long services may take to end
    /// when it ends.
    #[must_use]
    pub fn new(limit: Duration, now: Duration) -> Machine {
        Machine {
            limit,
            services: BTreeMap::new(),
            keys: HashMap::new(),
            pids: HashMap::new(),
            settling: HashMap::new(),
            next_key: 0,
            next_scan: Some(now),
            scans: 0,
            is_stopping: false,
        }
    }

    /// What is known about a directory.
    #[must_use]
    pub fn known(&self, id: Id) -> Known {
        match self.keys.get(&id).and_then(|key| self.services.get(key)) {
            None => Known::Not,
            Some(service) if service.log.is_some() => Known::WithLog,
            Some(_) => Known::WithoutLog,
        }
    }

    /// Whether a process is one of its supervises.
    #[must_use]
    pub fn has(&self, pid: u32) -> bool {
        self.pids.contains_key(&pid)
    }

    /// Whether everything is to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// When to tell that time has passed.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        if !self.is_stopping {
            return self.next_scan;
        }
        let told = |process: Process| match process {
            Process::Running { told: Some((_, next)), .. } => Some(next),
            _ => None,
        };
        self.services.values().flat_map(|s| [Some(s.main), s.log]).flatten().filter_map(told).min()
    }

    /// Takes an event; the actions are to be done in order.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Changed => self.next_scan = Some(now),
            Event::Ended(pid, is_success) => self.end(pid, is_success, now),
            Event::Failed(key, role) => self.set_due(key, role, now + PERIOD),
            Event::Found(found) if !self.is_stopping => self.find(found, now, &mut actions),
            Event::Found(_) | Event::Time => {}
            Event::Started(key, role, pid) => {
                self.pids.insert(pid, (key, role));
                self.set(key, role, Process::Running { pid, since: now, told: None });
            }
            Event::Stop => self.is_stopping = true,
        }
        if self.is_stopping {
            self.stop(now, &mut actions);
        } else if self.next_scan.is_some_and(|at| at <= now) {
            self.next_scan = Some(now + PERIOD); // unless what is found says otherwise
            actions.push(Action::Scan);
        }
        actions
    }

    /// A supervise that does not run, and may be started from `due` on. Then the directory is read
    /// first: the service may have gone.
    fn set_due(&mut self, key: Key, role: Role, due: Duration) {
        self.set(key, role, Process::Due(due));
        self.scan_by(Some(due));
    }

    /// Reads the directory then at the latest.
    fn scan_by(&mut self, at: Option<Duration>) {
        self.next_scan = [self.next_scan, at].into_iter().flatten().min();
    }

    fn set(&mut self, key: Key, role: Role, process: Process) {
        if let Some(place) = self.services.get_mut(&key).and_then(|s| s.process(role)) {
            *place = process;
        }
    }

    /// A supervise that has ended is started again: at once, but not twice within a period. One that was
    /// told to exit is left alone for that long, because its service may be about to be removed.
    fn end(&mut self, pid: u32, is_success: bool, now: Duration) {
        let Some((key, role)) = self.pids.remove(&pid) else { return };
        let process = self.services.get_mut(&key).and_then(|service| service.process(role));
        let since = match process {
            Some(Process::Running { since, .. }) if !is_success => *since,
            _ => now,
        };
        self.set_due(key, role, since + PERIOD);
    }

    fn find(&mut self, found: Found, now: Duration, actions: &mut Vec<Action>) {
        self.scans += 1;
        let is_told = found.is_watched && !found.is_troubled;
        self.next_scan = (!is_told).then_some(now + PERIOD);
        let mut settling = HashMap::new();
        let mut is_settling = false;
        let mut joining = Vec::new();
        for entry in found.entries {
            let key = self.keys.get(&entry.id).copied();
            if let Some((key, service)) =
                key.and_then(|key| Some((key, self.services.get_mut(&key)?)))
            {
                if entry.has_log && service.log.is_none() {
                    if entry.is_fresh {
                        is_settling = true;
                    } else {
                        service.log = Some(Process::Due(now));
                        joining.push(Action::Join(key, entry.name.clone(), service.main.pid()));
                    }
                }
                if service.seen < self.scans {
                    if service.seen + 1 < self.scans {
                        service.hurry(now); // it was away
                    }
                    service.seen = self.scans;
                    service.name = entry.name;
                }
                continue;
            }
            if entry.is_fresh && self.scans > 1 {
                let first = self.settling.get(&entry.id).copied().unwrap_or(now);
                if now < first + PERIOD {
                    settling.insert(entry.id, first);
                    is_settling = true;
                    continue;
                }
            }
            self.add(entry, now);
        }
        self.settling = settling;
        self.scan_by(is_settling.then_some(now + SETTLING));
        self.forget(actions);
        actions.append(&mut joining);
        let mut next = None;
        for (&key, service) in &mut self.services {
            if service.seen == self.scans {
                let due = service.start(key, now, actions);
                next = [next, due].into_iter().flatten().min();
            }
        }
        self.scan_by(next);
    }

    fn add(&mut self, entry: Entry, now: Duration) {
        let service = Service {
            name: entry.name,
            id: entry.id,
            seen: self.scans,
            main: Process::Due(now),
            log: entry.has_log.then_some(Process::Due(now)),
        };
        self.keys.insert(entry.id, self.next_key);
        self.services.insert(self.next_key, service);
        self.next_key += 1;
    }

    /// Forgets services that are not in the directory any more and whose supervises have both ended.
    fn forget(&mut self, actions: &mut Vec<Action>) {
        let (keys, scans) = (&mut self.keys, self.scans);
        self.services.retain(|&key, service| {
            let stays = service.seen == scans || !service.is_gone();
            if !stays {
                keys.remove(&service.id);
                actions.push(Action::Close(key));
            }
            stays
        });
    }

    /// Tells every supervise what it is to be told next: services first, and each log when its service
    /// has ended.
    fn stop(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for (&key, service) in &mut self.services {
            service.stop(key, self.limit, now, actions);
        }
        if self.services.values().all(Service::is_gone) {
            actions.push(Action::Leave);
        }
    }
}

#[cfg(test)]
mod tests;
