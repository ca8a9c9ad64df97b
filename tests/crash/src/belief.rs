//! What qmail-send makes of an envelope that it finds in `todo/`.

use queue::path::{Area, MessageId};
use queue::seal::Head;

use crate::images::Image;

/// Whether a message is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It has no seal, and is believed as it is.
    Plain,
    /// It proves itself.
    Proved,
    /// It is what a power cut has left of a message: qmail-send has its envelope removed.
    Broken,
}

impl Belief {
    /// What becomes of message `id`, if it has an envelope in `todo/`.
    #[must_use]
    pub fn of(image: &Image, id: MessageId) -> Option<Belief> {
        let envelope = image.read(&Area::Todo.of(id))?;
        Some(match (Head::of(envelope), image.read(&Area::Mess.of(id))) {
            (Head::Sealed(seal), Some(message)) if seal.proves(message, envelope) => Belief::Proved,
            (Head::Sealed(_) | Head::Torn, _) => Belief::Broken,
            (Head::Plain | Head::Foreign, _) => Belief::Plain,
        })
    }
}
