//! Changes of the names in directories, as a descriptor to poll (inotify).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::statfs::statfs;

use AddWatchFlags as F;

/// File systems that others change without this kernel's knowledge: of networks and clusters, and those
/// that a program or the host of a virtual machine keeps. Source: statfs(2), linux/magic.h.
const SHARED: [i128; 16] = [
    0x564C,      // ncp
    0x6969,      // nfs
    0x517B,      // smb
    0xFE53_4D42, // smb, versions 2 and 3
    0xFF53_4D42, // cifs
    0x5346_414F, // afs
    0x6B41_4653, // afs, in the kernel
    0x7375_7245, // coda
    0x0102_1997, // 9p
    0x00C3_6400, // ceph
    0x0BD0_0BD0, // lustre
    0x0116_1970, // gfs2
    0x7461_636F, // ocfs2
    0x4750_4653, // gpfs
    0x6573_5546, // fuse
    0x786F_4256, // vboxsf
];

/// Whether names in directory `path` may change without [`Watch`] telling.
pub fn is_shared(path: &Path) -> io::Result<bool> {
    let kind = i128::from(statfs(path)?.filesystem_type().0);
    Ok(SHARED.contains(&(kind & 0xFFFF_FFFF)))
}

/// Directories that are being watched for names that appear, go away or change hands.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    /// The directory that the rest is about, if there is one.
    main: Option<WatchDescriptor>,
}

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
    /// Watches no directory yet: [`Watch::also`] adds some.
    ///
    /// An error where the kernel has no inotify, or no more of it for this user (`EMFILE`).
    pub fn nothing() -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Watch { inotify, main: None })
    }

    /// Watches the names in directory `path` from now on; poll this value for reading, then
    /// [`Watch::drain`]. What happens below a directory in it is not told, nor what another machine
    /// does to a network file system.
    ///
    /// An error where the kernel has no inotify, or no more of it for this user (`EMFILE`, `ENOSPC`).
    pub fn directory(path: &Path) -> io::Result<Watch> {
        let mut watch = Watch::nothing()?;
        let names = F::IN_CREATE | F::IN_DELETE | F::IN_MOVED_FROM | F::IN_MOVED_TO;
        watch.main = Some(watch.inotify.add_watch(path, names | F::IN_ONLYDIR)?);
        Ok(watch)
    }

    /// Watches names that appear in another directory too. To do so again changes nothing.
    pub fn also(&self, path: &Path) -> io::Result<()> {
        let names = F::IN_CREATE | F::IN_MOVED_TO | F::IN_ONLYDIR;
        self.inotify.add_watch(path, names)?;
        Ok(())
    }

    /// Takes everything that has been told so far about the directory itself.
    pub fn drain(&mut self) -> News {
        self.news(|_| false)
    }

    /// As [`Watch::drain`], and of directories that were added by [`Watch::also`] those names count
    /// that `counts` says.
    pub fn news(&self, counts: impl Fn(&OsStr) -> bool) -> News {
        let mut news = News::Nothing;
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                let is_main = Some(event.wd) == self.main;
                if is_main && event.mask.contains(F::IN_IGNORED) {
                    return News::Gone;
                }
                // When too much has happened, nobody knows what.
                let is_overflow = event.mask.contains(F::IN_Q_OVERFLOW);
                if is_main || is_overflow || event.name.is_some_and(|name| counts(&name)) {
                    news = News::Names;
                }
            }
        }
        news
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn empty(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("unix-watch-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn names_that_come_and_go_are_told() {
        let dir = empty("names");
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
    fn in_another_directory_only_names_that_count_are_told() {
        let dir = empty("also");
        let watch = Watch::nothing().unwrap();
        watch.also(&dir).unwrap();
        watch.also(&dir).unwrap();
        fs::write(dir.join("other"), "").unwrap();
        let drain = || watch.news(|name| name == "status");
        assert_eq!(drain(), News::Nothing);
        fs::rename(dir.join("other"), dir.join("status")).unwrap();
        assert_eq!(drain(), News::Names);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(drain(), News::Nothing);
    }

    #[test]
    fn the_files_of_this_machine_are_its_own() {
        assert!(!is_shared(Path::new("/proc")).unwrap());
        assert!(is_shared(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn only_a_directory_can_be_watched() {
        let error = Watch::directory(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    }
}
