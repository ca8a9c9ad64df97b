//! A log directory: appending to its file `current`, and turning its files over.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use unix::clock::{self, Wall};
use unix::fd::Direct;
use unix::file;

use crate::multilog::behind::Behind;
use crate::multilog::place::Place;
use crate::multilog::processor;
use crate::multilog::rotate::{self, Name, Step};
use crate::multilog::script::{Log, Processor};
use crate::multilog::trouble::{OrTrouble, Trouble, Weight};

/// A log directory that nobody else writes to.
#[derive(Debug)]
pub struct Directory {
    place: Place,
    current: File,
    /// Bytes in `current`.
    held: u64,
    /// When `current` is too old to go on with, as time since boot; none while it is empty.
    deadline: Option<Duration>,
    /// What is left to do of a turn-over.
    steps: &'static [Step],
    processor_failed: bool,
    skips_processor: bool,
    behind: Behind,
}

impl Directory {
    /// Makes the directory if it is not there, locks it, puts what a crash has left in order, and opens
    /// `current`.
    pub fn open(log: Log) -> Result<Directory, Trouble> {
        let mut place = Place::open(log)?;
        place.take(Step::Remove(Name::Packed))?;
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
        let deadline = place.log.age.filter(|_| held > 0).map(|age| {
            // Its age counts on, where it is known.
            let seconds = |wall: Wall| wall.seconds;
            let lived = file::birth(&current).map_or(0, |born| {
                seconds(clock::wall()).saturating_sub(seconds(born)).max(0).cast_unsigned()
            });
            clock::since_boot().saturating_add(Duration::from_secs(age.saturating_sub(lived)))
        });
        Ok(Directory {
            place,
            current,
            held,
            deadline,
            steps: rotate::SETTLE,
            processor_failed: false,
            skips_processor: false,
            behind: Behind::default(),
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
            if self.held >= size || self.is_too_old() {
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
            if let Some(age) = self.place.log.age.filter(|_| self.held == 0) {
                self.deadline = Some(clock::since_boot().saturating_add(Duration::from_secs(age)));
            }
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

    /// As [`Directory::rotate`], if `current` is too old.
    pub fn rotate_old(&mut self) {
        if self.is_too_old() {
            self.rotate();
        }
    }

    fn is_too_old(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= clock::since_boot())
    }

    /// When [`Directory::rotate_old`] has something to do, as time since boot.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn turn_over(&mut self) {
        let is_waited_for = matches!(self.place.log.processor, Some(Processor::Before(_)));
        self.steps = rotate::turn_over(is_waited_for);
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
            if self.steps.is_empty() && self.behind_command().is_some() {
                self.behind.feed();
            }
        }
        Ok(())
    }

    /// Takes one step; false if it has put others in the place of all that are left.
    fn take(&mut self, step: Step) -> Result<bool, Trouble> {
        let taken = match step {
            Step::Close(Name::Current) => self.place.close(&self.current),
            Step::Create(Name::Current) => self.create_current(),
            Step::Finish(Name::Current, code) => self.place.shelve(Name::Current, code),
            Step::Process => return self.process(),
            Step::Sync(Name::Current) => {
                let what = ("unable to write ", &self.place.log.dir, "/current to disk");
                self.current.sync_all().or_pause(what)
            }
            _ => self.place.take(step),
        };
        match (step, taken) {
            (Step::Finish(Name::Current, _) | Step::Rename(Name::Current, _), Err(trouble))
                if trouble.is_missing() =>
            {
                self.steps = rotate::REPLACE;
                Ok(false)
            }
            (_, taken) => taken.map(|()| true),
        }
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
        self.deadline = None;
        Ok(())
    }

    fn process(&mut self) -> Result<bool, Trouble> {
        let Log { dir: path, processor, .. } = &self.place.log;
        let is_there = self.place.dir.stat(Path::new(Name::Previous.file())).is_ok();
        if let (Some(Processor::Before(command)), true, false) =
            (processor, is_there, self.skips_processor)
        {
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
        self.take(Step::SyncNames)?;
        self.place.close(&self.current)
    }

    fn behind_command(&self) -> Option<&std::ffi::OsStr> {
        match &self.place.log.processor {
            Some(Processor::Behind(command)) => Some(command),
            _ => None,
        }
    }

    /// Goes on with the processor that runs while lines are read; to be called when a child may have
    /// ended, and after lines were written.
    pub fn tend(&mut self) -> Result<(), Trouble> {
        match &self.place.log.processor {
            Some(Processor::Behind(command)) => self.behind.tend(&self.place, command),
            _ => Ok(()),
        }
    }

    /// Whether [`Directory::tend`] has something to wait for.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.behind.is_busy()
    }

    /// Leaves the files that are not processed yet to the next start.
    pub fn abandon(&mut self) {
        self.behind.abandon(&self.place);
    }
}
