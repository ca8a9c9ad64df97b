//! A log directory: appending to its file `current`, and turning its files over.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use unix::clock;
use unix::dir::Dir;
use unix::fd::Direct;
use unix::file;

use crate::multilog::processor;
use crate::multilog::rotate::{self, Code, Found, Name, Step};
use crate::multilog::script::Log;
use crate::multilog::trouble::{OrTrouble, Trouble, Weight};

/// Mode of a file that is being written.
const OPEN: u32 = 0o644;

/// Mode of a file that is whole.
const CLOSED: u32 = 0o744;

/// The bit of it by which a start knows.
const IS_CLOSED: u32 = 0o100;

/// A log directory that nobody else writes to.
#[derive(Debug)]
pub struct Directory {
    place: Place,
    current: File,
    /// Bytes in `current`.
    held: u64,
    /// What is left to do of a turn-over.
    steps: &'static [Step],
    processor_failed: bool,
    skips_processor: bool,
}

impl Directory {
    /// Makes the directory if it is not there, locks it, puts what a crash has left in order, and opens
    /// `current`.
    pub fn open(log: Log) -> Result<Directory, Trouble> {
        let place = Place::open(log)?;
        let mut current = None;
        for step in rotate::recover(place.find()?) {
            if step == Step::Create(Name::Current) {
                let created = place.create_current("unable to write to ", Weight::Fatal)?;
                current = Some((created, 0));
            } else {
                place.take(step)?;
            }
        }
        let (current, held) = match current {
            Some(created) => created,
            None => place.append()?,
        };
        Ok(Directory {
            place,
            current,
            held,
            steps: rotate::SETTLE,
            processor_failed: false,
            skips_processor: false,
        })
    }

    /// Appends `data`, and leaves in it what could not be written yet.
    ///
    /// After an error, the same call goes on where it stopped.
    pub fn write(&mut self, data: &mut &[u8]) -> Result<(), Trouble> {
        let size = self.place.log.size;
        while !data.is_empty() {
            self.advance()?;
            self.replace_removed();
            if self.held >= size {
                self.turn_over();
            }
            if !self.steps.is_empty() {
                continue;
            }
            let (next, _) = data.split_at(rotate::cut(self.held, size, data));
            let count = match Direct(&self.current).write(next) {
                Ok(0) => Err(io::Error::from(ErrorKind::WriteZero)),
                other => other,
            }
            .or_pause(("unable to write to ", &self.place.log.dir, "/current"))?;
            let (written, rest) = data.split_at(count);
            *data = rest;
            self.held += written.len() as u64;
            if rotate::is_full(self.held, size, written) {
                self.turn_over();
            }
        }
        self.advance()
    }

