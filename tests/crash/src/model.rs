//! The disk as a log of what was done to it.

use std::collections::BTreeSet;

use queue::disk::Disk;
use queue::path::{MessageId, Name};

/// The power has gone, or this one call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

/// An open file, by its inode number.
#[derive(Clone, Copy, Debug)]
pub struct File(pub u64);

/// One change that may be lost on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A directory has a new name for an inode.
    Named(Name, u64),
    /// A directory has lost a name.
    Unnamed(Name),
    /// An inode has more bytes at its end.
    Appended(u64, Vec<u8>),
    /// An inode has no bytes any more.
    Emptied(u64),
}

/// A disk, with a limit to how many calls reach it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Every change, and whether it is durable.
    pub(crate) log: Vec<(Change, bool)>,
    /// What the running system sees.
    names: Vec<(Name, u64)>,
    calls: usize,
    power: Option<usize>,
    failing: Option<usize>,
    deaf: Vec<Name>,
    unsynced: Vec<Name>,
}

impl Model {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Model {
        Model::default()
    }

    /// A disk that holds what `image` does, all of it durable.
    #[must_use]
    pub fn holding(names: impl IntoIterator<Item = (Name, u64, Vec<u8>)>) -> Model {
        let mut model = Model::new();
        let mut written = BTreeSet::new();
        for (name, inode, bytes) in names {
            model.log.push((Change::Named(name, inode), true));
            model.names.push((name, inode));
            if written.insert(inode) {
                model.log.push((Change::Appended(inode, bytes), true));
            }
        }
        model
    }

    /// The power goes after this many calls.
    #[must_use]
    pub fn cut_after(mut self, calls: usize) -> Model {
        self.power = Some(calls);
        self
    }

    /// The call after this many fails, and does nothing.
    #[must_use]
    pub fn failing_after(mut self, calls: usize) -> Model {
        self.failing = Some(calls);
        self
    }

    /// Syncing this directory does nothing: to see that a test would notice.
    #[must_use]
    pub fn forgetting_directory(mut self, directory: Name) -> Model {
        self.deaf.push(directory);
        self
    }

    /// Syncing the files in this directory does nothing: to see that a test would notice.
    #[must_use]
    pub fn forgetting_files_of(mut self, directory: Name) -> Model {
        self.unsynced.push(directory);
        self
    }

    /// How many calls have been made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Counts a call.
    fn call(&mut self) -> Result<(), Cut> {
        let number = self.calls;
        self.calls += 1;
        let dead = self.power.is_some_and(|power| number >= power);
        if dead || self.failing == Some(number) { Err(Cut) } else { Ok(()) }
    }

    fn inode(&self, name: &Name) -> Option<u64> {
        self.names.iter().find(|(known, _)| known == name).map(|&(_, inode)| inode)
    }

    fn change(&mut self, change: Change) {
        self.log.push((change, false));
    }

    /// Makes durable every change for which `of` holds.
    fn settle(&mut self, of: impl Fn(&Change) -> bool) {
        for (change, durable) in &mut self.log {
            *durable |= of(change);
        }
    }

    /// The number that the next file will get: the lowest that no name has had, from 100 on. (A disk
    /// uses numbers again, but never with the bytes of the file that had them.)
    fn free(&self) -> u64 {
        let mut number = 100;
        while self
            .log
            .iter()
            .any(|(change, _)| matches!(change, Change::Named(_, used) if *used == number))
        {
            number += 1;
        }
        number
    }
}

impl Disk for Model {
    type File = File;
    type Error = Cut;

    fn create(&mut self, name: &Name) -> Result<File, Cut> {
        self.call()?;
        if self.inode(name).is_some() {
            return Err(Cut);
        }
        let inode = self.free();
        self.names.push((*name, inode));
        self.change(Change::Named(*name, inode));
        Ok(File(inode))
    }

    fn append(&mut self, name: &Name) -> Result<File, Cut> {
        if self.inode(name).is_none() {
            return self.create(name);
        }
        self.call()?;
        self.inode(name).map(File).ok_or(Cut)
    }

    fn number(&mut self, file: &File) -> Result<MessageId, Cut> {
        self.call()?;
        Ok(MessageId(file.0))
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> Result<(), Cut> {
        self.call()?;
        self.change(Change::Appended(file.0, bytes.to_vec()));
        Ok(())
    }

    fn truncate(&mut self, file: &mut File) -> Result<(), Cut> {
        self.call()?;
        self.change(Change::Emptied(file.0));
        Ok(())
    }

    fn start_sync(&mut self, _: &File) {}

    fn sync(&mut self, file: &File) -> Result<(), Cut> {
        self.call()?;
        let forgotten = |&(name, inode): &(Name, u64)| {
            inode == file.0 && self.unsynced.contains(&name.parent())
        };
        if self.names.iter().any(forgotten) {
            return Ok(());
        }
        self.settle(|change| match change {
            Change::Appended(inode, _) | Change::Emptied(inode) => *inode == file.0,
            Change::Named(..) | Change::Unnamed(_) => false,
        });
        Ok(())
    }

    fn sync_directory(&mut self, directory: &Name) -> Result<(), Cut> {
        self.call()?;
        if self.deaf.contains(directory) {
            return Ok(());
        }
        self.settle(|change| match change {
            Change::Named(name, _) | Change::Unnamed(name) => name.parent() == *directory,
            Change::Appended(..) | Change::Emptied(_) => false,
        });
        Ok(())
    }

    fn link(&mut self, old: &Name, new: &Name) -> Result<(), Cut> {
        self.call()?;
        let inode = self.inode(old).ok_or(Cut)?;
        if self.inode(new).is_some() {
            return Err(Cut);
        }
        self.names.push((*new, inode));
        self.change(Change::Named(*new, inode));
        Ok(())
    }

    fn unlink(&mut self, name: &Name) -> Result<(), Cut> {
        self.call()?;
        self.inode(name).ok_or(Cut)?;
        self.names.retain(|(known, _)| known != name);
        self.change(Change::Unnamed(*name));
        Ok(())
    }

    fn exists(&mut self, name: &Name) -> Result<bool, Cut> {
        self.call()?;
        Ok(self.inode(name).is_some())
    }
}
