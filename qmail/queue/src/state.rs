//! The states of a message, by which files exist, and who may change them.

use crate::disk::Disk;
use crate::path::{Area, MessageId};

/// Which of a message's files exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Files(u8);

impl Files {
    /// Only these.
    #[must_use]
    pub fn of(areas: impl IntoIterator<Item = Area>) -> Files {
        areas.into_iter().fold(Files(0), Files::with)
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, area: Area) -> Files {
        Files(self.0 | 1 << area as u8)
    }

    /// These without one.
    #[must_use]
    pub const fn without(self, area: Area) -> Files {
        Files(self.0 & !(1 << area as u8))
    }

    /// True if the message has a file there.
    #[must_use]
    pub const fn has(self, area: Area) -> bool {
        self.0 & 1 << area as u8 != 0
    }

    /// Looks which files message `id` has.
    pub fn find<D: Disk>(disk: &mut D, id: MessageId) -> Result<Files, D::Error> {
        let mut files = Files::default();
        for area in Area::ALL {
            if disk.exists(&area.of(id))? {
                files = files.with(area);
            }
        }
        Ok(files)
    }

    /// The state that these files are, if they are one.
    #[must_use]
    pub fn state(self) -> Option<State> {
        let has = |area| self.has(area);
        if !has(Area::Mess) {
            return if self.0 == 0 { Some(State::Absent) } else { None };
        }
        if has(Area::Todo) {
            return if has(Area::Bounce) { None } else { Some(State::Queued) };
        }
        match (has(Area::Info), has(Area::Intd)) {
            (true, false) => Some(State::Preprocessed),
            (true, true) => None,
            (false, intd) => {
                if has(Area::Local) || has(Area::Remote) || has(Area::Bounce) {
                    None
                } else if intd {
                    Some(State::Envelope)
                } else {
                    Some(State::Message)
                }
            }
        }
    }
}

/// A state of a message. Any other combination of files is a torn queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// S1: there is no such message.
    Absent,
    /// S2: only `mess/`: being written, or being removed.
    Message,
    /// S3: `mess/` and `intd/`: the envelope is being written.
    Envelope,
    /// S4: `mess/` and `todo/`: queued. `info/`, `local/` and `remote/` are half-made or left over. It may be
    /// being delivered already.
    Queued,
    /// S5: `mess/` and `info/`: preprocessed; recipients are in `local/` and `remote/`.
    Preprocessed,
}

/// A program that changes states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// qmail-clean, on request of qmail-send.
    Clean,
    /// qmail-queue.
    Queue,
    /// qmail-send.
    Send,
}

impl State {
    /// Who may take a message from this state to `next`; nobody if the step is not legal.
    ///
    /// qmail-queue goes forward to S4, or back while it has not got there. From S4 on it has nothing
    /// to do with the message. qmail-send never removes what qmail-queue made: it asks qmail-clean.
    #[must_use]
    pub const fn actors(self, next: State) -> &'static [Actor] {
        match (self, next) {
            (State::Absent, State::Message)
            | (State::Message, State::Envelope)
            | (State::Envelope, State::Queued) => &[Actor::Queue],
            (State::Envelope, State::Message) | (State::Message, State::Absent) => {
                &[Actor::Clean, Actor::Queue]
            }
            (State::Queued, State::Preprocessed | State::Message) => &[Actor::Clean],
            (State::Preprocessed, State::Message) => &[Actor::Send],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(areas: &[Area]) -> Option<State> {
        Files::of(areas.iter().copied()).state()
    }

    #[test]
    fn each_state_is_known_by_its_files() {
        use Area::{Bounce, Info, Intd, Local, Mess, Remote, Todo};
        assert_eq!(state(&[]), Some(State::Absent));
        assert_eq!(state(&[Mess]), Some(State::Message));
        assert_eq!(state(&[Mess, Intd]), Some(State::Envelope));
        assert_eq!(state(&[Mess, Intd, Todo]), Some(State::Queued));
        assert_eq!(state(&[Mess, Todo, Info, Local, Remote]), Some(State::Queued));
        assert_eq!(state(&[Mess, Info]), Some(State::Preprocessed));
        assert_eq!(state(&[Mess, Info, Local, Bounce]), Some(State::Preprocessed));
    }

    #[test]
    fn other_files_are_no_state() {
        use Area::{Bounce, Info, Intd, Local, Mess, Todo};
        for torn in [
            &[Intd][..],
            &[Todo],
            &[Info],
            &[Mess, Local],
            &[Mess, Bounce],
            &[Mess, Todo, Bounce],
            &[Mess, Info, Intd],
        ] {
            assert_eq!(state(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_queued_message_is_out_of_qmail_queue_s_hands() {
        use State::{Absent, Envelope, Message, Preprocessed, Queued};
        for next in [Absent, Message, Envelope, Queued, Preprocessed] {
            assert!(!Queued.actors(next).contains(&Actor::Queue));
            assert!(!Preprocessed.actors(next).contains(&Actor::Queue));
        }
        assert!(Envelope.actors(Queued).contains(&Actor::Queue));
    }
}
