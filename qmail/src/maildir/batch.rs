//! Several messages to maildirs, made durable together.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use queue::disk::Disk;
use unix::clock;

use super::{LIMIT, Names, Trouble, sync, write};
use crate::message::Message;

/// Messages that are written and not delivered yet. `T` is what is to be known of each.
#[derive(Debug)]
pub struct Batch<D: Disk, T> {
    maildirs: Vec<(PathBuf, D)>,
    letters: Vec<Letter<D::File, T>>,
}

#[derive(Debug)]
struct Letter<F, T> {
    /// Which maildir.
    place: usize,
    aside: PathBuf,
    new: PathBuf,
    file: F,
    deadline: Instant,
    whose: T,
}

impl<D: Disk, T> Default for Batch<D, T> {
    fn default() -> Batch<D, T> {
        Batch { maildirs: Vec::new(), letters: Vec::new() }
    }
}

impl<D: Disk, T> Batch<D, T>
where
    D::Error: Into<io::Error>,
{
    /// Writes `head` and `message` into tmp/ of the maildir at `path`, which `open` opens; the disk starts
    /// on it. On failure nothing is left behind, as far as the disk obeys.
    pub fn add(
        &mut self,
        names: &mut Names,
        path: &Path,
        open: impl FnOnce() -> Result<D, Trouble>,
        head: &[&[u8]],
        message: &mut Message,
        whose: T,
    ) -> Result<(), (T, Trouble)> {
        let place = match self.maildirs.iter().position(|(known, _)| known == path) {
            Some(place) => place,
            None => match open() {
                Ok(disk) => {
                    self.maildirs.push((path.to_owned(), disk));
                    self.maildirs.len() - 1
                }
                Err(trouble) => return Err((whose, trouble)),
            },
        };
        let deadline = clock::monotonic() + LIMIT;
        let Some((_, disk)) = self.maildirs.get_mut(place) else { return Ok(()) }; // it is there
        let (aside, new, mut file) = match names.create(disk) {
            Ok(created) => created,
            Err(error) => return Err((whose, Trouble::Other(error))),
        };
        if let Err(trouble) = write(disk, &mut file, head, message) {
            let _ = disk.unlink(&aside); // what stays there is for readers to remove
            return Err((whose, trouble));
        }
        disk.start_sync(&file);
        self.letters.push(Letter { place, aside, new, file, deadline, whose });
        Ok(())
    }

    /// Delivers all of them, durably: every file is synced before it has a name in new/, and each new/ once
    /// after it has all of its names.
    #[must_use]
    pub fn finish(self) -> Vec<(T, Result<(), Trouble>)> {
        let Batch { mut maildirs, letters } = self;
        let mut results = Vec::with_capacity(letters.len());
        for Letter { place, aside, new, file, deadline, whose } in letters {
            let Some((_, disk)) = maildirs.get_mut(place) else { continue }; // it is there
            let delivered = sync(disk, &file).and_then(|()| {
                if clock::monotonic() > deadline {
                    return Err(Trouble::Timeout);
                }
                disk.link(&aside, &new).map_err(|error| Trouble::Other(error.into()))
            });
            let _ = disk.unlink(&aside); // as above
            results.push((place, whose, delivered));
        }
        for (number, (_, disk)) in maildirs.iter_mut().enumerate() {
            let is_here = |place: usize, delivered: &Result<(), Trouble>| {
                place == number && delivered.is_ok()
            };
            if !results.iter().any(|(place, _, delivered)| is_here(*place, delivered)) {
                continue;
            }
            if let Err(error) = disk.sync_directory("new") {
                let error: io::Error = error.into();
                for (place, _, delivered) in &mut results {
                    if is_here(*place, delivered) {
                        *delivered = Err(Trouble::Other(error.kind().into()));
                    }
                }
            }
        }
        results.into_iter().map(|(_, whose, delivered)| (whose, delivered)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildir::open;
    use crate::message::message;

    fn contents(path: &Path) -> Vec<String> {
        let files = std::fs::read_dir(path).unwrap();
        let mut found: Vec<_> =
            files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        found.sort();
        found
    }

    #[test]
    fn each_message_lies_in_its_maildir() {
        let dir = tempfile::tempdir().unwrap();
        let mut names = Names::new(b"host", 7);
        let mut batch = Batch::default();
        for name in ["one", "two"] {
            for part in ["tmp", "new"] {
                std::fs::create_dir_all(dir.path().join(name).join(part)).unwrap();
            }
        }
        for (number, name) in ["one", "two", "one"].into_iter().enumerate() {
            let path = dir.path().join(name);
            let head = format!("{number}\n");
            batch
                .add(
                    &mut names,
                    &path,
                    || open(&path),
                    &[head.as_bytes()],
                    &mut message(b"x\n"),
                    number,
                )
                .unwrap();
        }
        assert!(contents(&dir.path().join("one/new")).is_empty());
        assert!(batch.finish().into_iter().all(|(_, delivered)| delivered.is_ok()));
        assert_eq!(contents(&dir.path().join("one/new")), ["0\nx\n", "2\nx\n"]);
        assert_eq!(contents(&dir.path().join("two/new")), ["1\nx\n"]);
        assert!(contents(&dir.path().join("one/tmp")).is_empty());
    }

    #[test]
    fn one_that_fails_does_not_keep_the_others_back() {
        let dir = tempfile::tempdir().unwrap();
        for part in ["good/tmp", "good/new", "bad/tmp"] {
            std::fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        let mut names = Names::new(b"host", 7);
        let mut batch = Batch::default();
        for name in ["bad", "good", "bad"] {
            let path = dir.path().join(name);
            batch.add(&mut names, &path, || open(&path), &[], &mut message(b"x\n"), name).unwrap();
        }
        let missing = dir.path().join("missing");
        let (whose, trouble) = batch
            .add(&mut names, &missing, || open(&missing), &[], &mut message(b""), "missing")
            .unwrap_err();
        assert_eq!((whose, trouble.text()), ("missing", "Unable to chdir to maildir. (#4.2.1)"));
        let results: Vec<_> =
            batch.finish().into_iter().map(|(whose, it)| (whose, it.is_ok())).collect();
        assert_eq!(results, [("bad", false), ("good", true), ("bad", false)]);
        assert_eq!(contents(&dir.path().join("good/new")), ["x\n"]);
        assert!(contents(&dir.path().join("bad/tmp")).is_empty());
    }
}
