//! Recipients and messages that are done with: how that is noted, and when it is durable.
//!
//! What is noted here costs no sync of its own. [`Ledger::settle`] makes all of it durable together;
//! until then a power cut may undo any part of it, and those recipients get the message again. So
//! nobody is told of a success before that. The order is argued in `doc/queue.md`.

use queue::disk::Disk;
use queue::path::{self, Area, MessageId, Name};

use crate::send::Channel;

/// Files of recipients that are kept open for the next mark.
const OPEN: usize = 32;

/// What has been noted and is not durable yet; and files that are open for more.
#[derive(Debug)]
pub struct Ledger<F> {
    open: Vec<Open<F>>,
    /// For whose sake which directories are to be synced.
    removed: Vec<(MessageId, Name)>,
    /// True if envelopes have left `todo/`, and that may not be durable.
    has_left_todo: bool,
    /// True if one of them was all that there was of its message.
    is_over: bool,
}

#[derive(Debug)]
struct Open<F> {
    channel: Channel,
    id: MessageId,
    file: F,
    is_durable: bool,
}

impl<F> Default for Ledger<F> {
    fn default() -> Ledger<F> {
        Ledger { open: Vec::new(), removed: Vec::new(), has_left_todo: false, is_over: false }
    }
}

impl<F> Ledger<F> {
    /// Marks the recipient as done whose letter is at `offset` of the message's file.
    pub fn mark<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        channel: Channel,
        id: MessageId,
        offset: u64,
    ) -> Result<(), D::Error> {
        let known = self.open.iter().position(|open| open.channel == channel && open.id == id);
        let mut open = if let Some(place) = known {
            self.open.remove(place)
        } else {
            let file = disk.open(&channel.area().of(id))?;
            Open { channel, id, file, is_durable: true }
        };
        let marked = disk.overwrite(&open.file, offset, b"D");
        open.is_durable &= marked.is_err();
        self.open.push(open); // those that are used last are kept
        marked
    }

    /// Removes a file of recipients, all of whom are done with.
    pub fn remove<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        channel: Channel,
        id: MessageId,
    ) -> Result<(), D::Error> {
        let name = channel.area().of(id);
        disk.unlink(&name)?;
        self.open.retain(|open| open.channel != channel || open.id != id);
        self.removed.push((id, name.parent()));
        Ok(())
    }

    /// Removes a message's sender. Once that is durable it does not matter what a power cut brings back
    /// of its other files: nobody looks at recipients without a sender.
    pub fn end<D: Disk<File = F>>(&mut self, disk: &mut D, id: MessageId) -> Result<(), D::Error> {
        let name = Area::Info.of(id);
        disk.unlink(&name)?;
        self.removed.retain(|(known, _)| *known != id);
        self.removed.push((id, name.parent()));
        Ok(())
    }

    /// Envelopes have been removed from `todo/`. If one came back, all of its recipients would get the
    /// message again.
    pub fn left_todo(&mut self) {
        self.has_left_todo = true;
    }

    /// A message is done with that was delivered straight from `todo/`, and its envelope has left: that
    /// is to be durable.
    pub fn over(&mut self) {
        self.is_over = true;
    }

    /// Makes everything durable that was noted, each file and directory in one call and all at the same time;
    /// gives the names of those where that failed.
    pub fn settle<D: Disk<File = F>>(&mut self, disk: &mut D) -> Vec<Name> {
        let marked = self.open.iter().filter(|open| !open.is_durable);
        let (mut names, files): (Vec<_>, Vec<_>) =
            marked.map(|open| (open.channel.area().of(open.id), &open.file)).unzip();
        let is_news =
            std::mem::take(&mut self.is_over) || !self.removed.is_empty() || !files.is_empty();
        let leaves_todo = is_news && std::mem::take(&mut self.has_left_todo);
        let todo = leaves_todo.then(|| Area::Todo.directories());
        let removed = self.removed.drain(..).map(|(_, name)| name);
        let directories = path::each_once(todo.into_iter().flatten().chain(removed));
        let synced = disk.sync_all_of(&files, &directories);
        for open in &mut self.open {
            open.is_durable = true; // a second try would say so without having done it
        }
        self.open.drain(..self.open.len().saturating_sub(OPEN));
        names.extend(directories);
        let failed = names.into_iter().zip(synced).filter(|(_, synced)| synced.is_err());
        failed.map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    /// A disk that notes what is done to it.
    #[derive(Default)]
    struct Notes {
        calls: RefCell<Vec<String>>,
        is_broken: bool,
    }

    impl Notes {
        fn note(&self, call: &str, name: &Path) -> Result<(), ()> {
            self.calls.borrow_mut().push(format!("{call} {}", name.display()));
            if self.is_broken { Err(()) } else { Ok(()) }
        }

        fn take(&self) -> Vec<String> {
            self.calls.take()
        }
    }

    impl Disk for Notes {
        type File = PathBuf;
        type Error = ();

        fn create(&mut self, _: &(impl AsRef<Path> + ?Sized)) -> Result<PathBuf, ()> {
            Err(())
        }
        fn append(&mut self, _: &(impl AsRef<Path> + ?Sized)) -> Result<PathBuf, ()> {
            Err(())
        }
        fn open(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<PathBuf, ()> {
            self.note("open", name.as_ref()).map(|()| name.as_ref().to_owned())
        }
        fn number(&mut self, _: &PathBuf) -> Result<MessageId, ()> {
            Err(())
        }
        fn write(&mut self, _: &mut PathBuf, _: &[u8]) -> Result<(), ()> {
            Err(())
        }
        fn overwrite(&mut self, file: &PathBuf, offset: u64, bytes: &[u8]) -> Result<(), ()> {
            self.note(&format!("{} at {offset} of", bytes.escape_ascii()), file)
        }
        fn truncate(&mut self, _: &mut PathBuf, _: u64) -> Result<(), ()> {
            Err(())
        }
        fn start_sync(&mut self, _: &PathBuf) {}
        fn sync(&mut self, file: &PathBuf) -> Result<(), ()> {
            self.note("sync", file)
        }
        fn sync_directory(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), ()> {
            self.note("sync", name.as_ref())
        }
        fn link(
            &mut self,
            _: &(impl AsRef<Path> + ?Sized),
            _: &(impl AsRef<Path> + ?Sized),
        ) -> Result<(), ()> {
            Err(())
        }
        fn unlink(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), ()> {
            self.note("unlink", name.as_ref())
        }
        fn exists(&mut self, _: &(impl AsRef<Path> + ?Sized)) -> Result<bool, ()> {
            Err(())
        }
    }

    const LOCAL: Channel = Channel::Local;

    #[test]
    fn many_marks_cost_one_sync() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        for offset in [0, 5, 9] {
            ledger.mark(&mut disk, LOCAL, MessageId(24), offset).unwrap();
        }
        let marks = ["open local/1/24", "D at 0 of local/1/24", "D at 5 of local/1/24"];
        assert_eq!(disk.take()[..3], marks);
        assert!(ledger.settle(&mut disk).is_empty());
        assert_eq!(disk.take(), ["sync local/1/24"]);
        assert!(ledger.settle(&mut disk).is_empty());
        assert!(disk.take().is_empty());
        ledger.mark(&mut disk, LOCAL, MessageId(24), 12).unwrap();
        assert_eq!(disk.take(), ["D at 12 of local/1/24"]);
    }

    #[test]
    fn of_a_message_that_ends_only_the_sender_s_name_matters() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        ledger.left_todo();
        for id in [24, 47] {
            ledger.mark(&mut disk, LOCAL, MessageId(id), 0).unwrap();
            ledger.remove(&mut disk, LOCAL, MessageId(id)).unwrap();
            ledger.end(&mut disk, MessageId(id)).unwrap();
        }
        disk.take();
        assert!(ledger.settle(&mut disk).is_empty());
        assert_eq!(disk.take(), ["sync todo", "sync info/1"]);
    }

    #[test]
    fn of_a_channel_that_is_done_with_the_name_matters() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        ledger.remove(&mut disk, LOCAL, MessageId(24)).unwrap();
        ledger.settle(&mut disk);
        assert_eq!(disk.take(), ["unlink local/1/24", "sync local/1"]);
    }

    #[test]
    fn todo_waits_for_something_that_is_worth_it() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        ledger.left_todo();
        ledger.settle(&mut disk);
        assert!(disk.take().is_empty());
        ledger.mark(&mut disk, LOCAL, MessageId(24), 0).unwrap();
        ledger.settle(&mut disk);
        assert_eq!(disk.take()[2..], ["sync local/1/24", "sync todo"]);
    }

    #[test]
    fn of_a_message_that_never_left_todo_its_name_there_matters() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        ledger.left_todo();
        ledger.over();
        ledger.over();
        ledger.settle(&mut disk);
        ledger.settle(&mut disk);
        assert_eq!(disk.take(), ["sync todo"]);
    }

    #[test]
    fn few_files_stay_open_and_none_is_forgotten() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        for id in 0..100 {
            ledger.mark(&mut disk, LOCAL, MessageId(id), 0).unwrap();
        }
        disk.take();
        ledger.settle(&mut disk);
        assert_eq!(disk.take().len(), 100);
        assert_eq!(ledger.open.len(), OPEN);
    }

    #[test]
    fn what_could_not_be_made_durable_is_named() {
        let (mut disk, mut ledger) = (Notes::default(), Ledger::default());
        ledger.mark(&mut disk, LOCAL, MessageId(24), 0).unwrap();
        ledger.remove(&mut disk, Channel::Remote, MessageId(24)).unwrap();
        disk.is_broken = true;
        let failed = ledger.settle(&mut disk);
        let failed: Vec<_> = failed.iter().map(ToString::to_string).collect();
        assert_eq!(failed, ["local/1/24", "remote/1"]);
        assert!(ledger.mark(&mut disk, LOCAL, MessageId(24), 5).is_err());
        assert!(ledger.end(&mut disk, MessageId(24)).is_err());
    }
}
