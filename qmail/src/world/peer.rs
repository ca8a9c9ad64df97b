//! A daemon at the other ends of two pipes.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use unix::fd::{self, Direct};

use super::Pipes;

/// It, and what it has not taken yet.
#[derive(Debug)]
pub(super) struct Peer {
    to: OwnedFd,
    from: OwnedFd,
    waiting: Vec<u8>,
    is_gone: bool,
}

/// It has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

impl Peer {
    pub(super) fn new(pipes: Pipes) -> io::Result<Peer> {
        let Pipes { to, from } = pipes;
        fd::nonblocking(&to, true)?;
        Ok(Peer { to, from, waiting: Vec::new(), is_gone: false })
    }

    /// Where it speaks, while it does.
    pub(super) fn from(&self) -> Option<&OwnedFd> {
        (!self.is_gone).then_some(&self.from)
    }

    /// Where it hears, if something waits to be written there.
    pub(super) fn pending(&self) -> Option<&OwnedFd> {
        (!self.is_gone && !self.waiting.is_empty()).then_some(&self.to)
    }

    /// Writes `bytes`, now or when there is room.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.waiting.extend_from_slice(bytes);
        self.push()
    }

    /// Writes what there is room for.
    pub(super) fn push(&mut self) -> Result<(), Gone> {
        let mut written = 0;
        while let Some(rest @ [_, ..]) = self.waiting.get(written..) {
            match Direct(&self.to).write(rest) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(self.lost()),
            }
        }
        self.waiting.drain(..written);
        Ok(())
    }

    /// Writes everything, and waits for that.
    pub(super) fn push_all(&mut self) {
        if !self.is_gone && fd::nonblocking(&self.to, false).is_ok() {
            let _ = self.push(); // this is the last that is heard of it anyway
        }
    }

    /// Reads what it says; nothing if there was nothing after all.
    pub(super) fn hear<'a>(&mut self, buffer: &'a mut [u8]) -> Result<&'a [u8], Gone> {
        match Direct(&self.from).read(buffer) {
            Ok(0) => Err(self.lost()),
            Ok(read) => Ok(buffer.get(..read).unwrap_or_default()),
            Err(_) => Ok(&[]),
        }
    }

    fn lost(&mut self) -> Gone {
        self.is_gone = true;
        self.waiting.clear();
        Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_written_later() {
        let (commands, to) = fd::pipe().unwrap();
        let (from, _reports) = fd::pipe().unwrap();
        let mut peer = Peer::new(Pipes { to, from }).unwrap();
        peer.send(&vec![b'x'; 200_000]).unwrap();
        peer.send(b"end").unwrap();
        assert!(peer.pending().is_some());
        let mut heard = Vec::new();
        let mut buffer = vec![0; 50_000];
        while !heard.ends_with(b"end") {
            let read = Direct(&commands).read(&mut buffer).unwrap();
            heard.extend_from_slice(&buffer[..read]);
            peer.push().unwrap();
        }
        assert_eq!(heard.len(), 200_003);
        assert!(peer.pending().is_none());
    }

    #[test]
    fn an_end_is_noticed_by_writing_and_by_reading() {
        let _ = unix::signal::ignore(unix::signal::Signal::SIGPIPE);
        for is_reading in [true, false] {
            let (commands, to) = fd::pipe().unwrap();
            let (from, reports) = fd::pipe().unwrap();
            let mut peer = Peer::new(Pipes { to, from }).unwrap();
            drop((commands, reports));
            let end = if is_reading { peer.hear(&mut [0; 9]).map(drop) } else { peer.send(b"x") };
            assert!(end.is_err());
            assert!(peer.from().is_none() && peer.pending().is_none());
        }
    }
}
