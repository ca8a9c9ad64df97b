//! A queue program between two messages.

use std::fs::File;
use std::time::Instant;

use queue::series;
use unix::poll;
use unix::process::Child;

use super::{BUFFER, Submission};

/// A queue program that waits for another message. Dropped, it is told that there is none, and its end
/// is waited for.
#[derive(Debug)]
pub struct Idle {
    running: Option<(Child, File)>,
    round: u64,
}

impl Idle {
    pub(super) fn new(child: Child, socket: File, round: u64) -> Idle {
        Idle { running: Some((child, socket)), round }
    }

    /// Begins another message; `None` if the program has ended meanwhile.
    #[must_use]
    pub fn next(mut self) -> Option<Submission> {
        let (_, socket) = self.running.as_ref()?;
        // It has nothing to say now: what can be read is its end.
        if poll::until(socket, false, Some(Instant::now())).unwrap_or(true) {
            return None;
        }
        let (child, socket) = self.running.take()?;
        let qp = series::number(child.pid.as_raw().unsigned_abs(), self.round);
        let mut submission = Submission {
            child: Ok(child),
            qp,
            pipe: Some(socket),
            envelope: None,
            errors: None,
            series: None,
            round: self.round,
            piece: None,
            text: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            complete: false,
            failed: false,
        };
        submission.open_piece();
        Some(submission)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some((child, socket)) = self.running.take() {
            drop(socket);
            let _ = child.wait(); // nothing depends on how it ends
        }
    }
}
