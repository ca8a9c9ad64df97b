//! More messages for a qmail-queue that runs already: a private agreement with clients of this package.
//!
//! Such a client starts qmail-queue with [`ARGUMENT`] and a socket as [`DESCRIPTOR`], and hands the first
//! message over as to any queue program. A program that knows nothing of this ends then. Ours answers on
//! the socket instead, with a zero byte, and reads the next message there: pieces, each behind its
//! length ([`HEADER`] bytes, the highest first), a length of 0, and the envelope as it always is. A
//! message that is refused ends the process, with the exit code that says why.

use std::io::{self, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

/// What a client says that may have more messages.
pub const ARGUMENT: &str = "series";

/// The number under which qmail-queue has the socket.
pub const DESCRIPTOR: RawFd = 7;

/// Bytes of a length.
pub const HEADER: usize = 8;

/// The length of a piece, as it goes before it.
#[must_use]
pub fn header(length: usize) -> [u8; HEADER] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// What logs, the Received line and replies call the message that process `pid` queues as its
/// `round`th, the first being 0: the process's own number, with the round before its last seven digits. A process
/// number has at most seven, so no two messages have the same.
#[must_use]
pub fn number(pid: u32, round: u64) -> u64 {
    round.saturating_mul(10_000_000).saturating_add(pid.into())
}

/// Says that the last message is queued, and waits for the next; `None` if there is none.
#[must_use]
pub fn next(stream: &UnixStream) -> Option<Pieces<'_>> {
    let mut answer = stream;
    answer.write_all(&[0]).ok()?;
    let mut pieces = Pieces { stream, left: 0, ended: false };
    pieces.begin_piece().ok()?;
    Some(pieces)
}

/// A message in pieces, put together again.
#[derive(Debug)]
pub struct Pieces<'a> {
    stream: &'a UnixStream,
    left: u64,
    ended: bool,
}

impl Pieces<'_> {
    fn begin_piece(&mut self) -> io::Result<()> {
        let mut length = [0; HEADER];
        self.stream.read_exact(&mut length)?;
        self.left = u64::from_be_bytes(length);
        self.ended = self.left == 0;
        Ok(())
    }
}

impl Read for Pieces<'_> {
    /// A message that breaks off is an error, not an end.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.begin_piece()?;
        }
        if self.ended || room.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        let read = self.stream.read(room.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's end, and the queue's, at which `bytes` arrive and no more.
    fn sent(bytes: &[&[u8]]) -> [UnixStream; 2] {
        let (mut client, queue) = UnixStream::pair().unwrap();
        client.write_all(&bytes.concat()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        [client, queue]
    }

    fn message([_, queue]: &[UnixStream; 2]) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        next(queue).unwrap().read_to_end(&mut message)?;
        Ok(message)
    }

    #[test]
    fn pieces_are_put_together_and_the_envelope_is_left() {
        let ends = sent(&[&header(3), b"one", &header(4), b" two", &header(0), b"F\0Ta@b\0\0"]);
        assert_eq!(message(&ends).unwrap(), b"one two");
        let mut envelope = Vec::new();
        (&ends[1]).read_to_end(&mut envelope).unwrap();
        assert_eq!(envelope, b"F\0Ta@b\0\0");
    }

    #[test]
    fn a_message_may_be_empty() {
        assert_eq!(message(&sent(&[&header(0)])).unwrap(), b"");
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        assert!(message(&sent(&[&header(3), b"on"])).is_err());
        assert!(message(&sent(&[&header(3), b"one"])).is_err());
        assert!(message(&sent(&[&header(usize::MAX), b"one"])).is_err());
    }

    #[test]
    fn without_a_whole_length_there_is_no_next_message() {
        assert!(next(&sent(&[])[1]).is_none());
        assert!(next(&sent(&[&[0, 0, 0]])[1]).is_none());
    }

    #[test]
    fn a_client_that_is_gone_has_no_next_message() {
        let (client, queue) = UnixStream::pair().unwrap();
        drop(client);
        let _ = unix::signal::ignore(unix::signal::Signal::SIGPIPE);
        assert!(next(&queue).is_none());
    }

    #[test]
    fn messages_of_a_process_are_numbered_in_front_of_its_number() {
        assert_eq!(number(9366, 0), 9366);
        assert_eq!(number(9366, 1), 10_009_366);
        assert_eq!(number(4_194_304, 12), 124_194_304);
    }
}
