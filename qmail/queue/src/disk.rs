//! The few operations on files that the queue's promises rest on, each one call.
//!
//! What is done to the queue is written over [`Disk`], so that a test can stop it after every call
//! and forget what a power cut may forget.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use unix::aio::Syncs;
use unix::dir::Dir;
use unix::together::{self, Durable};

use crate::home::Home;
use crate::path::MessageId;

/// A directory: a queue's, or a maildir. Names are relative to it.
///
/// What a call has done can be lost in a power cut until it is synced: bytes by [`Disk::sync`] of
/// their file, names by [`Disk::sync_directory`] of the directory that they were made in or removed
/// from. Until then any part of it may be lost, in any order.
pub trait Disk {
    /// An open file.
    type File;
    /// Why a call did nothing.
    type Error;

    /// Creates a file that must not exist, for writing. In the queue its mode is 0644 less the umask.
    fn create(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<Self::File, Self::Error>;

    /// Opens a file for adding to its end, created with mode 0600 less the umask if it is not there.
    fn append(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<Self::File, Self::Error>;

    /// Opens a file that exists, for [`Disk::overwrite`].
    fn open(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<Self::File, Self::Error>;

    /// Opens a file that exists, for [`Disk::sync`] alone: it may be another user's.
    fn open_to_sync(
        &mut self,
        name: &(impl AsRef<Path> + ?Sized),
    ) -> Result<Self::File, Self::Error> {
        self.open(name)
    }

    /// The file's inode number.
    fn number(&mut self, file: &Self::File) -> Result<MessageId, Self::Error>;

    /// Appends all of `bytes`.
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Appends all of `pieces`, one after the other.
    fn write_all_of(&mut self, file: &mut Self::File, pieces: &[&[u8]]) -> Result<(), Self::Error> {
        pieces.iter().try_for_each(|piece| self.write(file, piece))
    }

    /// Writes `bytes` over those that are at `offset`. A single one is never torn.
    fn overwrite(
        &mut self,
        file: &Self::File,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Self::Error>;

    /// Cuts the file off after `length` bytes.
    fn truncate(&mut self, file: &mut Self::File, length: u64) -> Result<(), Self::Error>;

    /// Starts what [`Disk::sync`] will wait for. Promises nothing.
    fn start_sync(&mut self, file: &Self::File);

    /// Makes the file's bytes durable.
    fn sync(&mut self, file: &Self::File) -> Result<(), Self::Error>;

    /// Makes durable which names are in `directory`.
    fn sync_directory(
        &mut self,
        directory: &(impl AsRef<Path> + ?Sized),
    ) -> Result<(), Self::Error>;

    /// Makes durable the bytes of `files` and which names are in `directory`, in any order or at the same
    /// time.
    fn sync_together(
        &mut self,
        files: [&Self::File; 2],
        directory: &(impl AsRef<Path> + ?Sized),
    ) -> Result<(), Self::Error> {
        self.sync_directory(directory)?;
        files.into_iter().try_for_each(|file| self.sync(file))
    }

    /// Makes durable the bytes of `files` and which names are in `directories`, in any order or at the same time.
    ///
    /// Says what came of each, of the files first. Each has been tried. For a process that lives on (see
    /// [`unix::aio`]).
    fn sync_all_of(
        &mut self,
        files: &[&Self::File],
        directories: &[impl AsRef<Path>],
    ) -> Vec<Result<(), Self::Error>> {
        let mut results: Vec<_> = files.iter().map(|file| self.sync(file)).collect();
        results.extend(directories.iter().map(|directory| self.sync_directory(directory)));
        results
    }

    /// Gives the file `old` a second name, which must not exist.
    fn link(
        &mut self,
        old: &(impl AsRef<Path> + ?Sized),
        new: &(impl AsRef<Path> + ?Sized),
    ) -> Result<(), Self::Error>;

    /// Removes a name.
    fn unlink(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), Self::Error>;

    /// True if there is a file of that name.
    fn exists(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<bool, Self::Error>;
}

/// The mode of new files in the queue, less the umask.
const MODE: u32 = 0o644;

/// Where the names of files are looked up.
pub trait Places {
    /// The directory that `name` is in, and its name there.
    fn find<'a>(&'a self, name: &'a Path) -> io::Result<(&'a Dir, &'a Path)>;
}

impl Places for Dir {
    fn find<'a>(&'a self, name: &'a Path) -> io::Result<(&'a Dir, &'a Path)> {
        Ok((self, name))
    }
}

/// Files on a real disk.
#[derive(Debug)]
pub struct Files<P> {
    places: P,
    mode: u32,
    syncs: Syncs,
}

/// The queue, or another directory, on a real disk.
pub type Queue = Files<Dir>;

/// Why a queue could not be opened.
#[derive(Debug)]
pub enum Unreachable {
    /// The home of the host.
    Home(io::Error),
    /// The queue's directory in it.
    Queue(io::Error),
}

impl Queue {
    /// The queue of a host. Its directory need not be readable, only searchable.
    pub fn open(home: &Home) -> Result<Queue, Unreachable> {
        let home = Dir::base_at(&home.path).map_err(Unreachable::Home)?;
        let dir = home.base(Path::new("queue")).map_err(Unreachable::Queue)?;
        Ok(Queue::of(dir, MODE))
    }

    /// The queue in a directory of any name.
    pub fn at(path: &Path) -> io::Result<Queue> {
        Ok(Queue::of(Dir::base_at(path)?, MODE))
    }

    /// Its directory, for what is not a step of the queue's protocol: reading, listing, the trigger.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.places
    }
}

impl<P: Places> Files<P> {
    /// Other places in which files are to be made as durable as in the queue, with `mode` less the umask: a
    /// maildir.
    #[must_use]
    pub fn of(places: P, mode: u32) -> Files<P> {
        Files { places, mode, syncs: Syncs::new() }
    }

    /// The places.
    pub fn places_mut(&mut self) -> &mut P {
        &mut self.places
    }

    fn open_dir(&self, name: &Path) -> io::Result<Dir> {
        let (dir, name) = self.places.find(name)?;
        dir.open_dir(name)
    }
}

impl<P: Places> Disk for Files<P> {
    type File = File;
    type Error = io::Error;

    fn create(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<File> {
        let (dir, name) = self.places.find(name.as_ref())?;
        dir.create_new(name, self.mode)
    }

    fn append(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<File> {
        let (dir, name) = self.places.find(name.as_ref())?;
        dir.open_append(name, 0o600)
    }

    fn open(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<File> {
        let (dir, name) = self.places.find(name.as_ref())?;
        dir.open_to_write(name)
    }

    fn open_to_sync(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<File> {
        let (dir, name) = self.places.find(name.as_ref())?;
        dir.open_file(name)
    }

    fn number(&mut self, file: &File) -> io::Result<MessageId> {
        Ok(MessageId(file.metadata()?.ino()))
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn write_all_of(&mut self, file: &mut File, pieces: &[&[u8]]) -> io::Result<()> {
        unix::fd::write_all_of(file, pieces)
    }

    fn overwrite(&mut self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn start_sync(&mut self, file: &File) {
        unix::file::start_writing(file);
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        // Times are not what matters: a mark costs no commit of the file system's journal.
        file.sync_data()
    }

    fn sync_directory(&mut self, directory: &(impl AsRef<Path> + ?Sized)) -> io::Result<()> {
        self.open_dir(directory.as_ref())?.sync()
    }

    fn sync_together(
        &mut self,
        files: [&File; 2],
        directory: &(impl AsRef<Path> + ?Sized),
    ) -> io::Result<()> {
        let directory = self.open_dir(directory.as_ref())?;
        let [one, other] = files.map(|file| Durable::Bytes(file.as_fd()));
        together::sync_all([Durable::Names(directory.as_fd()), one, other])
    }

    fn sync_all_of(
        &mut self,
        files: &[&File],
        directories: &[impl AsRef<Path>],
    ) -> Vec<io::Result<()>> {
        let open = |name: &_| self.open_dir(AsRef::as_ref(name));
        let directories: Vec<_> = directories.iter().map(open).collect();
        let bytes = files.iter().map(|file| Durable::Bytes(file.as_fd()));
        let names = directories.iter().flatten().map(|directory| Durable::Names(directory.as_fd()));
        let mut results = self.syncs.sync_all(&bytes.chain(names).collect::<Vec<_>>());
        for (place, directory) in (files.len()..).zip(directories) {
            if let Err(error) = directory {
                results.insert(place, Err(error));
            }
        }
        results
    }

    fn link(
        &mut self,
        old: &(impl AsRef<Path> + ?Sized),
        new: &(impl AsRef<Path> + ?Sized),
    ) -> io::Result<()> {
        let (from, old) = self.places.find(old.as_ref())?;
        let (to, new) = self.places.find(new.as_ref())?;
        from.link(old, to, new)
    }

    fn unlink(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<()> {
        let (dir, name) = self.places.find(name.as_ref())?;
        dir.unlink(name)
    }

    fn exists(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> io::Result<bool> {
        let (dir, name) = self.places.find(name.as_ref())?;
        match dir.stat(name) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_synced_together_and_each_has_a_result() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = Queue::at(dir.path()).unwrap();
        let mut files = [(); 3].map(|()| tempfile::tempfile().unwrap());
        for file in &mut files {
            file.write_all(b"text").unwrap();
        }
        let results = queue.sync_all_of(&files.each_ref(), &["missing", ".", "gone", "."]);
        let kinds: Vec<_> =
            results.into_iter().map(|it| it.err().map(|error| error.kind())).collect();
        let missing = Some(io::ErrorKind::NotFound);
        assert_eq!(kinds, [None, None, None, missing, None, missing, None]);
        assert!(queue.sync_all_of(&[], &["."; 0]).is_empty());
    }
}
