//! The trigger: watched, and mended where that can be.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use queue::home::Home;
use queue::trigger::{TRIGGER, Watch};
use unix::dir::Dir;
use unix::errno::{self, Errno};
use unix::fd::Direct;
use unix::fifo;
use unix::watch::{News, Watch as Names};

use crate::send::log::Log;

/// Anybody may pull it; only its owner may watch it.
const MODE: u32 = 0o622;

/// The trigger, as far as it can be watched.
#[derive(Debug, Default)]
pub(super) struct Trigger {
    watch: Option<Watch>,
    /// Tells when its directory has other files than before: it may have been removed, which nobody
    /// who has it open is told. `None` where the kernel cannot tell.
    names: Option<Names>,
    /// True after the log was told that it cannot be watched.
    is_missed: bool,
}

/// Why a trigger is of no use.
enum Trouble {
    /// It cannot be opened, or mended.
    Error(io::Error),
    /// It is something else.
    NoFifo,
}

impl Trigger {
    /// What to wait for.
    pub(super) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// What else to wait for: it may be another file, and is to be opened again.
    pub(super) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// Takes the news of [`Trigger::names`].
    pub(super) fn take_news(&mut self) {
        if self.names.as_mut().map(Names::drain) == Some(News::Gone) {
            self.names = None;
        }
    }

    /// Stops watching, until it is opened again.
    pub(super) fn close(&mut self) {
        self.watch = None;
    }

    /// Watches from now on; false if nobody could pull it.
    ///
    /// Once it is missed, mail waits for the next look into `todo/`, and nobody knows why. So what can
    /// be mended is, and the log tells either way.
    pub(super) fn open(&mut self, home: &Home, queue: &Dir, log: &mut Log) -> bool {
        // Closed before it is opened: what was written until now is no news any more.
        self.watch = None;
        let path = home.queue().join(TRIGGER);
        if let (None, Some(lock)) = (&self.names, path.parent()) {
            self.names = Names::directory(lock).ok();
        }
        match mend(&path, log).and_then(|()| Watch::open(queue).map_err(Trouble::Error)) {
            Ok(watch) => {
                // Somebody may hold it open with something in it.
                let _ = Direct(&watch).read(&mut [0; 4096]);
                self.watch = Some(watch);
                if std::mem::replace(&mut self.is_missed, false) {
                    log.trigger("lock/trigger can be watched again");
                }
                true
            }
            Err(trouble) => {
                if !std::mem::replace(&mut self.is_missed, true) {
                    let cause = match trouble {
                        Trouble::Error(error) => errno::classic(errno::of(&error)),
                        Trouble::NoFifo => "not a fifo",
                    };
                    let then = "; looking for new mail every 30 seconds";
                    log.trigger(("unable to watch lock/trigger: ", cause, then));
                }
                false
            }
        }
    }
}

/// Makes the trigger a fifo that everybody may write to, if it is not and we may do that.
fn mend(path: &Path, log: &mut Log) -> Result<(), Trouble> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Trouble::Error(error)),
    };
    if let Some(found) = &found
        && found.file_type().is_fifo()
    {
        if found.mode() & MODE == MODE {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(Trouble::Error)?;
        log.trigger("lock/trigger was not for everybody to write to; mended");
        return Ok(());
    }
    let make = || {
        if found.is_some() {
            fs::remove_file(path)?;
        }
        fifo::make(path, MODE)?;
        fs::set_permissions(path, Permissions::from_mode(MODE)) // the umask is stricter
    };
    match (make(), &found) {
        (Ok(()), None) => log.trigger("lock/trigger was missing; made it"),
        (Ok(()), Some(_)) => log.trigger("lock/trigger was no fifo; replaced it"),
        (Err(_), Some(_)) => return Err(Trouble::NoFifo),
        (Err(_), None) => return Err(Trouble::Error(Errno::ENOENT.into())),
    }
    Ok(())
}
