//! The disk as a log of what was done to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use queue::disk::Disk;
use queue::path::MessageId;

use crate::images::Image;

/// The power has gone, or this one call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl From<Cut> for std::io::Error {
    fn from(_: Cut) -> std::io::Error {
        std::io::Error::other("the power has gone")
    }
}

/// An open file, by its inode number.
#[derive(Clone, Copy, Debug)]
pub struct File(pub u64);

/// One change that may be lost on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A directory has a new name for an inode.
    Named(PathBuf, u64),
    /// A directory has lost a name.
    Unnamed(PathBuf),
    /// An inode has these bytes from there on.
    Written { inode: u64, offset: u64, bytes: Vec<u8>, is_over_others: bool },
    /// An inode has only so many bytes.
    Shortened(u64, u64),
}

impl Change {
    /// The name that is changed.
    pub(crate) fn name(&self) -> Option<&Path> {
        match self {
            Change::Named(name, _) | Change::Unnamed(name) => Some(name),
            Change::Written { .. } | Change::Shortened(..) => None,
        }
    }

    /// The inode whose bytes are changed.
    pub(crate) fn inode(&self) -> Option<u64> {
        match *self {
            Change::Written { inode, .. } | Change::Shortened(inode, _) => Some(inode),
            Change::Named(..) | Change::Unnamed(_) => None,
        }
    }
}

/// A change, and whether it is durable.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) change: Change,
    pub(crate) is_durable: bool,
    /// Which change of all it is.
    pub(crate) number: u64,
}

/// A disk, with a limit to how many calls reach it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What no power cut can undo.
    pub(crate) base: Image,
    /// Every change since.
    pub(crate) log: Vec<Entry>,
    /// What the running system sees.
    names: BTreeMap<PathBuf, u64>,
    lengths: BTreeMap<u64, u64>,
    changes: u64,
    /// The first change behind the last name that is durable.
    pub(crate) journal: u64,
    calls: usize,
    power: Option<usize>,
    failing: Option<usize>,
    deaf: Vec<PathBuf>,
    unsynced: Vec<PathBuf>,
}

impl Model {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Model {
        Model::default()
    }

    /// A disk that holds these files, all of them durable: name, inode, bytes.
    #[must_use]
    pub fn holding(files: impl IntoIterator<Item = (impl AsRef<Path>, u64, Vec<u8>)>) -> Model {
        let mut model = Model::new();
        for (name, inode, bytes) in files {
            model.named(name.as_ref(), inode);
            if !model.lengths.contains_key(&inode) {
                model.written(inode, 0, &bytes);
            }
        }
        let all = model.now();
        model.settle(all, |_| true);
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
    pub fn forgetting_directory(mut self, directory: impl AsRef<Path>) -> Model {
        self.deaf.push(directory.as_ref().to_owned());
        self
    }

    /// Syncing the files in this directory does nothing: to see that a test would notice.
    #[must_use]
    pub fn forgetting_files_of(mut self, directory: impl AsRef<Path>) -> Model {
        self.unsynced.push(directory.as_ref().to_owned());
        self
    }

    /// How many calls have been made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// How many changes may still be lost.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.log.iter().filter(|entry| !entry.is_durable).count()
    }

