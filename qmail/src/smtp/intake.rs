//! A message coming in: the data of it, and what it may not be.

use super::data::{BareCr, Decoder, Progress};
use crate::received::{MOST_HOPS, Passing};

/// Longest header, in bytes: programs further on may hold one in memory.
pub const LONGEST_HEADER: u64 = 1 << 20;

/// Why a message is not taken, though it is read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its header is too long.
    Header,
    /// It has seen too many hosts.
    Hops,
    /// It has more bytes than databytes allows.
    Size,
}

/// Reads a message from a client.
#[derive(Debug)]
pub struct Intake {
    decoder: Decoder,
    passing: Passing,
    size: u64,
    limit: u64,
}

impl Intake {
    /// For a message of at most `limit` bytes as stored; 0 is any number.
    #[must_use]
    pub fn new(limit: u64, bare_cr: BareCr) -> Intake {
        let limit = if limit == 0 { u64::MAX } else { limit };
        Intake { decoder: Decoder::new(bare_cr), passing: Passing::default(), size: 0, limit }
    }

    /// Reads `input` and gives the message's bytes to `message`; how much has been taken, and how far
    /// the message is, as [`Decoder::read`] has it.
    pub fn read(&mut self, input: &[u8], mut message: impl FnMut(&[u8])) -> (usize, Progress) {
        let Intake { decoder, passing, size, .. } = self;
        decoder.read(input, |bytes| {
            *size = size.saturating_add(bytes.len() as u64);
            passing.look(bytes);
            message(bytes);
        })
    }

    /// Whether what has been read so far is enough to refuse the message.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        if self.passing.hops() >= MOST_HOPS {
            Some(Refusal::Hops)
        } else if self.size > self.limit {
            Some(Refusal::Size)
        } else if self.passing.header_size() > LONGEST_HEADER {
            Some(Refusal::Header)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(limit: u64, message: &str) -> Option<Refusal> {
        let mut intake = Intake::new(limit, BareCr::Refuse);
        let input = message.replace('\n', "\r\n") + ".\r\n";
        let (taken, progress) = intake.read(input.as_bytes(), |_| {});
        assert_eq!((taken, progress), (input.len(), Progress::Done));
        intake.refusal()
    }

    #[test]
    fn a_message_may_have_exactly_as_many_bytes_as_allowed() {
        assert_eq!(refusal(5, "..a\nb\n"), None);
        assert_eq!(refusal(5, "ab\ncd\n"), Some(Refusal::Size));
        assert_eq!(refusal(0, "ab\ncd\n"), None);
    }

    #[test]
    fn a_hundred_hops_are_too_many() {
        assert_eq!(refusal(0, &("Received: x\n".repeat(99) + "\nReceived: x\n")), None);
        assert_eq!(refusal(9, &"Delivered-To: x\n".repeat(100)), Some(Refusal::Hops));
    }

    #[test]
    fn a_header_has_its_limit_and_a_body_has_none() {
        let line = format!("X: {}\n", "x".repeat(996));
        assert_eq!(refusal(0, &line.repeat(1048)), None);
        assert_eq!(refusal(0, &line.repeat(1049)), Some(Refusal::Header));
        assert_eq!(refusal(0, &format!("A: b\n\n{}", line.repeat(2000))), None);
    }
}
