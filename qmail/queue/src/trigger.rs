//! Pulling and watching `lock/trigger`, the fifo that wakes qmail-send.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use unix::dir::Dir;

/// Its name, below the queue's directory.
pub const TRIGGER: &str = "lock/trigger";

/// Tells qmail-send that there is something in `todo/`.
///
/// That nobody listens, or the fifo is missing, is no failure: qmail-send looks into `todo/` from
/// time to time whatever happens.
pub fn pull(queue: &Dir) {
    if let Ok(mut trigger) = queue.open_to_write(Path::new(TRIGGER)) {
        let _ = trigger.write(&[0]); // a full fifo has already been heard
    }
}

/// The listening end.
#[derive(Debug)]
pub struct Watch(File);

impl Watch {
    /// Listens from now on: readable when [`pull`] was called since.
    ///
    /// Open a new one before each scan of `todo/`, and only then drop the old one: what is queued
    /// during the scan makes the new one readable.
    pub fn open(queue: &Dir) -> io::Result<Watch> {
        queue.open_fifo(Path::new(TRIGGER)).map(Watch)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
