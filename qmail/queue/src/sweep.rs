//! What qmail-clean and the cleanup of old files may remove.

use crate::disk::Disk;
use crate::path::{Area, MessageId, Name};

/// Age in seconds, of the last access, at which a file that belongs to no message is removed.
///
/// More than qmail-queue gives itself, [`EARLY`] and a [`DAY`]: such a file has no process any more.
pub const OSSIFIED: i64 = 129_600;

/// Seconds after which qmail-queue gives up a message that has begun to arrive.
pub const DAY: u32 = 86_400;

/// Seconds for which a qmail-queue started early waits for a message to begin.
///
/// It has its file already, so this and the day that the message may take then stay below
/// [`OSSIFIED`]. With one day for both, a message that begins late would be cut; with a day for each, its
/// file would be removed while it arrives.
pub const EARLY: u32 = DAY / 3;

/// Requests between two cleanups of `pid/`.
pub const REQUESTS_PER_CLEANUP: usize = 31;

/// The longest request, with its zero byte.
pub const LONGEST_REQUEST: usize = 100;

/// The shortest: five letters, a digit, a zero byte.
const SHORTEST_REQUEST: usize = 7;

/// What qmail-send asks qmail-clean for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `foop/N`: the message is done with; remove what is left of it.
    Message(MessageId),
    /// `todo/N`: the message is preprocessed; remove its envelope.
    Envelope(MessageId),
    /// `over/N`: the message is done with and was never preprocessed; remove its envelope, and when that is
    /// durable what is left of it. Another's qmail-clean does not know this one, says so, and does nothing.
    Over(MessageId),
}

impl Request {
    /// Reads a request, which ends before its zero byte. Anything else is refused as a whole.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Request> {
        if !(SHORTEST_REQUEST..=LONGEST_REQUEST).contains(&(line.len() + 1)) {
            return None;
        }
        match line.split_at_checked(5)? {
            (b"foop/", id) => MessageId::parse(id).map(Request::Message),
            (b"todo/", id) => MessageId::parse(id).map(Request::Envelope),
            (b"over/", id) => MessageId::parse(id).map(Request::Over),
            _ => None,
        }
    }

    /// The request as qmail-send writes it, zero byte included.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Request::Message(id) => format!("foop/{id}\0").into_bytes(),
            Request::Envelope(id) => format!("todo/{id}\0").into_bytes(),
            Request::Over(id) => format!("over/{id}\0").into_bytes(),
        }
    }

    /// What is to be unlinked first, in this order. A file that does not exist is as good as removed.
    #[must_use]
    pub fn names(self) -> [Name; 2] {
        match self {
            Request::Message(id) => [Area::Intd.of(id), Area::Mess.of(id)],
            Request::Envelope(id) | Request::Over(id) => [Area::Intd.of(id), Area::Todo.of(id)],
        }
    }

    /// Does it; stops at a file that cannot be removed. Of a message that is over this is the envelope only.
    pub fn perform<D: Disk>(self, disk: &mut D) -> Result<(), D::Error> {
        remove(disk, self.names())
    }
}

