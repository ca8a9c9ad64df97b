//! Reading svscan's directory.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use unix::errno::{self, Errno};

use super::{Entry, Found, Id, Known, SETTLING};

/// What could not be looked at when the directory was last read, and why: it is told once.
#[derive(Debug, Default)]
pub struct Complaints(HashMap<OsString, Errno>);

/// Reads the working directory. `known` tells which services have been seen before; `complain` gets what
/// cannot be looked at, unless it was so the last time.
pub fn read(
    complaints: &mut Complaints,
    known: impl Fn(Id) -> Known,
    mut complain: impl FnMut(&OsString, Errno),
) -> io::Result<Found> {
    let mut names: Vec<DirEntry> = fs::read_dir(".")?.collect::<io::Result<_>>()?;
    names.retain(|entry| !entry.file_name().as_bytes().starts_with(b"."));
    names.sort_unstable_by_key(DirEntry::file_name);

    let mut found = Found::default();
    let mut troubles = HashMap::new();
    for entry in names {
        match look(&entry, &known) {
            Ok(Some(entry)) => found.entries.push(entry),
            Ok(None) => {}
            Err((name, errno)) => {
                found.is_troubled = true;
                if complaints.0.get(&name) != Some(&errno) {
                    complain(&name, errno);
                }
                troubles.insert(name, errno);
            }
        }
    }
    complaints.0 = troubles;
    Ok(found)
}

/// The service behind a name, if it is one.
fn look(entry: &DirEntry, known: &impl Fn(Id) -> Known) -> Result<Option<Entry>, Trouble> {
    let name = entry.file_name();
    let kind = entry.file_type().ok();
    if kind.is_some_and(|kind| kind.is_file()) {
        return Ok(None);
    }
    let meta = match fs::metadata(&name) {
        Ok(meta) => meta,
        // It has gone since its name was read.
        Err(error) if is_missing(&error) && fs::symlink_metadata(&name).is_err() => {
            return Ok(None);
        }
        Err(error) => return Err((name, errno::of(&error))),
    };
    if !meta.is_dir() {
        return Ok(None);
    }
    let id = (meta.dev(), meta.ino());
    let log = || Path::new(&name).join("log");
    let (has_log, is_fresh) = match known(id) {
        Known::Not => {
            let log = log();
            let has_log = match fs::metadata(&log) {
                Ok(_) => true,
                Err(error) if is_missing(&error) => false,
                Err(error) => return Err((log.into_os_string(), errno::of(&error))),
            };
            let is_made_here = kind.is_some_and(|kind| kind.is_dir());
            (has_log, is_made_here && is_fresh(&meta))
        }
        Known::WithLog => (true, false),
        // Anything asks for a log when its service is first seen, but later it may be a file of the
        // service's own.
        Known::WithoutLog => match fs::metadata(log()) {
            Ok(log) if log.is_dir() => (true, is_fresh(&log)),
            _ => (false, false),
        },
    };
    Ok(Some(Entry { name, id, has_log, is_fresh }))
}

/// What cannot be looked at, and why.
type Trouble = (OsString, Errno);

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether a name in the directory has changed a moment ago.
fn is_fresh(meta: &Metadata) -> bool {
    let age = meta.modified().and_then(|then| {
        // A time still to come is a wrong one.
        SystemTime::now().duration_since(then).map_err(io::Error::other)
    });
    age.is_ok_and(|age| age < SETTLING)
}
