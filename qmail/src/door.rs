//! The socket of qmail-queued: made by qmail-start, while there are rights to it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use queue::home::Home;
use unix::dir::Dir;
use unix::{Uid, file, socket};

/// The queue program, whose work is done behind the door.
const QUEUE: &str = "bin/qmail-queue";
/// What it has where it is installed: the rights of its owner, for everybody.
const FOR_EVERYBODY: u32 = 0o4001;
/// Permission of the group and of others to write.
const OTHERS: u32 = 0o022;

/// The directory of [`queue::hand::SOCKET`].
const RUN: &str = "run";
const SOCKET: &str = "queue";
/// Its name until somebody serves it.
const NEW: &str = "queue.new";
/// Locked for as long as somebody does.
const LOCK: &str = "lock";
/// Connections that may wait to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 1024;

/// Whether `bin/qmail-queue` may be passed by: it looks as it is installed, set-uid to `owner` for everybody to run. Who
/// has put a filter in its place, or kept it from some, has all mail go through that; so there is no door then.
///
/// In a private home nothing is set-uid, and whatever is no script looks like it.
#[must_use]
pub fn is_passable(home: &Home, owner: Uid) -> bool {
    let program = home.join(QUEUE);
    if home.private {
        let mut start = [0; 2];
        let read = file::open_read(&program).and_then(|mut file| file.read_exact(&mut start));
        return read.is_ok() && start != *b"#!";
    }
    std::fs::metadata(program).is_ok_and(|file| {
        file.is_file()
            && file.uid() == owner.as_raw()
            && file.mode() & FOR_EVERYBODY == FOR_EVERYBODY
    })
}

/// The door of a host, closed: nobody finds it yet.
#[derive(Debug)]
pub struct Door {
    run: Dir,
}

/// What goes with a door.
#[derive(Debug)]
pub struct Keys {
    /// Listens; accepting does not wait.
    pub socket: OwnedFd,
    /// As long as it is open, no other door of this host is made.
    pub lock: File,
}

impl Door {
    /// Makes the socket, and the directory it lies in if there is none. `EAGAIN` if the host has a door.
    ///
    /// Whoever may run the set-uid qmail-queue may connect. A private host's cannot be used by anybody but
    /// its owner, so neither can its door. In another host's directory nobody but this process's user may be able to
    /// put something else in the socket's place.
    pub fn make(home: &Home) -> io::Result<(Door, Keys)> {
        let base = Dir::base_at(&home.path)?;
        match base.make_dir(RUN.as_ref(), 0o755) {
            Ok(()) => base.set_mode(RUN.as_ref(), 0o755)?, // whatever the umask has left
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !home.private && !is_own(&home.join(RUN))? {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
            }
            Err(error) => return Err(error),
        }
        let run = base.base(RUN.as_ref())?;
        let lock = run.open_append(LOCK.as_ref(), 0o600)?;
        file::try_lock(&lock)?;
        let _ = run.unlink(NEW.as_ref()); // of one that was interrupted
        let door = Door { run };
        let socket = socket::listen_at(&door.run, NEW.as_ref(), BACKLOG)?;
        let mode = if home.private { 0o600 } else { 0o666 };
        door.run.set_mode(NEW.as_ref(), mode)?;
        Ok((door, Keys { socket, lock }))
    }

    /// From here on it is found, in place of one that nobody serves any more.
    pub fn open(&self) -> io::Result<()> {
        self.run.rename(NEW.as_ref(), &self.run, SOCKET.as_ref())
    }

    /// Takes it away, if it was not opened.
    pub fn remove(&self) {
        let _ = self.run.unlink(Path::new(NEW)); // the next one does
    }
}