/// Removes files; stops at one that cannot be removed. One that does not exist is as good as removed.
fn remove<D: Disk>(disk: &mut D, names: impl IntoIterator<Item = Name>) -> Result<(), D::Error> {
    for name in names {
        if let Err(error) = disk.unlink(&name) {
            // Only a file that is still there is a failure.
            if !matches!(disk.exists(&name), Ok(false)) {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// What qmail-clean answers to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `x`: that was no request, and nothing was done.
    Misunderstood,
    /// `!`: a file could not be removed; of a message that is over, its envelope.
    Failed,
    /// `-`: the envelope of a message that is over is gone, if only for now; what is left of it is not.
    Partly,
    /// `+`: done.
    Done,
}

impl Answer {
    fn of<E>(result: &Result<(), E>) -> Answer {
        if result.is_ok() { Answer::Done } else { Answer::Failed }
    }

    /// The answer that is written as this byte.
    #[must_use]
    pub fn parse(byte: u8) -> Option<Answer> {
        let all = [Answer::Misunderstood, Answer::Failed, Answer::Partly, Answer::Done];
        all.into_iter().find(|answer| answer.byte() == byte)
    }

    /// The byte that is written.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Answer::Misunderstood => b'x',
            Answer::Failed => b'!',
            Answer::Partly => b'-',
            Answer::Done => b'+',
        }
    }
}

/// Carries out requests, many at a time.
#[derive(Debug, Default)]
pub struct Cleaner {
    /// True if envelopes have left `todo/`, and that may not be durable.
    has_left_todo: bool,
}

impl Cleaner {
    /// Answers requests, each of which ends before its zero byte: exactly one answer to each, in their
    /// order.
    ///
    /// Once a message is gone from `mess/` its number is free. An envelope that a power cut brought
    /// back would be taken for the next message's with that number, so it is gone for good before. That
    /// is one sync for all requests that come together.
    pub fn answer<D: Disk>(&mut self, disk: &mut D, lines: &[Vec<u8>]) -> Vec<Answer> {
        let requests: Vec<_> = lines.iter().map(|line| Request::parse(line)).collect();
        let mut answers = vec![Answer::Misunderstood; requests.len()];
        for (request, answer) in requests.iter().zip(&mut answers) {
            if let Some(request @ (Request::Envelope(_) | Request::Over(_))) = request {
                *answer = Answer::of(&request.perform(disk));
                self.has_left_todo = true;
            }
        }
        for (request, answer) in requests.iter().zip(&mut answers) {
            match request {
                Some(request @ Request::Message(_)) => {
                    let removed = self.settle(disk).and_then(|()| request.perform(disk));
                    *answer = Answer::of(&removed);
                }
                Some(Request::Over(id)) if *answer == Answer::Done => {
                    let removed =
                        self.settle(disk).and_then(|()| remove(disk, [Area::Mess.of(*id)]));
                    *answer = removed.map_or(Answer::Partly, |()| Answer::Done);
                }
                _ => {}
            }
        }
        answers
    }

    fn settle<D: Disk>(&mut self, disk: &mut D) -> Result<(), D::Error> {
        if self.has_left_todo {
            for directory in Area::Todo.directories() {
                disk.sync_directory(&directory)?;
            }
            self.has_left_todo = false;
        }
        Ok(())
    }
}

/// True if a file last accessed at `accessed` has been left alone for [`OSSIFIED`] at `now`.
#[must_use]
pub const fn is_ossified(accessed: i64, now: i64) -> bool {
    now >= accessed.saturating_add(OSSIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_a_whole() {
        assert_eq!(Request::parse(b"foop/12"), Some(Request::Message(MessageId(12))));
        assert_eq!(Request::parse(b"todo/0"), Some(Request::Envelope(MessageId(0))));
        for wrong in ["foop/", "foop/12x", "foop/-1", "mess/12", "foop12345", "foop/1/2", ""] {
            assert_eq!(Request::parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(
            Request::parse(&[b"foop/".as_slice(), &[b'0'; 94]].concat()),
            Some(Request::Message(MessageId(0)))
        );
        assert_eq!(Request::parse(&[b"foop/".as_slice(), &[b'0'; 95]].concat()), None);
    }

    #[test]
    fn what_qmail_send_writes_is_read_back() {
        let id = MessageId(421);
        for request in [Request::Message(id), Request::Envelope(id), Request::Over(id)] {
            let bytes = request.to_bytes();
            assert_eq!(Request::parse(bytes.strip_suffix(&[0]).unwrap()), Some(request));
        }
    }

    #[test]
    fn the_envelope_under_construction_goes_first() {
        let names = Request::Envelope(MessageId(421)).names().map(|name| name.to_string());
        assert_eq!(names, ["intd/421", "todo/421"]);
        let names = Request::Message(MessageId(421)).names().map(|name| name.to_string());
        assert_eq!(names, ["intd/421", "mess/7/421"]);
    }

    #[test]
    fn each_request_of_a_batch_has_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["intd", "todo", "mess/7"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["mess/7/421", "todo/444", "todo/467/stuck"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let mut disk = crate::disk::Queue::at(dir.path()).unwrap();
        let lines = ["foop/421", "x", "todo/444", "todo/467"].map(|line| line.as_bytes().to_vec());
        let answers = Cleaner::default().answer(&mut disk, &lines);
        assert_eq!(answers.into_iter().map(Answer::byte).collect::<Vec<_>>(), b"+x+!");
        assert!(!dir.path().join("mess/7/421").exists());
        assert!(!dir.path().join("todo/444").exists());
    }

    #[test]
    fn a_message_that_is_over_keeps_its_file_as_long_as_its_envelope() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["intd", "todo/467", "mess/7/444"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["mess/7/421", "todo/421", "intd/421", "todo/444", "mess/7/467", "todo/467/x"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let mut disk = crate::disk::Queue::at(dir.path()).unwrap();
        let lines = ["over/421", "over/444", "over/467", "over/"].map(|it| it.as_bytes().to_vec());
        let answers = Cleaner::default().answer(&mut disk, &lines);
        assert_eq!(answers.into_iter().map(Answer::byte).collect::<Vec<_>>(), b"+-!x");
        for gone in ["mess/7/421", "todo/421", "intd/421", "todo/444"] {
            assert!(!dir.path().join(gone).exists(), "{gone}");
        }
        assert!(dir.path().join("mess/7/467").exists());
    }

    #[test]
    fn an_answer_is_its_byte() {
        for answer in [Answer::Done, Answer::Failed, Answer::Misunderstood, Answer::Partly] {
            assert_eq!(Answer::parse(answer.byte()), Some(answer));
        }
        assert_eq!(Answer::parse(b'?'), None);
    }

    #[test]
    fn a_file_is_old_after_a_day_and_a_half() {
        assert!(!is_ossified(1000, 1000 + 129_599));
        assert!(is_ossified(1000, 1000 + 129_600));
        let longest = i64::from(EARLY) + i64::from(DAY);
        assert!(!is_ossified(1000, 1000 + longest + 3600)); // the sweeper's clock may be ahead
    }
}
