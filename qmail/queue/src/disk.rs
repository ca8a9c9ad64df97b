//! The few operations on files that the queue's promises rest on, each one call.
//!
//! What is done to the queue is written over [`Disk`], so that a test can stop it after every call
//! and forget what a power cut may forget.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use unix::dir::Dir;

use crate::home::Home;
use crate::path::{MessageId, Name};

/// A queue's directory. Names are relative to it.
///
/// What a call has done can be lost in a power cut until it is synced: bytes by [`Disk::sync`] of
/// their file, names by [`Disk::sync_directory`] of the directory that they were made in or removed
/// from. Until then any part of it may be lost, in any order.
pub trait Disk {
    /// An open file.
    type File;
    /// Why a call did nothing.
    type Error;

    /// Creates a file that must not exist, for writing; mode 0644 less the umask.
    fn create(&mut self, name: &Name) -> Result<Self::File, Self::Error>;

    /// Opens a file for adding to its end, created with mode 0600 less the umask if it is not there.
    fn append(&mut self, name: &Name) -> Result<Self::File, Self::Error>;

    /// The file's inode number.
    fn number(&mut self, file: &Self::File) -> Result<MessageId, Self::Error>;

    /// Appends all of `bytes`.
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Makes the file empty.
    fn truncate(&mut self, file: &mut Self::File) -> Result<(), Self::Error>;

    /// Starts what [`Disk::sync`] will wait for. Promises nothing.
    fn start_sync(&mut self, file: &Self::File);

    /// Makes the file's bytes durable.
    fn sync(&mut self, file: &Self::File) -> Result<(), Self::Error>;

    /// Makes durable which names are in `directory`.
    fn sync_directory(&mut self, directory: &Name) -> Result<(), Self::Error>;

    /// Gives the file `old` a second name, which must not exist.
    fn link(&mut self, old: &Name, new: &Name) -> Result<(), Self::Error>;

    /// Removes a name.
    fn unlink(&mut self, name: &Name) -> Result<(), Self::Error>;

    /// True if there is a file of that name.
    fn exists(&mut self, name: &Name) -> Result<bool, Self::Error>;
}

/// The queue on a real disk.
#[derive(Debug)]
pub struct Queue {
    dir: Dir,
}

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
        Ok(Queue { dir })
    }

    /// The queue in a directory of any name.
    pub fn at(path: &Path) -> io::Result<Queue> {
        Ok(Queue { dir: Dir::base_at(path)? })
    }

    /// Its directory, for what is not a step of the queue's protocol: reading, listing, the trigger.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }
}

impl Disk for Queue {
    type File = File;
    type Error = io::Error;

    fn create(&mut self, name: &Name) -> io::Result<File> {
        self.dir.create_new(name.as_path(), 0o644)
    }

    fn append(&mut self, name: &Name) -> io::Result<File> {
        self.dir.open_append(name.as_path(), 0o600)
    }

    fn number(&mut self, file: &File) -> io::Result<MessageId> {
        Ok(MessageId(file.metadata()?.ino()))
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn truncate(&mut self, file: &mut File) -> io::Result<()> {
        file.set_len(0)
    }

    fn start_sync(&mut self, file: &File) {
        unix::file::start_writing(file);
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn sync_directory(&mut self, directory: &Name) -> io::Result<()> {
        self.dir.open_dir(directory.as_path())?.sync()
    }

    fn link(&mut self, old: &Name, new: &Name) -> io::Result<()> {
        self.dir.link(old.as_path(), &self.dir, new.as_path())
    }

    fn unlink(&mut self, name: &Name) -> io::Result<()> {
        self.dir.unlink(name.as_path())
    }

    fn exists(&mut self, name: &Name) -> io::Result<bool> {
        match self.dir.stat(name.as_path()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
