//! Programs that are kept for further connections: see [`wire::next`].

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;
use std::{fs, io};

use unix::process::Status;
use unix::{clock, fd, file, socket};
use wire::next::{self, Offer};

use super::Server;
use super::serve::{Arrival, DROPPED};
use crate::connection::Connection;
use crate::pool::{File, Pool};

/// Numbers below are a program's connection and its log.
const FIRST: RawFd = 3;

/// What the server needs for that.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) pool: Pool<OwnedFd>,
    /// Where the program's file may be.
    candidates: Vec<CString>,
    /// Which of them it was, and what it was.
    found: Option<(CString, File)>,
    /// Keeps the number free under which programs find their channel.
    place: OwnedFd,
    /// The environment of a connection.
    environment: Vec<u8>,
}

/// A channel for a program that is about to be started.
pub(super) struct Channel {
    file: File,
    here: OwnedFd,
    there: OwnedFd,
}

impl Keep {
    /// Keeps `most` idle programs whose file is one of `candidates`, in the order in which exec looks.
    pub(super) fn new(most: usize, candidates: Vec<CString>) -> io::Result<Keep> {
        Ok(Keep {
            pool: Pool::new(most),
            candidates,
            found: None,
            place: fd::duplicate(fd::stderr(), FIRST)?,
            environment: Vec::new(),
        })
    }

    /// The program's file as it is now; None if there is none that can be told.
    fn file(&mut self) -> Option<File> {
        if let Some((path, known)) = &self.found
            && identity(path) == Some(*known)
        {
            return Some(*known);
        }
        let mut candidates = self.candidates.iter();
        let path = candidates.find(|path| file::is_executable(as_path(path)))?;
        let file = identity(path)?;
        self.found = Some((path.clone(), file));
        Some(file)
    }

    /// A channel; None if there can be none, and then the program is one for a single connection.
    fn channel(&mut self) -> Option<Channel> {
        let file = self.file()?;
        let (here, there) = socket::channel().ok()?;
        // A child moves descriptors to smaller numbers only.
        (there.as_raw_fd() > self.place.as_raw_fd()).then_some(Channel { file, here, there })
    }

    fn offer(&self, channel: &Channel) -> Offer {
        let (device, inode) = channel.file;
        Offer { descriptor: self.place.as_raw_fd(), device, inode }
    }

    /// Gives process `pid` a connection and what [`Keep::environment`] has.
    fn send(&self, pid: i32, socket: &OwnedFd) -> io::Result<()> {
        let channel = self.pool.channel(pid).ok_or(io::ErrorKind::NotFound)?;
        socket::send_now(channel, &self.environment, Some(socket.as_fd()))
    }
}

fn as_path(path: &CString) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

fn identity(path: &CString) -> Option<File> {
    fs::metadata(as_path(path)).ok().map(|found| (found.dev(), found.ino()))
}

impl Channel {
    /// What the program finds under which number.
    pub(super) fn descriptor(&self, keep: &Keep) -> (RawFd, BorrowedFd<'_>) {
        (keep.place.as_raw_fd(), self.there.as_fd())
    }
}

impl Server {
    /// Gives a connection, whose variables are put together, to a program that is idle; the number of
    /// that, or None if a program is to be started. The lines of the log come before anything that the
    /// program says.
    pub(super) fn hand_over(&mut self, connection: &Connection, arrival: &Arrival) -> Option<i32> {
        let keep = self.keep.as_mut().filter(|keep| keep.pool.has_idle())?;
        let file = keep.file()?;
        let variables = self.launcher.environment(&self.variables);
        next::environment(&mut keep.environment, variables).ok()?;
        while let Some(pid) = self.keep.as_mut()?.pool.next(file) {
            self.tell_pid(pid, arrival.remote);
            self.tell_verdict(b"ok", pid, connection, None);
            self.flush();
            let keep = self.keep.as_mut()?;
            if keep.send(pid, &arrival.socket).is_ok() {
                return Some(pid);
            }
            // It has died of something: the connection is as before, and another program's.
            keep.pool.forget(pid);
            self.tell_end(pid, Status::from_raw(i32::from(DROPPED) << 8));
        }
        None
    }

    /// Makes an offer of further connections to the program that is about to be started.
    pub(super) fn offer(&mut self) -> Option<Channel> {
        let keep = self.keep.as_mut().filter(|_| self.end.is_none())?;
        let channel = keep.channel()?;
        let mut value = Vec::new();
        keep.offer(&channel).push(&mut value);
        self.variables.set(next::VARIABLE, &value).ok()?;
        Some(channel)
    }

    /// The program that got that offer is process `pid`.
    pub(super) fn offered(&mut self, pid: i32, channel: Option<Channel>) {
        if let (Some(keep), Some(Channel { file, here, there: _ })) = (&mut self.keep, channel) {
            keep.pool.started(pid, here, file);
        }
    }

    /// Hears what these programs have to say: that a connection is over.
    pub(super) fn hear(&mut self, pids: &[i32]) {
        for &pid in pids {
            let Some(keep) = &mut self.keep else { return };
            let Some(channel) = keep.pool.channel(pid) else { continue };
            let mut message = [0; 2];
            let code = match socket::receive(channel, &mut message) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                received => next::code(message.get(..received.unwrap_or(0)).unwrap_or_default()),
            };
            match code {
                Some(code) if keep.pool.over(pid, clock::monotonic()) => {
                    self.ended(pid, Status::from_raw(i32::from(code) << 8));
                }
                // Its end, which the kernel tells of; or nonsense.
                _ => keep.pool.forget(pid),
            }
        }
    }

    /// Lets programs go that have had nothing to do.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(keep) = &mut self.keep {
            keep.pool.expire(now);
        }
    }

    /// Lets all go; those that are busy when their connection is over.
    pub(super) fn dismiss(&mut self) {
        if let Some(keep) = &mut self.keep {
            keep.pool.dismiss();
        }
    }
}
