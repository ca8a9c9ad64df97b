//! What lies in the user's maildir, for programs that read it. Source: maildir(5).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use prog::{Fatal, OrFatal, env};
use unix::dir::{self, Dir};

/// A file in tmp/ that nobody has read for so many seconds is nobody's: 36 hours.
const ABANDONED: i64 = 129_600;

/// The value of a variable that names a file or directory.
pub fn variable(name: &'static str) -> Result<PathBuf, Fatal> {
    let value = env::get(name).ok_or_else(|| Fatal::soft((name, " not set")))?;
    Ok(OsString::from_vec(value).into())
}

/// Makes `maildir` the working directory.
pub fn enter(maildir: &PathBuf) -> Result<(), Fatal> {
    let entered = Dir::base_at(maildir).and_then(|maildir| dir::change_to(&maildir));
    entered.or_fatal(("unable to chdir to ", maildir))
}

/// Removes what deliveries have left behind in tmp/ of the working directory. That can wait, so errors do
/// not matter.
pub fn clean(now: i64) {
    for entry in fs::read_dir("tmp").into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        let read = fs::metadata(entry.path()).map(|file| file.atime());
        if !is_hidden && read.is_ok_and(|read| now > read.saturating_add(ABANDONED)) {
            let _ = fs::remove_file(entry.path()); // as above
        }
    }
}

/// The messages in these folders of the working directory that were delivered before `until`, and when:
/// in seconds since 1970, the oldest first.
pub fn messages(folders: &[&'static str], until: i64) -> Result<Vec<(i64, PathBuf)>, Fatal> {
    let mut found = Vec::new();
    for &folder in folders {
        let entries = fs::read_dir(folder).or_fatal(("unable to scan $MAILDIR/", folder))?;
        for entry in entries {
            let path = entry.or_fatal(("unable to read $MAILDIR/", folder))?.path();
            let is_hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
            match fs::metadata(&path) {
                Ok(file) if !is_hidden && file.mtime() < until => found.push((file.mtime(), path)),
                _ => {} // another reader may have moved it
            }
        }
    }
    found.sort();
    Ok(found)
}
