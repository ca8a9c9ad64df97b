//! How a program that fails says so.

use std::io;

use unix::errno::{self, Errno};

use crate::message::Piece;
use crate::{Exit, Program};

/// Why something failed, in the classic wording; `()` is "no cause to tell".
pub trait Cause {
    /// The words after the last colon.
    fn words(&self) -> Option<&'static str>;
}

impl Cause for () {
    fn words(&self) -> Option<&'static str> {
        None
    }
}

impl Cause for Errno {
    fn words(&self) -> Option<&'static str> {
        Some(errno::classic(*self))
    }
}

impl Cause for io::Error {
    fn words(&self) -> Option<&'static str> {
        Some(errno::classic(errno::of(self)))
    }
}

impl<T: Cause + ?Sized> Cause for &T {
    fn words(&self) -> Option<&'static str> {
        (**self).words()
    }
}

/// The end of a program that could not do its work: a line for stderr and an exit code.
#[derive(Debug)]
pub struct Fatal {
    exit: Option<Exit>,
    text: Text,
}

#[derive(Debug)]
enum Text {
    /// Lines as they are, without the last line's end.
    Lines(Vec<u8>),
    /// Behind `NAME: fatal: `.
    Said(Vec<u8>),
    /// Nothing.
    Silence,
    /// A complaint about the arguments, if any, then the usage line.
    Usage(Vec<u8>),
}

fn rendered(what: impl Piece, cause: impl Cause) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    what.render(&mut line);
    if let Some(words) = cause.words() {
        (": ", words).render(&mut line);
    }
    line
}

impl Fatal {
    /// `NAME: fatal: what`, 111: the same request may succeed later.
    #[must_use]
    pub fn soft(what: impl Piece) -> Fatal {
        Fatal::with(Exit::SOFT, what)
    }

    /// `NAME: fatal: what`, 100: the same request can never succeed.
    #[must_use]
    pub fn hard(what: impl Piece) -> Fatal {
        Fatal::with(Exit::HARD, what)
    }

    /// `NAME: fatal: what`, with any exit code.
    #[must_use]
    pub fn with(exit: Exit, what: impl Piece) -> Fatal {
        Fatal { exit: Some(exit), text: Text::Said(rendered(what, ())) }
    }

    /// `NAME: fatal: what: cause`, 111.
    #[must_use]
    pub fn because(what: impl Piece, cause: impl Cause) -> Fatal {
        Fatal { exit: Some(Exit::SOFT), text: Text::Said(rendered(what, cause)) }
    }

    /// `text` on stderr as it is (a line end is added), for the few programs with a form of their own.
    #[must_use]
    pub fn lines(exit: Exit, text: impl Piece) -> Fatal {
        Fatal { exit: Some(exit), text: Text::Lines(rendered(text, ())) }
    }

    /// Nothing on stderr.
    #[must_use]
    pub fn silent(exit: Exit) -> Fatal {
        Fatal { exit: Some(exit), text: Text::Silence }
    }

    /// The same without a word, for a program that was told to be quiet.
    #[must_use]
    pub fn hushed(mut self) -> Fatal {
        if let Text::Usage(_) = self.text {
            self.exit = self.exit.or(Some(Exit::HARD));
        }
        self.text = Text::Silence;
        self
    }

    /// The usage line, after `complaint` (whole lines, or nothing).
    pub(crate) fn usage(complaint: impl Piece) -> Fatal {
        Fatal { exit: None, text: Text::Usage(rendered(complaint, ())) }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Fatal {
        self.exit = Some(exit);
        self
    }

    /// The exit code, and what would be written, of one made by [`Fatal::lines`]; `None` for others.
    #[must_use]
    pub fn into_lines(self) -> Option<(Exit, Vec<u8>)> {
        match self.text {
            Text::Lines(lines) => Some((self.exit?, [lines.as_slice(), b"\n"].concat())),
            Text::Said(_) | Text::Silence | Text::Usage(_) => None,
        }
    }

    /// Writes the text and gives the exit code.
    pub(crate) fn tell(self, program: &Program) -> Exit {
        let line = match self.text {
            Text::Lines(lines) => lines,
            Text::Said(what) => [program.name.as_bytes(), b": fatal: ", &what].concat(),
            Text::Silence => return self.exit.unwrap_or(Exit::SOFT),
            Text::Usage(complaint) if let Some(help) = program.help => {
                [&complaint, help.as_bytes()].concat()
            }
            Text::Usage(complaint) => {
                let name = program.name.as_bytes();
                let space: &[u8] = if program.synopsis.is_empty() { b"" } else { b" " };
                [&complaint, name, b": usage: ", name, space, program.synopsis.as_bytes()].concat()
            }
        };
        program.write(line);
        self.exit.unwrap_or(program.misuse)
    }
}

/// Turns an error into a [`Fatal`] that says what was attempted.
pub trait OrFatal<T> {
    /// `NAME: fatal: what: cause`, 111.
    fn or_fatal(self, what: impl Piece) -> Result<T, Fatal>;

    /// `NAME: fatal: what: cause`, 100.
    fn or_hard(self, what: impl Piece) -> Result<T, Fatal>;
}

impl<T, E: Cause> OrFatal<T> for Result<T, E> {
    fn or_fatal(self, what: impl Piece) -> Result<T, Fatal> {
        self.map_err(|cause| Fatal::because(what, cause))
    }

    fn or_hard(self, what: impl Piece) -> Result<T, Fatal> {
        self.map_err(|cause| Fatal::because(what, cause).exit(Exit::HARD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fatal: Fatal) -> String {
        match fatal.text {
            Text::Said(what) => String::from_utf8(what).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cause_stands_behind_a_colon() {
        let result: Result<(), _> = Err(Errno::ENOENT);
        let fatal = result.or_fatal(("unable to open ", "x")).unwrap_err();
        assert_eq!(fatal.exit, Some(Exit::SOFT));
        assert_eq!(said(fatal), "unable to open x: file does not exist");
    }

    #[test]
    fn without_a_cause_there_is_no_colon() {
        assert_eq!(said(Fatal::hard("unknown account")), "unknown account");
    }
}
