//! The seal of an envelope: the proof that a message is whole, for one that may be found in `todo/` before
//! anything of it is durable.
//!
//! It stands in the `p` record, behind the number, which is all that others read there:
//! `pNUMBER LENGTH SUM\0`. LENGTH is the size of the file in `mess/`, decimal; SUM is sixteen digits, 0 to 9
//! and a to f, over the message's bytes and then the envelope's but for SUM itself. What a power cut may
//! leave of either does not prove itself: `doc/queue.md`, section 8.

use std::ops::Range;

use wire::decimal;

use crate::record::Record;

/// Digits of a sum.
const DIGITS: usize = 16;

/// Bytes that a disk writes as a whole. A head is not longer.
pub const SECTOR: usize = 512;

/// The most bytes of a sealed message, or of its envelope: so much, and no more, is read to prove one.
pub const MOST: u64 = 1 << 20;

/// What the head of an envelope is: its `u` and its `p` record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// There is no seal: message and envelope were durable before there was a name in `todo/`.
    Plain,
    /// The message is to be believed only if it proves itself.
    Sealed(Seal),
    /// What a power cut may leave of a sealed envelope: its head ends too early, and behind that there is nothing, or
    /// there are zeros only.
    Torn,
    /// Nobody writes such a head. One of zeros with records behind may be what a power cut has left of a long envelope,
    /// but also what a bad disk has of one that was believed.
    Foreign,
}

/// A seal, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    length: u64,
    sum: [u8; DIGITS],
    place: Range<usize>,
}

/// The envelope of a message whose file in `mess/` holds `message`, one piece after the other: the records `u` and
/// `p`, the latter with the seal, and then `records`, which end with a zero byte.
#[must_use]
pub fn envelope(uid: u64, number: u64, message: &[&[u8]], records: &[u8]) -> Vec<u8> {
    let mut sum = Sum::default();
    for piece in message {
        sum.add(piece);
    }
    let mut envelope = Vec::with_capacity(records.len() + 84);
    Record::Uid(uid).write(&mut envelope);
    envelope.push(b'p');
    decimal::push(&mut envelope, number);
    envelope.push(b' ');
    decimal::push(&mut envelope, sum.length);
    envelope.push(b' ');
    sum.add(&envelope);
    sum.add(&[0]);
    sum.add(records);
    envelope.extend(sum.digits());
    envelope.push(0);
    envelope.extend_from_slice(records);
    envelope
}

impl Head {
    /// Reads the head of an envelope, which begins with `start`. [`SECTOR`] bytes are enough, if there are so many, but
    /// for one thing: of an envelope that is longer than `start` [`Head::Torn`] is told although records may follow.
    #[must_use]
    pub fn of(start: &[u8]) -> Head {
        let end = start.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let mut head = Cursor { whole: start.get(..end).unwrap_or_default(), at: 0 };
        head.parse().unwrap_or_else(|odd| odd)
    }
}

impl Seal {
    /// How long the message is.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// True if these are the message and the envelope that were sealed: all of the file in `mess/`, and all of that
    /// in `todo/`.
    #[must_use]
    pub fn proves(&self, message: &[u8], envelope: &[u8]) -> bool {
        let before = envelope.get(..self.place.start).unwrap_or_default();
        let behind = envelope.get(self.place.end..).unwrap_or_default();
        let mut sum = Sum::default();
        sum.add(message);
        let is_as_long = sum.length == self.length;
        sum.add(before);
        sum.add(behind);
        is_as_long && sum.digits() == self.sum
    }
}

/// A head being read; behind `whole` there are only zeros, or nothing.
struct Cursor<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// An envelope that is not torn has a sender behind its head: so one that ends within its head, is.
    fn parse(&mut self) -> Result<Head, Head> {
        self.take(b'u', Head::Plain)?;
        self.digits();
        self.take(0, Head::Foreign)?;
        self.take(b'p', Head::Plain)?;
        self.digits();
        if self.take(0, Head::Foreign).is_ok() {
            return if self.next() == Some(0) { Err(Head::Foreign) } else { Ok(Head::Plain) };
        }
        self.take(b' ', Head::Foreign)?;
        let length = self.digits();
        self.take(b' ', Head::Foreign)?;
        let start = self.at;
        let mut sum = [0; DIGITS];
        for digit in &mut sum {
            *digit = self.next().ok_or(Head::Torn)?;
            if !matches!(digit, b'0'..=b'9' | b'a'..=b'f') {
                return Err(Head::Foreign);
            }
        }
        let place = start..self.at;
        self.take(0, Head::Foreign)?;
        let length = decimal::parse(length).ok_or(Head::Foreign)?;
        Ok(Head::Sealed(Seal { length, sum, place }))
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.whole.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    /// Passes over a byte that must be `wanted`; what the head is if there is none, or another. A zero too many is
    /// nobody's record.
    fn take(&mut self, wanted: u8, otherwise: Head) -> Result<(), Head> {
        match self.whole.get(self.at) {
            None => Err(Head::Torn),
            Some(byte) if *byte == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(0) => Err(Head::Foreign),
            Some(_) => Err(otherwise),
        }
    }

    /// Passes over digits, or none.
    fn digits(&mut self) -> &'a [u8] {
        let rest = self.whole.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        rest.get(..count).unwrap_or_default()
    }
}

/// A sum of 64 bits over bytes that come in pieces of any size, eight of them in a step. A step is reversible, so a
/// change within eight bytes never goes unnoticed; any other does once in 2^64 times. It is not made against somebody
/// who chooses both: nobody does, but the disk.
#[derive(Clone, Copy, Debug)]
struct Sum {
    state: u64,
    /// Bytes that are no full step yet, the first lowest.
    part: u64,
    length: u64,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { state: 0x243F_6A88_85A3_08D3, part: 0, length: 0 } // of pi
    }
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let missing = usize::try_from(self.length.wrapping_neg() % 8).unwrap_or(0);
        let (head, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        for &byte in head {
            self.add_byte(byte);
        }
        let (steps, tail) = rest.as_chunks::<8>();
        for step in steps {
            self.step(u64::from_le_bytes(*step));
        }
        self.length += 8 * steps.len() as u64;
        for &byte in tail {
            self.add_byte(byte);
        }
    }

    fn add_byte(&mut self, byte: u8) {
        self.part |= u64::from(byte) << (8 * (self.length % 8));
        self.length += 1;
        if self.length.is_multiple_of(8) {
            let part = std::mem::take(&mut self.part);
            self.step(part);
        }
    }

    fn step(&mut self, bytes: u64) {
        self.state = (self.state ^ bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.state ^= self.state >> 32;
    }

    /// The sum of what came so far: the highest digit first.
    fn digits(mut self) -> [u8; DIGITS] {
        self.step(self.part);
        self.step(self.length);
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            let value = u8::try_from(self.state % 16).unwrap_or(0);
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            self.state /= 16;
        }
        digits
    }
}

#[cfg(test)]
mod tests;
