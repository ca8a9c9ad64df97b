//! Several messages to maildirs, made durable together.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use queue::disk::{Disk, Files, Places};
use unix::clock;
use unix::dir::Dir;

use super::{LIMIT, Names, Trouble, enter, write};
use crate::message::Message;

/// Maildirs that are open. The files of each have names that begin with its number.
#[derive(Debug, Default)]
pub struct Maildirs(Vec<(PathBuf, Dir)>);

impl Maildirs {
    /// None yet, on a real disk.
    #[must_use]
    pub fn on_disk() -> Files<Maildirs> {
        Files::of(Maildirs::default(), super::MODE)
    }

    /// Opens the maildir at `path`, unless one that is `known` by the same name is open; gives its number.
    pub fn open(&mut self, known: PathBuf, path: &Path) -> Result<PathBuf, Trouble> {
        let place = self.0.iter().position(|(other, _)| *other == known);
        if place.is_none() {
            self.0.push((known, enter(path)?));
        }
        let place = place.unwrap_or(self.0.len() - 1);
        Ok(PathBuf::from(place.to_string()))
    }

    /// Closes all of them.
    pub fn close(&mut self) {
        self.0.clear();
    }
}

impl Places for Maildirs {
    fn find<'a>(&'a self, name: &'a Path) -> io::Result<(&'a Dir, &'a Path)> {
        let mut parts = name.components();
        let number = parts.next().and_then(|part| part.as_os_str().to_str()?.parse::<usize>().ok());
        let maildir = number.and_then(|number| self.0.get(number));
        maildir.map(|(_, dir)| (dir, parts.as_path())).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Messages that are written and not delivered yet, to maildirs of one disk. `T` is what is to be known of
/// each.
#[derive(Debug)]
pub struct Batch<D: Disk, T> {
    letters: Vec<Letter<D::File, T>>,
}

#[derive(Debug)]
struct Letter<F, T> {
    maildir: PathBuf,
    aside: PathBuf,
    new: PathBuf,
    file: F,
    deadline: Instant,
    whose: T,
}

impl<D: Disk, T> Default for Batch<D, T> {
    fn default() -> Batch<D, T> {
        Batch { letters: Vec::new() }
    }
}

impl<D: Disk, T> Batch<D, T>
where
    D::Error: Into<io::Error>,
{
    /// Writes `head` and `message` into tmp/ of the `maildir` that the disk knows by that name; the disk starts
    /// on it. On failure nothing is left behind, as far as the disk obeys.
    pub fn add(
        &mut self,
        disk: &mut D,
        names: &mut Names,
        maildir: PathBuf,
        head: &[&[u8]],
        message: &mut Message,
        whose: T,
    ) -> Result<(), (T, Trouble)> {
        let deadline = clock::monotonic() + LIMIT;
        let (aside, new, mut file) = match names.create(disk, &maildir) {
            Ok(created) => created,
            Err(error) => return Err((whose, Trouble::Other(error))),
        };
        if let Err(trouble) = write(disk, &mut file, head, message) {
            let _ = disk.unlink(&aside); // what stays there is for readers to remove
            return Err((whose, trouble));
        }
        disk.start_sync(&file);
        self.letters.push(Letter { maildir, aside, new, file, deadline, whose });
        Ok(())
    }

    /// Delivers all of them, durably: every file is synced before it has a name in new/, and each new/ once
    /// after it has all of its names. That is two waits for the disk, however many they are.
    #[must_use]
    pub fn finish(self, disk: &mut D) -> Vec<(T, Result<(), Trouble>)> {
        let Batch { letters } = self;
        let files: Vec<_> = letters.iter().map(|letter| &letter.file).collect();
        let written = disk.sync_all_of(&files, &[""; 0]);
        let mut results = Vec::with_capacity(letters.len());
        for (letter, written) in letters.into_iter().zip(written) {
            let Letter { maildir, aside, new, deadline, whose, .. } = letter;
            let other = |error: D::Error| Trouble::Other(error.into());
            let delivered = written.map_err(other).and_then(|()| {
                if clock::monotonic() > deadline {
                    return Err(Trouble::Timeout);
                }
                disk.link(&aside, &new).map_err(other)
            });
            let _ = disk.unlink(&aside); // as above
            results.push((whose, maildir.join("new"), delivered));
        }
        let named = results.iter().filter(|(.., delivered)| delivered.is_ok());
        let mut directories: Vec<_> = named.map(|(_, new, _)| new.clone()).collect();
        directories.sort_unstable();
        directories.dedup();
        let synced = disk.sync_all_of(&[], &directories);
        let mut lost = Vec::new();
        for (directory, synced) in directories.into_iter().zip(synced) {
            lost.extend(synced.err().map(|error| (directory, error.into().kind())));
        }
        for (_, new, delivered) in &mut results {
            if let Some((_, kind)) = lost.iter().find(|(directory, _)| directory == new)
                && delivered.is_ok()
            {
                *delivered = Err(Trouble::Other((*kind).into()));
            }
        }
        results.into_iter().map(|(whose, _, delivered)| (whose, delivered)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let (mut names, mut disk) = (Names::new(b"host", 7), Maildirs::on_disk());
        let mut batch = Batch::default();
        for name in ["one", "two"] {
            for part in ["tmp", "new"] {
                std::fs::create_dir_all(dir.path().join(name).join(part)).unwrap();
            }
        }
        for (number, name) in ["one", "two", "one"].into_iter().enumerate() {
            let path = dir.path().join(name);
            let maildir = disk.places_mut().open(name.into(), &path).unwrap();
            let (head, mut message) = (format!("{number}\n"), message(b"x\n"));
            let head = [head.as_bytes()];
            batch.add(&mut disk, &mut names, maildir, &head, &mut message, number).unwrap();
        }
        assert!(contents(&dir.path().join("one/new")).is_empty());
        assert!(batch.finish(&mut disk).into_iter().all(|(_, delivered)| delivered.is_ok()));
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
        let (mut names, mut disk) = (Names::new(b"host", 7), Maildirs::on_disk());
        let mut batch = Batch::default();
        let missing = disk.places_mut().open("missing".into(), &dir.path().join("missing"));
        assert_eq!(missing.unwrap_err().text(), "Unable to chdir to maildir. (#4.2.1)");
        for name in ["bad", "good", "bad"] {
            let maildir = disk.places_mut().open(name.into(), &dir.path().join(name)).unwrap();
            batch.add(&mut disk, &mut names, maildir, &[], &mut message(b"x\n"), name).unwrap();
        }
        let (whose, trouble) = batch
            .add(&mut disk, &mut names, "9".into(), &[], &mut message(b""), "closed")
            .unwrap_err();
        assert_eq!(
            (whose, trouble.text()),
            ("closed", "Temporary error on maildir delivery. (#4.3.0)")
        );
        let results: Vec<_> =
            batch.finish(&mut disk).into_iter().map(|(whose, it)| (whose, it.is_ok())).collect();
        assert_eq!(results, [("bad", false), ("good", true), ("bad", false)]);
        assert_eq!(contents(&dir.path().join("good/new")), ["x\n"]);
        assert!(contents(&dir.path().join("bad/tmp")).is_empty());
    }
}