/// Whether it is a directory, and nobody but this process's user (and root) can make names there.
fn is_own(path: &Path) -> io::Result<bool> {
    let found = std::fs::symlink_metadata(path)?;
    Ok(found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & OTHERS == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn home(private: bool) -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home { path: directory.path().to_owned(), private };
        (directory, home)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_door_is_found_when_it_is_opened() {
        let (_directory, home) = home(false);
        let path = home.path.join(queue::hand::SOCKET);
        let (door, keys) = Door::make(&home).unwrap();
        assert!(socket::connect_at(&path).is_err());
        door.open().unwrap();
        let _client = socket::connect_at(&path).unwrap();
        socket::accept_local(&keys.socket).unwrap();
        assert_eq!((mode(&path), mode(&home.path.join("run"))), (0o666, 0o755));
        assert_eq!(mode(&home.path.join("run/lock")), 0o600);
    }

    #[test]
    fn the_door_of_a_private_host_is_its_owners() {
        let (_directory, home) = home(true);
        Door::make(&home).unwrap().0.open().unwrap();
        assert_eq!(mode(&home.path.join(queue::hand::SOCKET)), 0o600);
    }

    #[test]
    fn there_is_one_door_at_a_time() {
        let (_directory, home) = home(false);
        let path = home.path.join(queue::hand::SOCKET);
        let (door, first) = Door::make(&home).unwrap();
        door.open().unwrap();
        assert_eq!(Door::make(&home).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let _client = socket::connect_at(&path).unwrap();
        socket::accept_local(&first.socket).unwrap();

        drop(first);
        // A child of another test may have the lock, until it executes its program.
        let mut tries = std::iter::repeat_with(|| Door::make(&home));
        let (door, second) = tries.find_map(Result::ok).unwrap();
        door.open().unwrap();
        let _client = socket::connect_at(&path).unwrap();
        socket::accept_local(&second.socket).unwrap();
    }

    #[test]
    fn one_that_was_interrupted_or_taken_away_is_in_nobodys_way() {
        let (_directory, home) = home(false);
        drop(Door::make(&home).unwrap());
        let mut tries = std::iter::repeat_with(|| Door::make(&home));
        let (door, _keys) = tries.find_map(Result::ok).unwrap();
        door.remove();
        assert!(door.open().is_err());
        assert!(!home.path.join("run").join(NEW).exists());
    }

    #[test]
    fn a_directory_in_which_others_may_write_is_not_used() {
        let (_directory, home) = home(false);
        let run = home.path.join("run");
        std::fs::create_dir(home.path.join("aside")).unwrap();
        symlink("aside", &run).unwrap();
        assert!(Door::make(&home).is_err());
        assert!(!home.path.join("aside/lock").exists());
        std::fs::remove_file(&run).unwrap();
        std::fs::create_dir(&run).unwrap();
        for (bits, is_used) in [(0o757, false), (0o775, false), (0o755, true)] {
            std::fs::set_permissions(&run, std::fs::Permissions::from_mode(bits)).unwrap();
            assert_eq!(Door::make(&home).is_ok(), is_used, "{bits:o}");
        }
    }

    #[test]
    fn what_stands_in_the_place_of_qmail_queue_is_not_passed_by() {
        let (_directory, mut home) = home(false);
        let owner = Uid::effective();
        assert!(!is_passable(&home, owner));
        std::fs::create_dir(home.path.join("bin")).unwrap();
        let program = home.path.join(QUEUE);
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        for (bits, is_passed) in [(0o755, false), (0o4750, false), (0o4711, true)] {
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(bits)).unwrap();
            assert_eq!(is_passable(&home, owner), is_passed, "{bits:o}");
        }
        assert!(!is_passable(&home, Uid::from_raw(owner.as_raw() ^ 1)));
        home.private = true;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!is_passable(&home, owner));
        std::fs::write(&program, "\x7fELF").unwrap();
        assert!(is_passable(&home, owner));
    }

    #[test]
    fn a_host_that_cannot_have_one_has_none() {
        let (_directory, home) = home(false);
        std::fs::write(home.path.join("run"), "").unwrap();
        assert!(Door::make(&home).is_err());
    }
}
