//! The socket of qmail-queued: made by qmail-start, while there are rights to it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use queue::home::Home;
use unix::dir::Dir;
use unix::{file, socket};

/// The directory of [`queue::hand::SOCKET`].
const RUN: &str = "run";
const SOCKET: &str = "queue";
/// Its name until somebody serves it.
const NEW: &str = "queue.new";
/// Locked for as long as somebody does.
const LOCK: &str = "lock";
/// Connections that may wait to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 1024;

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
    /// its owner, so neither can its door.
    pub fn make(home: &Home) -> io::Result<(Door, Keys)> {
        let base = Dir::base_at(&home.path)?;
        match base.make_dir(RUN.as_ref(), 0o755) {
            Ok(()) => base.set_mode(RUN.as_ref(), 0o755)?, // whatever the umask has left
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

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
    fn a_host_that_cannot_have_one_has_none() {
        let (_directory, home) = home(false);
        std::fs::write(home.path.join("run"), "").unwrap();
        assert!(Door::make(&home).is_err());
    }
}
