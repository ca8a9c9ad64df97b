//! What a service leaves behind that is to leave nothing behind.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use unix::Pid;

use super::{Cgroup, Family};

/// The cgroup of a service, and whether it has become empty.
#[derive(Debug, Default)]
pub struct Rest {
    /// Where the service is, if it is to leave nothing behind.
    cgroup: Option<Cgroup>,
    /// Tells when the cgroup has become empty, as long as that is waited for.
    emptiness: Option<File>,
}

/// Whether the service in the working directory is to leave nothing behind.
#[must_use]
pub fn leaves_nothing() -> bool {
    Path::new("kill-rest").exists()
}

impl Rest {
    /// Finds the cgroup of the service in the working directory, if it is to have one.
    pub fn look(&mut self) {
        self.cgroup = leaves_nothing().then(Cgroup::of_service).flatten();
    }

    /// The same before `run` is started. An earlier supervise may have left something in it: that is
    /// killed.
    pub fn prepare(&mut self) {
        self.look();
        let _ = self.cgroup.as_ref().is_some_and(Cgroup::kill); // it need not exist
    }

    /// The service's cgroup.
    #[must_use]
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Everything that descends from `roots`, and not from `spared`, or is in the cgroup.
    #[must_use]
    pub fn family(&self, roots: Vec<Pid>, spared: Vec<Pid>) -> Family<'_> {
        Family { roots, spared, cgroup: self.cgroup.as_ref() }
    }

    /// From now on [`Rest::emptiness`] tells.
    pub fn watch(&mut self) {
        self.emptiness = self.cgroup.as_ref().and_then(|cgroup| cgroup.events().ok());
    }

    /// Urgent when the cgroup has become empty; `None` if that is not waited for.
    #[must_use]
    pub fn emptiness(&self) -> Option<&File> {
        self.emptiness.as_ref()
    }

    /// To be called when something has told that it may be over, and before it is waited for.
    pub fn listen(&mut self) {
        if let Some(events) = &mut self.emptiness {
            let _ = events.rewind().and_then(|()| events.read(&mut [0; 64])); // what counts is the reading
        }
    }

    /// Nothing is left: forgets it.
    pub fn end(&mut self) {
        self.emptiness = None;
        self.cgroup.iter().for_each(Cgroup::remove);
    }
}
