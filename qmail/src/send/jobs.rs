//! Passes over a message's recipients, delivery slots, concurrency.

mod pass;
mod slots;

use queue::path::MessageId;

use crate::send::Channel;

pub use pass::{Next, Pass};
pub use slots::{Delivery, Group, Slots};

/// One pass over the recipients of a message on one channel, from the first that is read to the last
/// whose delivery ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The message.
    pub id: MessageId,
    /// The channel.
    pub channel: Channel,
    /// The sender, before it is made another for each recipient.
    pub sender: Vec<u8>,
    /// When those who are left over are tried again, in seconds since 1970.
    pub retry: i64,
    /// True if they are not.
    pub is_last: bool,
    /// Recipients that are not done.
    left: u64,
    /// Deliveries under way.
    active: u32,
    /// Whether recipients are still being read, or all have been.
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Begun,
    BrokenOff,
    Finished,
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Deliveries are under way, or recipients still to be read.
    GoesOn,
    /// Nobody is left.
    IsDone,
    /// Someone is left, for next time.
    WaitsForNextTime,
}

impl Job {
    /// A pass that begins.
    #[must_use]
    pub fn new(id: MessageId, channel: Channel, sender: Vec<u8>, retry: i64, is_last: bool) -> Job {
        Job { id, channel, sender, retry, is_last, left: 0, active: 0, reading: Reading::Begun }
    }

    /// A delivery begins.
    pub fn begin(&mut self) {
        self.left += 1;
        self.active += 1;
    }

    /// A delivery has ended; `is_done` if its recipient is done with.
    pub fn end(&mut self, is_done: bool) {
        self.active = self.active.saturating_sub(1);
        if is_done {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// No more recipients are read; `are_all` if they all have been.
    pub fn finish_reading(&mut self, are_all: bool) {
        self.reading = if are_all { Reading::Finished } else { Reading::BrokenOff };
    }

    /// What becomes of it now.
    #[must_use]
    pub fn turn(&self) -> Turn {
        match (self.active, self.left, self.reading) {
            (1.., ..) | (_, _, Reading::Begun) => Turn::GoesOn,
            (0, 0, Reading::Finished) => Turn::IsDone,
            _ => Turn::WaitsForNextTime,
        }
    }
}

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobNumber(usize);

/// The jobs of both channels.
#[derive(Debug, Default)]
pub struct Jobs {
    places: Vec<Option<Job>>,
    free: Vec<usize>,
}

impl Jobs {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Puts one in.
    pub fn add(&mut self, job: Job) -> JobNumber {
        if let Some(number) = self.free.pop() {
            if let Some(place) = self.places.get_mut(number) {
                *place = Some(job);
            }
            JobNumber(number)
        } else {
            self.places.push(Some(job));
            JobNumber(self.places.len() - 1)
        }
    }

    /// The job, unless it has been removed.
    pub fn of(&mut self, number: JobNumber) -> Option<&mut Job> {
        self.places.get_mut(number.0)?.as_mut()
    }

    /// Takes it out.
    pub fn remove(&mut self, number: JobNumber) -> Option<Job> {
        let job = self.places.get_mut(number.0)?.take()?;
        self.free.push(number.0);
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::new(MessageId(1), Channel::Local, b"a@b".into(), 100, false)
    }

    #[test]
    fn a_job_goes_on_while_recipients_are_read() {
        let mut job = job();
        assert_eq!(job.turn(), Turn::GoesOn);
        job.begin();
        job.end(true);
        assert_eq!(job.turn(), Turn::GoesOn);
        job.finish_reading(true);
        assert_eq!(job.turn(), Turn::IsDone);
    }

    #[test]
    fn a_job_goes_on_while_deliveries_are_under_way() {
        let mut job = job();
        job.begin();
        job.begin();
        job.finish_reading(true);
        job.end(true);
        assert_eq!(job.turn(), Turn::GoesOn);
        job.end(false);
        assert_eq!(job.turn(), Turn::WaitsForNextTime);
    }

    #[test]
    fn a_job_whose_recipients_were_not_all_read_is_not_done() {
        let mut job = job();
        job.begin();
        job.end(true);
        job.finish_reading(false);
        assert_eq!(job.turn(), Turn::WaitsForNextTime);
    }

    #[test]
    fn places_of_jobs_are_used_again() {
        let mut jobs = Jobs::default();
        let first = jobs.add(job());
        let second = jobs.add(Job { retry: 200, ..job() });
        assert_eq!(jobs.remove(first).map(|job| job.retry), Some(100));
        assert_eq!((jobs.remove(first), jobs.count()), (None, 1));
        assert_eq!(jobs.add(job()), first);
        assert_eq!(jobs.of(second).map(|job| job.retry), Some(200));
        assert_eq!(jobs.count(), 2);
    }
}
