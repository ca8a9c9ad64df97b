//! A processor that makes one old file of another while lines are read.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use prog::Chain;
use unix::process;
use unix::signal::{self, Signal};

use crate::multilog::place::Place;
use crate::multilog::processor::{told, unable};
use crate::multilog::rotate::Name;
use crate::multilog::script::SAFE;
use crate::multilog::trouble::{OrTrouble, Trouble, Weight};

/// What is under way, one file at a time.
///
/// The file has its old name, and is whole and on disk, until what was made of it is so too: nothing is
/// lost with the processor, whenever it or this process is killed.
#[derive(Debug, Default)]
pub(super) struct Behind {
    running: Option<Running>,
    /// There may be a file to begin with.
    is_hungry: bool,
}

#[derive(Debug)]
struct Running {
    child: process::Child,
    source: OsString,
    packed: File,
}

impl Behind {
    /// There is a finished file.
    pub(super) fn feed(&mut self) {
        self.is_hungry = true;
    }

    /// Whether there is anything to wait for.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.is_hungry
    }

    /// Ends what has ended, and begins with the next file.
    ///
    /// After a failure nothing more is begun until there is another finished file.
    pub(super) fn tend(&mut self, place: &Place, command: &OsStr) -> Result<(), Trouble> {
        let worked = self.end(place).and_then(|()| self.begin(place, command));
        if worked.is_err() {
            self.is_hungry = false;
        }
        worked.map_err(|trouble| trouble.weighing(Weight::Light))
    }

    fn end(&mut self, place: &Place) -> Result<(), Trouble> {
        let Some(running) = &self.running else { return Ok(()) };
        let path = &place.log.dir;
        let status = process::reap_one(running.child.pid);
        let Some(status) = status.or_pause(("wait failed for processor in ", path))? else {
            return Ok(());
        };
        let Some(Running { source, packed, .. }) = self.running.take() else { return Ok(()) };
        let kept = told(status, path).and_then(|()| keep(place, &source, &packed));
        if kept.is_err() {
            let _ = place.remove(OsStr::new(Name::Packed.file())); // the next one empties it
        }
        kept
    }

    fn begin(&mut self, place: &Place, command: &OsStr) -> Result<(), Trouble> {
        if self.running.is_some() || !self.is_hungry {
            return Ok(());
        }
        let Some(source) = next(place)? else {
            self.is_hungry = false;
            return Ok(());
        };
        // A processor that outlives a multilog goes on writing to a file without a name.
        place.remove(OsStr::new(Name::Packed.file()))?;
        let (path, dir) = (&place.log.dir, &place.dir);
        let mut shell = Chain::new([OsStr::new("/bin/sh"), OsStr::new("-c"), command]);
        shell.argv0("sh");
        shell.directory(path);
        let packed = Path::new(Name::Packed.file());
        let input = dir.open_file(Path::new(&source));
        shell.descriptor(0, input.or_pause(("unable to open ", path, "/", &source))?);
        let output = dir.create_new(packed, 0o644);
        let output = output.or_pause(("unable to create ", path, "/", packed))?;
        let packed = output.try_clone().or_pause(("unable to open ", path, "/", packed))?;
        shell.descriptor(1, output);
        let child = shell.launch().map_err(|error| unable(error, path))?;
        self.running = Some(Running { child, source, packed });
        Ok(())
    }

    /// Leaves the file to the next start.
    pub(super) fn abandon(&mut self, place: &Place) {
        self.is_hungry = false;
        if let Some(Running { child, .. }) = self.running.take() {
            let _ = place.remove(OsStr::new(Name::Packed.file())); // the next start tries again
            let _ = signal::send(child.pid, Signal::SIGTERM); // it may have ended
        }
    }
}

/// The oldest file that has not been processed.
fn next(place: &Place) -> Result<Option<OsString>, Trouble> {
    let mut names = place.old_files()?;
    names.sort_unstable();
    for name in &names {
        let Some(made) = made_of(name, &place.log.code) else { continue };
        if names.binary_search(&made).is_err() {
            return Ok(Some(name.clone()));
        }
        // A crash came between the last two steps of `keep`.
        place.remove(name)?;
    }
    Ok(None)
}

/// The name of what is made of an old file; `None` if it is not one to be processed.
fn made_of(name: &OsStr, code: &OsStr) -> Option<OsString> {
    let name = name.as_bytes().strip_suffix(SAFE.as_bytes())?;
    name.ends_with(b".").then(|| [OsStr::from_bytes(name), code].into_iter().collect())
}

/// Puts what was made in the place of its source.
fn keep(place: &Place, source: &OsStr, packed: &File) -> Result<(), Trouble> {
    let (path, dir, name) = (&place.log.dir, &place.dir, Path::new(Name::Packed.file()));
    let synced = packed.sync_all().and_then(|()| Place::set_closed(packed));
    synced.or_pause(("unable to write ", path, "/", name, " to disk"))?;
    match dir.stat(Path::new(source)) {
        // Removed as surplus, or by a reader.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return place.remove(name.as_os_str());
        }
        found => found.or_pause(("unable to stat ", path, "/", source))?,
    };
    let made = made_of(source, &place.log.code).unwrap_or_default();
    let what = ("unable to rename ", name, " to ", &made, " in directory ", path);
    dir.rename(name, dir, Path::new(&made)).or_pause(what)?;
    dir.sync().or_pause(("unable to write directory ", path, " to disk"))?;
    place.remove(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_files_are_processed() {
        let made = |name: &str| made_of(OsStr::new(name), OsStr::new("gz"));
        assert_eq!(
            made("@400000003b4a39c23294b13c.s"),
            Some("@400000003b4a39c23294b13c.gz".into())
        );
        for name in ["@400000003b4a39c23294b13c.u", "@400000003b4a39c23294b13c.gz", "@logs", "@"] {
            assert_eq!(made(name), None);
        }
    }
}