    /// The moment between the changes before and those to come.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.changes
    }

    /// The inode that has that name now.
    #[must_use]
    pub fn inode(&self, name: &Path) -> Option<u64> {
        self.names.get(name).copied()
    }

    /// The file's length now.
    #[must_use]
    pub fn length(&self, inode: u64) -> u64 {
        self.lengths.get(&inode).copied().unwrap_or(0)
    }

    /// An inode has another name.
    pub fn named(&mut self, name: &Path, inode: u64) {
        self.names.insert(name.to_owned(), inode);
        self.change(Change::Named(name.to_owned(), inode));
    }

    /// A name is gone.
    pub fn unnamed(&mut self, name: &Path) {
        self.names.remove(name);
        self.change(Change::Unnamed(name.to_owned()));
    }

    /// Bytes were written.
    pub fn written(&mut self, inode: u64, offset: u64, bytes: &[u8]) {
        let length = self.lengths.entry(inode).or_default();
        let end = offset + bytes.len() as u64;
        let is_over_others = end <= *length;
        *length = end.max(*length);
        self.change(Change::Written { inode, offset, bytes: bytes.to_vec(), is_over_others });
    }

    /// A file was cut off.
    pub fn shortened(&mut self, inode: u64, length: u64) {
        self.lengths.insert(inode, length);
        self.change(Change::Shortened(inode, length));
    }

    /// What was done to the file's bytes before `moment` is durable.
    pub fn synced(&mut self, inode: u64, moment: u64) {
        self.settle(moment, |change| change.inode() == Some(inode));
    }

    /// What was done to the directory's names before `moment` is durable.
    pub fn synced_directory(&mut self, directory: &Path, moment: u64) {
        self.settle(moment, |change| {
            change.name().is_some_and(|name| name.parent() == Some(directory))
        });
    }

    fn change(&mut self, change: Change) {
        self.log.push(Entry { change, is_durable: false, number: self.changes });
        self.changes += 1;
    }

    /// Makes durable every change before `moment` for which `of` holds, and puts into the base what
    /// nothing that may be lost stands before.
    fn settle(&mut self, moment: u64, of: impl Fn(&Change) -> bool) {
        for entry in &mut self.log {
            entry.is_durable |= entry.number < moment && of(&entry.change);
            if entry.is_durable && entry.change.name().is_some() {
                self.journal = self.journal.max(entry.number + 1);
            }
        }
        let (mut names, mut inodes) = (Vec::new(), Vec::new());
        let base = &mut self.base;
        self.log.retain(|entry| {
            let (name, inode) = (entry.change.name(), entry.change.inode());
            let is_behind = name.is_some_and(|name| names.iter().any(|known| known == name))
                || inode.is_some_and(|inode| inodes.contains(&inode));
            if entry.is_durable && !is_behind {
                base.apply(&entry.change);
                return false;
            }
            names.extend(name.map(Path::to_owned));
            inodes.extend(inode);
            true
        });
    }

    /// Counts a call.
    fn call(&mut self) -> Result<(), Cut> {
        let number = self.calls;
        self.calls += 1;
        let dead = self.power.is_some_and(|power| number >= power);
        if dead || self.failing == Some(number) { Err(Cut) } else { Ok(()) }
    }

    /// The number that the next file will get: the lowest that no name has had, from 100 on. (A disk
    /// uses numbers again, but never with the bytes of the file that had them.)
    fn free(&self) -> u64 {
        let logged = self.log.iter().filter_map(|entry| match entry.change {
            Change::Named(_, inode) => Some(inode),
            _ => None,
        });
        let used: Vec<u64> = logged.chain(self.lengths.keys().copied()).collect();
        let named = |number: &u64| self.names.values().any(|inode| inode == number);
        (100..u64::MAX).find(|number| !used.contains(number) && !named(number)).unwrap_or(0)
    }
}

impl Disk for Model {
    type File = File;
    type Error = Cut;

    fn create(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        self.call()?;
        if self.inode(name.as_ref()).is_some() {
            return Err(Cut);
        }
        let inode = self.free();
        self.named(name.as_ref(), inode);
        self.lengths.insert(inode, 0);
        Ok(File(inode))
    }

    fn append(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        if self.inode(name.as_ref()).is_none() {
            return self.create(name);
        }
        self.call()?;
        self.inode(name.as_ref()).map(File).ok_or(Cut)
    }

    fn open(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        self.call()?;
        self.inode(name.as_ref()).map(File).ok_or(Cut)
    }

    fn number(&mut self, file: &File) -> Result<MessageId, Cut> {
        self.call()?;
        Ok(MessageId(file.0))
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> Result<(), Cut> {
        self.call()?;
        self.written(file.0, self.length(file.0), bytes);
        Ok(())
    }

    fn overwrite(&mut self, file: &File, offset: u64, bytes: &[u8]) -> Result<(), Cut> {
        self.call()?;
        self.written(file.0, offset, bytes);
        Ok(())
    }

    fn truncate(&mut self, file: &mut File, length: u64) -> Result<(), Cut> {
        self.call()?;
        self.shortened(file.0, length);
        Ok(())
    }

    fn start_sync(&mut self, _: &File) {}

    fn sync(&mut self, file: &File) -> Result<(), Cut> {
        self.call()?;
        let forgotten = |(name, inode): (&PathBuf, &u64)| {
            *inode == file.0 && self.unsynced.iter().any(|deaf| name.parent() == Some(deaf))
        };
        if !self.names.iter().any(forgotten) {
            self.synced(file.0, self.now());
        }
        Ok(())
    }

    fn sync_directory(&mut self, directory: &(impl AsRef<Path> + ?Sized)) -> Result<(), Cut> {
        self.call()?;
        if !self.deaf.iter().any(|deaf| deaf == directory.as_ref()) {
            self.synced_directory(directory.as_ref(), self.now());
        }
        Ok(())
    }

    fn link(
        &mut self,
        old: &(impl AsRef<Path> + ?Sized),
        new: &(impl AsRef<Path> + ?Sized),
    ) -> Result<(), Cut> {
        self.call()?;
        let inode = self.inode(old.as_ref()).ok_or(Cut)?;
        if self.inode(new.as_ref()).is_some() {
            return Err(Cut);
        }
        self.named(new.as_ref(), inode);
        Ok(())
    }

    fn unlink(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), Cut> {
        self.call()?;
        self.inode(name.as_ref()).ok_or(Cut)?;
        self.unnamed(name.as_ref());
        Ok(())
    }

    fn exists(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<bool, Cut> {
        self.call()?;
        Ok(self.inode(name.as_ref()).is_some())
    }
}
