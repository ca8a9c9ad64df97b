//! A log directory's names: found, made, renamed, removed.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use unix::clock::{self, Wall};
use unix::dir::Dir;
use unix::file;

use crate::multilog::rotate::{self, Code, Found, Name, Step};
use crate::multilog::script::{Log, Processor, SAFE, UNPROCESSED};
use crate::multilog::trouble::{OrTrouble, Trouble, Weight};

/// Mode of a file that is being written.
const OPEN: u32 = 0o644;

/// Mode of a file that is whole.
const CLOSED: u32 = 0o744;

/// The bit of it by which a start knows.
const IS_CLOSED: u32 = 0o100;

/// A directory that nobody else writes to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) log: Log,
    pub(super) dir: Dir,
    /// The time of the newest old name.
    newest: Wall,
    _lock: File,
}

impl Place {
    /// Makes the directory if it is not there, and locks it.
    pub(super) fn open(log: Log) -> Result<Place, Trouble> {
        let path = &log.dir;
        if std::fs::DirBuilder::new().mode(0o700).create(path).is_ok() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            // Only a power cut could tell, and the directory may not be ours to sync.
            let _ = file::sync_directory(parent.unwrap_or(Path::new(".")));
        }
        let dir = Dir::open(path).and_then(|dir| dir.stat(Path::new(".")).map(|_| dir));
        let dir = dir.or_fatal(("unable to open directory ", path))?; // or to search it
        let lock = dir
            .open_append(Path::new("lock"), 0o600)
            .and_then(|lock| file::try_lock(&lock).map(|()| lock))
            .or_fatal(("unable to lock directory ", path))?;
        let mut place = Place { log, dir, newest: Wall { seconds: 0, nanos: 0 }, _lock: lock };
        let names = place.old_files().map_err(|trouble| trouble.weighing(Weight::Fatal))?;
        place.newest = rotate::newest(&names, clock::wall());
        Ok(place)
    }

    /// The mode of a file; `None` if it is not there.
    fn mode(&self, name: Name) -> Result<Option<u32>, Trouble> {
        match self.dir.stat(Path::new(name.file())) {
            Ok(stat) => Ok(Some(stat.st_mode)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).or_fatal(("unable to stat ", &self.log.dir, "/", name.file())),
        }
    }

    /// What a start finds here.
    pub(super) fn find(&self) -> Result<Found, Trouble> {
        let is_closed = |mode: Option<u32>| mode.is_some_and(|mode| mode & IS_CLOSED != 0);
        Ok(Found {
            current_closed: is_closed(self.mode(Name::Current)?),
            previous: self.mode(Name::Previous)?.is_some(),
            processed_closed: is_closed(self.mode(Name::Processed)?),
        })
    }

    /// Opens a closed `current`, and gives its length too.
    pub(super) fn append(&self) -> Result<(File, u64), Trouble> {
        let path = &self.log.dir;
        let what = ("unable to append to ", path, "/current");
        let current = self.dir.open_append(Path::new("current"), 0o600).or_fatal(what)?;
        let what = ("unable to set mode of ", path, "/current");
        set_mode(&current, OPEN).or_fatal(what)?;
        let held = current.metadata().or_fatal(("unable to stat ", path, "/current"))?.len();
        Ok((current, held))
    }

    /// Makes `current`, or opens it if it is there.
    pub(super) fn create_current(&self, unable: &str, weight: Weight) -> Result<File, Trouble> {
        let path = &self.log.dir;
        let name = Path::new("current");
        let opened = match self.dir.append_new(name, OPEN) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let opened = self.dir.open_append(name, 0o600);
                opened.and_then(|current| set_mode(&current, OPEN).map(|()| current))
            }
            created => created,
        };
        opened.or_pause((unable, path, "/current")).map_err(|trouble| trouble.weighing(weight))
    }

    /// Says that `current` is whole.
    pub(super) fn close(&self, current: &File) -> Result<(), Trouble> {
        Place::set_closed(current).or_pause(("unable to set mode of ", &self.log.dir, "/current"))
    }

    /// Gives a file the mode of one that is whole.
    pub(super) fn set_closed(file: &File) -> io::Result<()> {
        set_mode(file, CLOSED)
    }

    /// Takes a step that needs nothing but names.
    pub(super) fn take(&mut self, step: Step) -> Result<(), Trouble> {
        let (path, dir) = (&self.log.dir, &self.dir);
        match step {
            Step::Close(name) => {
                let closed = dir.set_mode(Path::new(name.file()), CLOSED);
                unless_missing(closed).or_pause(("unable to set mode of ", path, "/", name.file()))
            }
            Step::Create(name) => {
                let created = dir.create(Path::new(name.file()), OPEN).map(drop);
                created.or_fatal(("unable to write to ", path, "/", name.file()))
            }
            Step::Finish(name, code) => self.finish(name, code),
            Step::Process => Ok(()),
            Step::Prune => self.prune(),
            Step::Remove(name) => self.remove(OsStr::new(name.file())),
            Step::Rename(from, to) => {
                let (from, to) = (from.file(), to.file());
                let what = ("unable to rename ", from, " to ", to, " in directory ", path);
                dir.rename(Path::new(from), dir, Path::new(to)).or_pause(what)
            }
            Step::Sync(name) => {
                let synced = dir.open_append(Path::new(name.file()), OPEN);
                let synced = synced.and_then(|file| file.sync_all());
                synced.or_pause(("unable to write ", path, "/", name.file(), " to disk"))
            }
            Step::SyncNames => {
                dir.sync().or_pause(("unable to write directory ", path, " to disk"))
            }
        }
    }

    /// Gives a file that a crash or a processor has left its old name.
    fn finish(&mut self, name: Name, code: Code) -> Result<(), Trouble> {
        let (path, dir, file) = (&self.log.dir, &self.dir, Path::new(name.file()));
        let stat = match dir.stat(file) {
            Ok(stat) => stat,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).or_pause(("unable to stat ", path, "/", file)),
        };
        if stat.st_nlink > 1 {
            // The original gives a file its old name by a link, and may have crashed there.
            let has_name = |old: &OsString| {
                let old = dir.stat(Path::new(old));
                old.is_ok_and(|old| (old.st_dev, old.st_ino) == (stat.st_dev, stat.st_ino))
            };
            if self.old_files()?.iter().any(has_name) {
                return self.remove(file.as_os_str());
            }
        }
        if stat.st_size == 0 && code == Code::Unprocessed {
            // A service that keeps crashing must not push its logs out with empty files.
            return self.remove(file.as_os_str());
        }
        self.shelve(name, code)
    }

    /// Gives a file its old name.
    pub(super) fn shelve(&mut self, name: Name, code: Code) -> Result<(), Trouble> {
        let code = match (code, &self.log.processor) {
            (Code::Unprocessed, _) => OsStr::new(UNPROCESSED),
            // Its processor has not seen it yet.
            (Code::Safe, Some(Processor::Behind(_))) => OsStr::new(SAFE),
            (Code::Safe, _) => &self.log.code,
        };
        loop {
            self.newest = rotate::next_time(self.newest, clock::wall());
            let (file, old) = (Path::new(name.file()), rotate::old_name(self.newest, code));
            match self.dir.rename_new(file, Path::new(&old)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                renamed => {
                    let path = &self.log.dir;
                    let what = ("unable to rename ", file, " to ", &old, " in directory ", path);
                    return renamed.or_pause(what);
                }
            }
        }
    }

    pub(super) fn old_files(&self) -> Result<Vec<OsString>, Trouble> {
        let mut names = match self.dir.files() {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(), // all is removed
            names => names.or_pause(("unable to read ", &self.log.dir))?,
        };
        names.retain(|name| rotate::is_old(name.as_bytes()));
        Ok(names)
    }

    /// Removes surplus old files. One that cannot be removed is told and left.
    fn prune(&self) -> Result<(), Trouble> {
        let Log { size, keep, total, .. } = self.log;
        // Sizes matter only if there is a limit to them; what is gone has none.
        let sized = |name: OsString| {
            let stat = total.and_then(|_| self.dir.stat(Path::new(&name)).ok());
            let size = stat.and_then(|stat| u64::try_from(stat.st_size).ok());
            (name, size.unwrap_or(0))
        };
        let files = self.old_files()?.into_iter().map(sized).collect();
        let room = total.map_or(u64::MAX, |total| total.saturating_sub(size));
        let mut left = Ok(());
        for name in rotate::surplus(files, keep, room, clock::wall()) {
            if let Err(trouble) = self.remove(&name) {
                left = Err(trouble.weighing(Weight::Light));
            }
        }
        left
    }

    pub(super) fn remove(&self, name: &OsStr) -> Result<(), Trouble> {
        let removed = unless_missing(self.dir.unlink(Path::new(name)));
        removed.or_pause(("unable to remove ", &self.log.dir, "/", name))
    }
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// What is already gone need not be removed, or closed.
fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
