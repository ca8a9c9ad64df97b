//! What keeps a log from going on.

use std::io;

use prog::Piece;

/// Something that did not work, in the words of a diagnostic.
#[derive(Debug)]
pub struct Trouble {
    /// What was attempted, and on what.
    pub what: Vec<u8>,
    /// What the kernel said.
    pub cause: Option<io::Error>,
    /// What it means.
    pub weight: Weight,
}

/// What a [`Trouble`] means for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It cannot be used at all; only at the start.
    Fatal,
    /// It goes on without what was attempted.
    Light,
    /// The same is to be attempted again, after a pause.
    Pause,
}

impl Trouble {
    /// To be attempted again.
    #[must_use]
    pub fn new(what: impl Piece, cause: Option<io::Error>) -> Trouble {
        let mut words = Vec::new();
        what.render(&mut words);
        Trouble { what: words, cause, weight: Weight::Pause }
    }

    /// Whether something was not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
    }

    /// The same with another weight.
    #[must_use]
    pub fn weighing(mut self, weight: Weight) -> Trouble {
        self.weight = weight;
        self
    }
}

/// Turns an error into a [`Trouble`] that says what was attempted.
pub(super) trait OrTrouble<T> {
    /// To be attempted again.
    fn or_pause(self, what: impl Piece) -> Result<T, Trouble>;

    /// The end of a start.
    fn or_fatal(self, what: impl Piece) -> Result<T, Trouble>;
}

impl<T> OrTrouble<T> for io::Result<T> {
    fn or_pause(self, what: impl Piece) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::new(what, Some(error)))
    }

    fn or_fatal(self, what: impl Piece) -> Result<T, Trouble> {
        self.map_err(|error| Trouble::new(what, Some(error)).weighing(Weight::Fatal))
    }
}
