//! Changes of the names in a directory, as a descriptor to poll (inotify).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A directory that is being watched for names that appear, go away or change hands.
#[derive(Debug)]
pub struct Watch(Inotify);

/// What [`Watch::drain`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The directory itself has gone, or cannot be watched any more.
    Gone,
    /// Names may have changed.
    Names,
    /// Nothing.
    Nothing,
}

impl Watch {
    /// Watches the names in directory `path` from now on; poll this value for reading, then
    /// [`Watch::drain`]. What happens below a directory in it is not told, nor what another machine
    /// does to a network file system.
    ///
    /// An error where the kernel has no inotify, or no more of it for this user (`EMFILE`, `ENOSPC`).
    pub fn directory(path: &Path) -> io::Result<Watch> {
        use AddWatchFlags as F;
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let names = F::IN_CREATE | F::IN_DELETE | F::IN_MOVED_FROM | F::IN_MOVED_TO;
        inotify.add_watch(path, names | F::IN_ONLYDIR)?;
        Ok(Watch(inotify))
    }

    /// Takes everything that has been told so far.
    pub fn drain(&mut self) -> News {
        let mut news = News::Nothing;
        while let Ok(events) = self.0.read_events() {
            if events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_IGNORED)) {
                return News::Gone;
            }
            news = News::Names;
        }
        news
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_that_come_and_go_are_told() {
        let dir = std::env::temp_dir().join(format!("unix-watch-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let mut watch = Watch::directory(&dir).unwrap();
        assert_eq!(watch.drain(), News::Nothing);
        fs::create_dir(dir.join("a")).unwrap();
        assert!(crate::poll::until(&watch, false, None).unwrap());
        assert_eq!(watch.drain(), News::Names);
        fs::create_dir(dir.join("a/below")).unwrap();
        assert_eq!(watch.drain(), News::Nothing);
        fs::rename(dir.join("a"), dir.join("b")).unwrap();
        assert_eq!(watch.drain(), News::Names);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(watch.drain(), News::Gone);
    }

    #[test]
    fn only_a_directory_can_be_watched() {
        let error = Watch::directory(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    }
}
