//! Logs in files that are named by the second in which they were begun.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use memchr::memchr;
use wire::decimal;

/// The name of a file that is begun at this second since 1970: `@` and at least 14 digits.
#[must_use]
pub fn name(seconds: i64) -> String {
    format!("@{:014}", seconds.max(0))
}

/// Which of the files in a directory go, the oldest first, so that one more makes `number` (at least 1).
/// Names that are no time are nobody's.
#[must_use]
pub fn superfluous(names: Vec<OsString>, number: usize) -> Vec<OsString> {
    let time = |name: OsString| {
        let seconds = name.as_bytes().strip_prefix(b"@").and_then(decimal::parse)?;
        Some((seconds, name))
    };
    let mut files: Vec<(u64, OsString)> = names.into_iter().filter_map(time).collect();
    files.sort_unstable();
    let count = (files.len() + 1).saturating_sub(number);
    files.into_iter().take(count).map(|(_, name)| name).collect()
}

/// The room that is left in a file.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes until it is full.
    left: usize,
    /// A line that ends within so many of the last bytes fills it too.
    margin: usize,
}

impl Room {
    /// Of an empty file of at most `size` bytes (at least 1).
    #[must_use]
    pub fn new(size: usize, margin: usize) -> Room {
        Room { left: size, margin }
    }

    /// How many bytes of `input` go into the file; it is full if that is [`Room::is_full`] then.
    #[must_use]
    pub fn take(&mut self, input: &[u8]) -> usize {
        let most = input.len().min(self.left);
        let first = self.left.saturating_sub(self.margin).min(most);
        let near_the_end = input.get(first..most).unwrap_or_default();
        let Some(newline) = memchr(b'\n', near_the_end) else {
            self.left -= most;
            return most;
        };
        self.left = 0;
        first + newline + 1
    }

    /// Whether the file is over.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_has_fourteen_digits() {
        assert_eq!(name(994_720_184), "@00000994720184");
        assert_eq!(name(-1), "@00000000000000");
    }

    #[test]
    fn the_oldest_go_and_other_names_stay() {
        let names = |names: &[&str]| names.iter().map(OsString::from).collect::<Vec<_>>();
        let all =
            names(&["@30", "lock", "@010", "@00000000000020", "@", "@x", "@99999999999999999999"]);
        assert_eq!(superfluous(all.clone(), 4), names(&[]));
        assert_eq!(superfluous(all.clone(), 3), names(&["@010"]));
        assert_eq!(superfluous(all, 1), names(&["@010", "@00000000000020", "@30"]));
    }

    /// The sizes of the files that a text is put into.
    fn files(text: &[u8], size: usize, margin: usize) -> Vec<usize> {
        let (mut rest, mut found) = (text, Vec::new());
        while !rest.is_empty() {
            let mut room = Room::new(size, margin);
            let taken = room.take(rest);
            assert_eq!(room.is_full(), taken < rest.len() || room.left == 0);
            found.push(taken);
            rest = &rest[taken..];
        }
        found
    }

    #[test]
    fn a_file_ends_with_a_line_near_its_size_or_where_it_is_full() {
        assert_eq!(files(b"aaaa\nbbbb\ncccc\n", 10, 5), [10, 5]);
        assert_eq!(files(b"aaaa\nbbbb\ncccc\n", 12, 5), [10, 5]);
        assert_eq!(files(b"aaaa\nbbbb\ncccc\n", 12, 8), [5, 5, 5]);
        assert_eq!(files(b"aaaaaaaaaaaaaaa", 6, 6), [6, 6, 3]);
        assert_eq!(files(b"a\nb\n", 6, 7), [2, 2]);
    }

    proptest! {
        #[test]
        fn parts_do_not_matter(text in "[a\n]{1,40}", size in 1..20_usize, margin in 0..20_usize,
                               part in 1..7_usize) {
            let (mut whole, mut parts) = (Room::new(size, margin), Room::new(size, margin));
            let taken = whole.take(text.as_bytes());
            let mut sum = 0;
            for part in text.as_bytes().chunks(part) {
                if parts.is_full() {
                    break;
                }
                sum += parts.take(part);
            }
            prop_assert_eq!((sum, parts.is_full()), (taken, whole.is_full()));
        }
    }
}
