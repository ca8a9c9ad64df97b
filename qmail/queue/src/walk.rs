//! Every message of a queue: for qmail-send's start and for those who look at the queue.

use std::io;
use std::os::unix::ffi::OsStrExt;

use unix::dir::Dir;

use crate::path::{Area, MessageId, Name};

/// The messages that have a file in `directory`, one of [`Area::directories`].
///
/// Other files there are passed over: they are nobody's.
pub fn directory(
    queue: &Dir,
    directory: &Name,
) -> io::Result<impl Iterator<Item = io::Result<MessageId>> + use<>> {
    let entries = queue.entries(directory.as_path())?;
    Ok(entries.filter_map(|entry| match entry {
        Ok(name) => MessageId::parse(name.as_bytes()).map(Ok),
        Err(error) => Some(Err(error)),
    }))
}

/// The messages that have a file in `area`, in no order.
///
/// What comes or goes meanwhile may be given or not. A directory that cannot be read is given as
/// its error, and the walk goes on with the next.
pub fn area(queue: &Dir, area: Area) -> impl Iterator<Item = io::Result<MessageId>> {
    area.directories().flat_map(move |name| {
        let (found, error) = match directory(queue, &name) {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(Err(error))),
        };
        found.into_iter().flatten().chain(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn numbers_in_every_subdirectory_are_messages() {
        let dir = tempfile::tempdir().unwrap();
        for name in Area::Mess.directories().filter(|name| name.as_bytes() != b"mess/5") {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["mess/0/23", "mess/22/45", "mess/0/notes", "mess/0/.1"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let queue = Dir::open(dir.path()).unwrap();
        let (found, errors): (Vec<_>, Vec<_>) = area(&queue, Area::Mess).partition(Result::is_ok);
        let mut found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        found.sort();
        assert_eq!(found, [MessageId(23), MessageId(45)]);
        assert_eq!(errors.len(), 1);
    }
}
