//! The bytes of a conversation: what has come and is not read, what is said and not sent.

use std::io::{self, Read, Write};

/// How much is held back before it is sent, and read at once from who says much.
const ROOM: usize = 64 * 1024;
/// How much is read at once otherwise.
const LITTLE: usize = 4096;

/// One end of a conversation in which each side waits for the other.
///
/// What is said is sent when it is our turn to listen, in one piece: replies and commands that are sent
/// one by one wait for one another (Nagle's algorithm against delayed acknowledgements).
#[derive(Debug)]
pub struct Connection<R, W> {
    reader: R,
    writer: W,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    piece: usize,
}

impl<R: Read, W: Write> Connection<R, W> {
    /// A conversation that has not begun. At most `piece` bytes are written at once: a blocking
    /// descriptor that can be written to need not have room for more than 4096.
    pub fn new(reader: R, writer: W, piece: usize) -> Connection<R, W> {
        let (input, output) = (vec![0; LITTLE], Vec::new());
        Connection { reader, writer, input, start: 0, end: 0, output, piece: piece.max(1) }
    }

    /// What has come and is not read, and where to put what is to be said.
    pub fn sides(&mut self) -> (&[u8], &mut Vec<u8>) {
        (self.input.get(self.start..self.end).unwrap_or_default(), &mut self.output)
    }

    /// What has come and is not read.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.input.get(self.start..self.end).unwrap_or_default()
    }

    /// The first `count` bytes of what has come are read.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Where to put what is to be said.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Sends what is said, and waits for more to come. Everything that has come before must have been
    /// read. False at the end of the conversation.
    pub fn listen(&mut self) -> io::Result<bool> {
        self.send()?;
        if self.end == self.input.len() {
            self.input.resize(ROOM, 0);
        }
        self.start = 0;
        self.end = 0;
        self.end = self.reader.read(&mut self.input)?;
        Ok(self.end > 0)
    }

    /// Sends what is said.
    pub fn send(&mut self) -> io::Result<()> {
        for piece in self.output.chunks(self.piece) {
            self.writer.write_all(piece)?;
        }
        self.output.clear();
        Ok(())
    }

    /// Sends what is said if there is a lot of it.
    pub fn send_if_much(&mut self) -> io::Result<()> {
        if self.output.len() >= ROOM { self.send() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_much_is_read_in_large_pieces() {
        let said = vec![b'x'; 200_000];
        let mut connection = Connection::new(&said[..], Vec::new(), 4);
        let mut lengths = Vec::new();
        while connection.listen().unwrap() {
            lengths.push(connection.pending().len());
            connection.consume(usize::MAX / 2);
        }
        assert_eq!(lengths, [4096, 65_536, 65_536, 64_832]);
    }

    #[test]
    fn what_is_said_is_sent_before_listening() {
        let mut sent = Vec::new();
        let mut connection = Connection::new(&b"HELO x\r\n"[..], &mut sent, 4);
        connection.output().extend_from_slice(b"220 a\r\n");
        connection.output().extend_from_slice(b"220 b\r\n");
        assert!(connection.listen().unwrap());
        assert_eq!(connection.pending(), b"HELO x\r\n");
        connection.consume(5);
        assert_eq!(connection.pending(), b"x\r\n");
        connection.consume(99);
        assert_eq!(connection.pending(), b"");
        assert!(!connection.listen().unwrap());
        assert_eq!(sent, b"220 a\r\n220 b\r\n");
    }
}
