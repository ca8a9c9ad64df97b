//! A message in a file that is read several times over.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Bytes read at a time.
const SIZE: usize = 64 * 1024;

/// A message being read.
///
/// The file's own position, which other processes share, does not count and does not move. The block
/// read last is kept, so a message that fits one is read once.
#[derive(Debug)]
pub struct Message {
    file: File,
    buffer: Box<[u8]>,
    /// The part of the message that the buffer holds.
    start: u64,
    length: usize,
    /// What is to be given next.
    next: u64,
    /// Where the message ends, once that is known.
    end: Option<u64>,
}

/// Where a message is read into.
#[derive(Debug)]
pub struct Buffer(Box<[u8]>);

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer(vec![0; SIZE].into_boxed_slice())
    }
}

impl Message {
    /// The message in `file`, from its beginning.
    #[must_use]
    pub fn new(file: File) -> Message {
        Message::again(file, Buffer::default())
    }

    /// The same, in the buffer of another that is done with.
    #[must_use]
    pub fn again(file: File, Buffer(buffer): Buffer) -> Message {
        Message { file, buffer, start: 0, length: 0, next: 0, end: None }
    }

    /// Its buffer, for the next one.
    #[must_use]
    pub fn into_buffer(self) -> Buffer {
        Buffer(self.buffer)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Begins again at the beginning.
    pub fn restart(&mut self) {
        self.next = 0;
    }

    /// The next bytes; none at the end.
    pub fn block(&mut self) -> io::Result<&[u8]> {
        let is_kept = self.length > 0 && self.next == self.start;
        if !is_kept && self.end != Some(self.next) {
            let read = self.read()?;
            // A file gives all that was asked for, except at its end.
            if read < self.buffer.len() {
                self.end = Some(self.next + read as u64);
            }
            if read > 0 {
                (self.start, self.length) = (self.next, read);
            }
        }
        if self.end == Some(self.next) {
            return Ok(&[]);
        }
        self.next = self.start + self.length as u64;
        Ok(self.buffer.get(..self.length).unwrap_or_default())
    }

    fn read(&mut self) -> io::Result<usize> {
        loop {
            match self.file.read_at(&mut self.buffer, self.next) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Writes `head` and what is left of the message: the first block with `head` in one call.
    pub fn copy(&mut self, head: &[&[u8]], to: &mut impl Write) -> Result<(), CopyError> {
        self.pour(head, |pieces| unix::fd::write_all_of(to, pieces))
    }

    /// Gives `head` and what is left of the message to `put`: the first block together with `head`.
    pub fn pour(
        &mut self,
        head: &[&[u8]],
        mut put: impl FnMut(&[&[u8]]) -> io::Result<()>,
    ) -> Result<(), CopyError> {
        let block = self.block().map_err(CopyError::Read)?;
        let pieces = [head, &[block]].concat();
        let mut is_end = block.is_empty();
        put(&pieces).map_err(CopyError::Write)?;
        while !is_end {
            let block = self.block().map_err(CopyError::Read)?;
            is_end = block.is_empty();
            if !is_end {
                put(&[block]).map_err(CopyError::Write)?;
            }
        }
        Ok(())
    }
}

/// Why a message was not copied.
#[derive(Debug)]
pub enum CopyError {
    /// It could not be read.
    Read(io::Error),
    /// It could not be written.
    Write(io::Error),
}

#[cfg(test)]
pub(crate) fn message(bytes: &[u8]) -> Message {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Message::new(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn rest(message: &mut Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            match message.block().unwrap() {
                [] => return bytes,
                block => bytes.extend_from_slice(block),
            }
        }
    }

    #[test]
    fn a_message_is_the_same_each_time() {
        for length in [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut message = message(&bytes);
            for _ in 0..3 {
                assert!(rest(&mut message) == bytes, "{length}");
                assert!(message.block().unwrap().is_empty());
                message.restart();
            }
            message.block().unwrap();
            message.restart();
            assert!(rest(&mut message) == bytes, "{length}");
            message.restart();
            let mut copy = Vec::new();
            message.copy(&[b"head\n", b""], &mut copy).unwrap();
            assert!(copy == [b"head\n", &bytes[..]].concat(), "{length}");
        }
    }

    #[test]
    fn the_position_of_the_file_stays() {
        let mut message = message(b"abc");
        assert_eq!(message.file().stream_position().unwrap(), 3);
        assert_eq!(rest(&mut message), b"abc");
        assert_eq!(message.file().stream_position().unwrap(), 3);
    }

    #[test]
    fn what_is_no_file_cannot_be_read_again() {
        let (read, _write) = unix::fd::pipe().unwrap();
        let mut message = Message::new(read.into());
        assert_eq!(message.block().unwrap_err().raw_os_error(), Some(29)); // ESPIPE
        let mut nothing = [0; 1];
        assert_eq!(message.file().read(&mut nothing[..0]).unwrap(), 0);
    }
}