    /// If somebody has removed `current`, lines go to a new one from now on.
    fn replace_removed(&mut self) {
        if self.current.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
            self.steps = rotate::REPLACE;
        }
    }

    /// Begins to turn `current` over, unless it is empty; [`Directory::write`] does it.
    pub fn rotate(&mut self) {
        if self.held > 0 && self.steps.is_empty() {
            self.turn_over();
        }
    }

    fn turn_over(&mut self) {
        self.steps = rotate::turn_over(self.place.log.processor.is_some());
    }

    /// Does what is left of a turn-over.
    fn advance(&mut self) -> Result<(), Trouble> {
        while let Some((&step, rest)) = self.steps.split_first() {
            match (step, self.take(step)) {
                (_, Ok(true)) => self.steps = rest,
                (_, Ok(false)) => {} // other steps have taken the place of these
                (_, Err(trouble)) => {
                    if trouble.weight == Weight::Light {
                        self.steps = rest;
                    }
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    /// Takes one step; false if it has put others in the place of all that are left.
    fn take(&mut self, step: Step) -> Result<bool, Trouble> {
        match step {
            Step::Create(Name::Current) => self.create_current()?,
            Step::Process => return self.process(),
            Step::Rename(Name::Current, _) => {
                match self.place.take(step) {
                    Err(trouble) if trouble.is_missing() => self.steps = rotate::REPLACE,
                    other => return other.map(|()| true),
                }
                return Ok(false);
            }
            Step::Sync(Name::Current) => {
                let what = ("unable to write ", &self.place.log.dir, "/current to disk");
                self.current.sync_all().or_pause(what)?;
            }
            _ => self.place.take(step)?,
        }
        Ok(true)
    }

    fn create_current(&mut self) -> Result<(), Trouble> {
        let created = match self.place.create_current("unable to create ", Weight::Pause) {
            // The directory itself has been removed.
            Err(trouble) if trouble.is_missing() => {
                let place = Place::open(self.place.log.clone());
                self.place = place.map_err(|trouble| trouble.weighing(Weight::Pause))?;
                self.place.create_current("unable to create ", Weight::Pause)
            }
            created => created,
        };
        self.current = created?;
        self.held = 0;
        Ok(())
    }

    fn process(&mut self) -> Result<bool, Trouble> {
        let Log { dir: path, processor, .. } = &self.place.log;
        let is_there = self.place.dir.stat(Path::new(Name::Previous.file())).is_ok();
        if let (Some(command), true, false) = (processor, is_there, self.skips_processor) {
            let outcome = processor::run(command, path, &self.place.dir);
            self.processor_failed = outcome.is_err();
            return outcome.map(|()| true);
        }
        self.steps = rotate::UNPROCESSED;
        Ok(false)
    }

    /// From now on a processor that has failed is not waited for: the file stays unprocessed.
    pub fn hurry(&mut self) {
        self.skips_processor = self.processor_failed;
    }

    /// Closes `current`, so that the next start appends to it.
    pub fn close(&mut self) -> Result<(), Trouble> {
        self.advance()?;
        self.take(Step::Sync(Name::Current))?;
        set_mode(&self.current, CLOSED).or_pause((
            "unable to set mode of ",
            &self.place.log.dir,
            "/current",
        ))
    }
}

/// A locked directory.
#[derive(Debug)]
struct Place {
    log: Log,
    dir: Dir,
    _lock: File,
}

impl Place {
    fn open(log: Log) -> Result<Place, Trouble> {
        let path = &log.dir;
        if std::fs::DirBuilder::new().mode(0o700).create(path).is_ok() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            // Only a power cut could tell, and the directory may not be ours to sync.
            let _ = file::sync_directory(parent.unwrap_or(Path::new(".")));
        }
        let dir = Dir::open(path).or_fatal(("unable to open directory ", path))?;
        let lock = dir
            .open_append(Path::new("lock"), 0o600)
            .and_then(|lock| file::try_lock(&lock).map(|()| lock))
            .or_fatal(("unable to lock directory ", path))?;
        Ok(Place { log, dir, _lock: lock })
    }

    /// The mode of a file; `None` if it is not there.
    fn mode(&self, name: Name) -> Result<Option<u32>, Trouble> {
        match self.dir.stat(Path::new(name.file())) {
            Ok(stat) => Ok(Some(stat.st_mode)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).or_fatal(("unable to stat ", &self.log.dir, "/", name.file())),
        }
    }

    fn find(&self) -> Result<Found, Trouble> {
        let is_closed = |mode: Option<u32>| mode.is_some_and(|mode| mode & IS_CLOSED != 0);
        Ok(Found {
            current_closed: is_closed(self.mode(Name::Current)?),
            previous: self.mode(Name::Previous)?.is_some(),
            processed_closed: is_closed(self.mode(Name::Processed)?),
        })
    }

    /// Opens a closed `current`, and gives its length too.
    fn append(&self) -> Result<(File, u64), Trouble> {
        let path = &self.log.dir;
        let what = ("unable to append to ", path, "/current");
        let current = self.dir.open_append(Path::new("current"), 0o600).or_fatal(what)?;
        let what = ("unable to set mode of ", path, "/current");
        set_mode(&current, OPEN).or_fatal(what)?;
        let held = current.metadata().or_fatal(("unable to stat ", path, "/current"))?.len();
        Ok((current, held))
    }

    fn create_current(&self, unable: &str, weight: Weight) -> Result<File, Trouble> {
        let path = &self.log.dir;
        let created = self.dir.open_append(Path::new("current"), 0o600);
        let created = created.or_pause((unable, path, "/current"));
        let moded = created.and_then(|current| {
            let moded = set_mode(&current, OPEN).map(|()| current);
            moded.or_pause(("unable to set mode of ", path, "/current"))
        });
        moded.map_err(|trouble| trouble.weighing(weight))
    }

    /// Takes a step that needs nothing but names.
    fn take(&self, step: Step) -> Result<(), Trouble> {
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
            Step::Remove(name) => unless_missing(dir.unlink(Path::new(name.file()))).or_pause((
                "unable to remove ",
                path,
                "/",
                name.file(),
            )),
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

    fn finish(&self, name: Name, code: Code) -> Result<(), Trouble> {
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
                return dir.unlink(file).or_pause(("unable to remove ", path, "/", file));
            }
        }
        if stat.st_size == 0 && code == Code::Unprocessed {
            // A service that keeps crashing must not push its logs out with empty files.
            return dir.unlink(file).or_pause(("unable to remove ", path, "/", file));
        }
        let name = loop {
            let name = rotate::old_name(clock::wall(), code);
            match dir.stat(Path::new(&name)) {
                Ok(_) => {} // made within the same nanosecond
                Err(error) if error.kind() == ErrorKind::NotFound => break name,
                Err(error) => return Err(error).or_pause(("unable to stat ", path, "/", &name)),
            }
        };
        let what = ("unable to rename ", file, " to ", &name, " in directory ", path);
        dir.rename(file, dir, Path::new(&name)).or_pause(what)
    }

    fn old_files(&self) -> Result<Vec<OsString>, Trouble> {
        let mut names = match self.dir.files() {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(), // all is removed
            names => names.or_pause(("unable to read ", &self.log.dir))?,
        };
        names.retain(|name| rotate::is_old(name.as_bytes()));
        Ok(names)
    }

    /// Removes surplus old files. One that cannot be removed is told and left.
    fn prune(&self) -> Result<(), Trouble> {
        let mut left = Ok(());
        for name in rotate::surplus(self.old_files()?, self.log.keep, clock::wall()) {
            let removed = unless_missing(self.dir.unlink(Path::new(&name)));
            if let Err(trouble) = removed.or_pause(("unable to remove ", &self.log.dir, "/", &name))
            {
                left = Err(trouble.weighing(Weight::Light));
            }
        }
        left
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
