//! Message numbers, the areas of the queue, and the names of files in them.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use wire::decimal;

use crate::home::SPLIT;

/// A message: the inode number of its file in `mess/`, which is also that file's name.
///
/// Unique among the messages that exist; used again as soon as the message is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

impl MessageId {
    /// The number that a file name is, if it is nothing but decimal digits and fits.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<MessageId> {
        decimal::parse(name).map(MessageId)
    }

    /// Which of the subdirectories of a split area holds this message.
    #[must_use]
    pub const fn subdirectory(self) -> u64 {
        self.0 % SPLIT
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A directory of the queue that has a file per message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Failures to report to the sender.
    Bounce,
    /// The sender of a preprocessed message; its file's time is the message's birth.
    Info,
    /// Envelopes being written.
    Intd,
    /// Local recipients of a preprocessed message.
    Local,
    /// The messages themselves.
    Mess,
    /// Remote recipients of a preprocessed message.
    Remote,
    /// Envelopes that are complete and not preprocessed.
    Todo,
}

impl Area {
    /// Every area.
    pub const ALL: [Area; 7] =
        [Area::Bounce, Area::Info, Area::Intd, Area::Local, Area::Mess, Area::Remote, Area::Todo];

    /// Its directory, below the queue's.
    #[must_use]
    pub const fn directory(self) -> &'static str {
        match self {
            Area::Bounce => "bounce",
            Area::Info => "info",
            Area::Intd => "intd",
            Area::Local => "local",
            Area::Mess => "mess",
            Area::Remote => "remote",
            Area::Todo => "todo",
        }
    }

    /// True if its files lie in [`SPLIT`] subdirectories.
    #[must_use]
    pub const fn is_split(self) -> bool {
        matches!(self, Area::Info | Area::Local | Area::Mess | Area::Remote)
    }

    /// The file of message `id`, below the queue's directory: `mess/7/421`, `todo/421`.
    #[must_use]
    pub fn of(self, id: MessageId) -> Name {
        if self.is_split() {
            Name::new(format_args!("{}/{}/{}", self.directory(), id.subdirectory(), id))
        } else {
            Name::new(format_args!("{}/{}", self.directory(), id))
        }
    }

    /// The directories, below the queue's, that hold the files of this area.
    pub fn directories(self) -> impl Iterator<Item = Name> {
        let count = if self.is_split() { SPLIT } else { 1 };
        (0..count).map(move |number| {
            if self.is_split() {
                Name::new(format_args!("{}/{}", self.directory(), number))
            } else {
                Name::new(format_args!("{}", self.directory()))
            }
        })
    }
}

/// Room for the longest name: an area, a subdirectory and a message number, or a name in `pid/`.
const LONGEST: usize = 64;

/// The name of a file or directory, relative to the queue's directory. Costs no allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Name {
    fn new(text: fmt::Arguments<'_>) -> Name {
        let mut bytes = [0; LONGEST];
        let mut left = bytes.as_mut_slice();
        // Cannot fail: three numbers of 20 digits and the longest area's name fit.
        let _ = left.write_fmt(text);
        let length = LONGEST - left.len();
        Name { bytes, length }
    }

    /// A name in `pid/` that no other message uses: `pid/NUMBER.SECONDS.ATTEMPT`.
    #[must_use]
    pub fn scratch(number: u64, seconds: i64, attempt: u32) -> Name {
        Name::new(format_args!("pid/{number}.{seconds}.{attempt}"))
    }

    /// The name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The name as a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.as_bytes()))
    }

    /// The directory that holds it.
    #[must_use]
    pub fn parent(&self) -> Name {
        let length = self.as_bytes().iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let mut bytes = self.bytes;
        // Names are equal as their arrays are.
        bytes.iter_mut().skip(length).for_each(|byte| *byte = 0);
        Name { bytes, length }
    }
}

/// The names, each once, in the order in which they come first. For few: each is looked for among the others.
pub fn each_once(names: impl IntoIterator<Item = Name>) -> Vec<Name> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

impl AsRef<Path> for Name {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_path().display().fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_path().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_areas_have_a_subdirectory_by_remainder() {
        assert_eq!(Area::Mess.of(MessageId(421)).to_string(), "mess/7/421");
        assert_eq!(Area::Remote.of(MessageId(u64::MAX)).as_bytes().len(), 28 + 1);
        assert_eq!(Area::Todo.of(MessageId(421)).to_string(), "todo/421");
    }

    #[test]
    fn every_area_names_its_directories() {
        let local: Vec<_> = Area::Local.directories().map(|name| name.to_string()).collect();
        assert_eq!(local.len(), 23);
        assert_eq!(local[22], "local/22");
        let todo: Vec<_> = Area::Todo.directories().map(|name| name.to_string()).collect();
        assert_eq!(todo, ["todo"]);
    }

    #[test]
    fn the_parent_is_the_directory() {
        assert_eq!(Area::Mess.of(MessageId(421)).parent().to_string(), "mess/7");
        assert_eq!(Area::Mess.of(MessageId(421)).parent(), Area::Mess.of(MessageId(7)).parent());
        assert_eq!(Name::scratch(12, 34, 1).parent().to_string(), "pid");
    }

    #[test]
    fn the_longest_scratch_name_fits() {
        let name = Name::scratch(u64::MAX, i64::MIN, 9).to_string();
        assert_eq!(name, "pid/18446744073709551615.-9223372036854775808.9");
    }

    #[test]
    fn only_digits_name_a_message() {
        assert_eq!(MessageId::parse(b"421"), Some(MessageId(421)));
        for wrong in ["", "12x", "-1", " 1", ".", "18446744073709551616"] {
            assert_eq!(MessageId::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
