//! The stream of lines on its way in: read, stamped, held until it is whole.

use std::io;

use unix::clock::Wall;
use wire::gather::Gather;

use crate::multilog::action::HEAD;
use crate::stamp::{Form, Stamper};

/// Bytes taken in one read.
pub const BLOCK: usize = 64 * 1024;

/// The beginning of a line that was held back, and what has been read behind it.
#[derive(Debug)]
pub struct Input {
    /// Room for a read, behind the bytes in `held` if lines are not stamped.
    read: Vec<u8>,
    held: usize,
    stamped: Option<(Stamper, Gather)>,
    ended_line: bool,
}

impl Input {
    /// An empty stream; with `stamp` each line gets one.
    #[must_use]
    pub fn new(stamp: Option<Form>) -> Input {
        Input {
            read: vec![0; HEAD + BLOCK],
            held: 0,
            stamped: stamp.map(|form| (Stamper::new(form), Gather::with_capacity(2 * BLOCK))),
            ended_line: true,
        }
    }

    /// Whether nothing has been read since the end of a line.
    #[must_use]
    pub fn is_at_line_start(&self) -> bool {
        self.ended_line
    }

    /// Reads at most `most` bytes (and at most [`BLOCK`]) with one call of `read`, and gives how many
    /// there were. Lines that begin in them are stamped from `now` on.
    pub fn fill(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        now: impl FnOnce() -> Wall,
    ) -> io::Result<usize> {
        let start = if self.stamped.is_some() { 0 } else { self.held };
        let end = (start + most.min(BLOCK)).min(self.read.len());
        let room = self.read.get_mut(start..end).unwrap_or_default();
        let count = read(room)?;
        let new = room.get(..count).unwrap_or_default();
        if let Some(last) = new.last() {
            self.ended_line = *last == b'\n';
        }
        match &mut self.stamped {
            Some((stamper, lines)) => stamper.feed(new, lines, now),
            None => self.held += new.len(),
        }
        Ok(count)
    }

    /// Ends a line that the stream has left without an end.
    pub fn end_line(&mut self) {
        if !self.ended_line {
            // Reading from a slice cannot fail, and a stamped line has its stamp by now.
            let _ = self.fill(
                1,
                |room| io::Read::read(&mut &b"\n"[..], room),
                || Wall { seconds: 0, nanos: 0 },
            );
        }
    }

    /// The bytes that have not been taken yet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.stamped {
            Some((_, lines)) => lines.text(),
            None => self.read.get(..self.held).unwrap_or_default(),
        }
    }

    /// Takes the first `count` bytes. What is left must be shorter than [`HEAD`].
    pub fn take(&mut self, count: usize) {
        if let Some((_, lines)) = &mut self.stamped {
            lines.drop_first(count);
        } else {
            let count = count.min(self.held);
            self.read.copy_within(count..self.held, 0);
            self.held -= count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const TIME: Wall = Wall { seconds: 994_720_184, nanos: 848_605_500 };

    fn fill(input: &mut Input, bytes: &[u8]) -> usize {
        let mut bytes = bytes;
        input.fill(BLOCK, |room| bytes.read(room), || TIME).unwrap()
    }

    #[test]
    fn what_is_not_taken_stands_before_what_is_read_next() {
        let mut input = Input::new(None);
        assert_eq!(fill(&mut input, b"one\ntw"), 6);
        input.take(4);
        assert_eq!(input.bytes(), b"tw");
        fill(&mut input, b"o\n");
        assert_eq!(input.bytes(), b"two\n");
    }

    #[test]
    fn a_line_is_stamped_once() {
        let mut input = Input::new(Some(Form::Tai64n));
        fill(&mut input, b"on");
        fill(&mut input, b"e");
        assert!(!input.is_at_line_start());
        input.end_line();
        assert!(input.is_at_line_start());
        assert_eq!(input.bytes(), b"@400000003b4a39c23294b13c one\n");
        input.end_line();
        assert_eq!(input.bytes().len(), 30);
    }

    #[test]
    fn a_read_takes_no_more_than_it_may() {
        let mut input = Input::new(None);
        let mut bytes = &b"one\n"[..];
        assert_eq!(input.fill(1, |room| bytes.read(room), || TIME).unwrap(), 1);
        assert_eq!(input.bytes(), b"o");
    }
}
