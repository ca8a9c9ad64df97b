//! Handing bounces to the queue.

use std::io::{self, Read, Write};

use queue::disk::Disk;
use queue::path::{Area, MessageId};
use queue::series;
use unix::{clock, process};

use super::World;
use crate::send::bounce::Letter;
use crate::submit::{Submission, Verdict};

impl World {
    /// Sends what a message has in `bounce/`, or throws it away where nobody is to have it; true if it
    /// is gone then.
    pub(super) fn bounce(&mut self, id: MessageId) -> bool {
        let Ok((_, sender)) = self.sender(id) else {
            return false;
        };
        let name = Area::Bounce.of(id);
        match self.queue.exists(&name) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => {
                self.log.warning(("unable to stat ", name.as_bytes()));
                return false;
            }
        }
        let bounces = self.settings.bounces.clone();
        match bounces.letter(&sender) {
            None => self.log.triple_bounce(id),
            Some(letter) => match self.send(id, letter) {
                Ok(qp) => self.log.bounce(id, qp),
                Err(trouble) => {
                    self.log.warning(trouble);
                    return false;
                }
            },
        }
        if self.queue.unlink(&name).is_err() {
            self.log.warning(("unable to unlink ", name.as_bytes()));
            return false;
        }
        true
    }

    /// Queues a bounce; gives the number that logs know it by, or what went wrong.
    fn send(&mut self, id: MessageId, letter: Letter<'_>) -> Result<u64, &'static str> {
        self.write_log(); // the queue may take a while
        let mut submission = Submission::start(&self.home)
            .map_err(|_| "unable to start qmail-queue, will try later")?;
        self.bounces += 1;
        let number = series::number(process::id().as_raw().unsigned_abs(), self.bounces);
        let file = |area: Area| self.queue.dir().open_file(area.of(id).as_path());
        let mut write = || {
            submission.write_all(&letter.head(clock::wall().seconds, number))?;
            io::copy(&mut file(Area::Bounce)?, &mut submission)?;
            let message = file(Area::Mess)?;
            let size = message.metadata()?.len();
            submission.write_all(&letter.middle(size))?;
            io::copy(&mut message.take(letter.kept(size)), &mut submission)
        };
        if write().is_err() {
            submission.fail();
        }
        submission.envelope(letter.sender(), [letter.recipient()]);
        match submission.finish() {
            Verdict::Accepted { qp } => Ok(qp),
            _ => Err("trouble injecting bounce message, will try later"),
        }
    }
}
