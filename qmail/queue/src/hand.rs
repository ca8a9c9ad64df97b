//! A small message handed over to qmail-queued in one packet, and its answer: a private agreement with clients
//! of this package.
//!
//! A client connects to [`SOCKET`], a socket that keeps packets apart (`SOCK_SEQPACKET`), and sends one packet: the
//! length of the message ([`HEADER`] bytes, the highest first), the message, and the envelope as qmail-queue(8)
//! takes it. The answer is one packet of [`ANSWER`] bytes: an exit code of qmail-queue(8), and the number that logs
//! and the Received line have (8 bytes, the highest first). Then the connection is closed.
//!
//! A client that is not answered still has its message, and gives it to qmail-queue: where nobody listens, where it is
//! not waited for, where the connection is closed first. That is also how a packet is told off that is too large.

mod lobby;

use crate::deposit::Refusal;
use crate::series;

pub use lobby::{Guest, Lobby, PATIENCE, PLACES};

/// The socket, below the host's home.
pub const SOCKET: &str = "run/queue";

/// The most bytes that a message and its envelope have together. What has more is qmail-queue's.
pub const MOST: usize = 64 * 1024;

/// Bytes of the length in front.
pub const HEADER: usize = series::HEADER;

/// The most bytes of a packet.
pub const PACKET: usize = HEADER + MOST;

/// Bytes of an answer.
pub const ANSWER: usize = 9;

/// A message and its envelope, which ends with a zero byte of its own: `F` sender `\0`, `T` recipient `\0` …, `\0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The message, without a Received line of the queue.
    pub message: &'a [u8],
    /// The envelope, which nobody has looked at.
    pub envelope: &'a [u8],
}

impl<'a> Offer<'a> {
    /// The packet; `None` if it would be too large.
    #[must_use]
    pub fn to_packet(self) -> Option<Vec<u8>> {
        let Offer { message, envelope } = self;
        let fits = message.len().saturating_add(envelope.len()) <= MOST;
        fits.then(|| [&series::header(message.len()), message, envelope].concat())
    }

    /// What a packet offers. One that ends within its message is refused as qmail-queue refuses a message that
    /// it cannot read.
    pub fn parse(packet: &'a [u8]) -> Result<Offer<'a>, Refusal> {
        let (length, rest) = packet.split_first_chunk::<HEADER>().ok_or(Refusal::Read)?;
        let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| Refusal::Read)?;
        let (message, envelope) = rest.split_at_checked(length).ok_or(Refusal::Read)?;
        Ok(Offer { message, envelope })
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0: it is queued, for good. Otherwise the exit code that qmail-queue would have had.
    pub code: u8,
    /// Its number in logs and in its Received line: `qp`.
    pub number: u64,
}

impl Answer {
    /// The packet.
    #[must_use]
    pub fn to_packet(self) -> [u8; ANSWER] {
        let mut packet = [self.code; ANSWER];
        if let Some(number) = packet.last_chunk_mut() {
            *number = self.number.to_be_bytes();
        }
        packet
    }

    /// What a packet says; `None` if it is no answer, which is as good as none: an empty one is the end of the
    /// connection.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Answer> {
        let (&code, number) = packet.split_first()?;
        Some(Answer { code, number: u64::from_be_bytes(number.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_the_length_the_message_and_the_envelope() {
        let offer = Offer { message: b"x\n", envelope: b"F\0Ta@b\0\0" };
        assert_eq!(offer.to_packet().unwrap(), b"\0\0\0\0\0\0\0\x02x\nF\0Ta@b\0\0");
        assert_eq!(Offer::parse(&offer.to_packet().unwrap()), Ok(offer));
    }

    #[test]
    fn what_is_too_large_has_no_packet() {
        let packet = |message| Offer { message, envelope: b"F\0\0" }.to_packet();
        let message = vec![b'x'; MOST];
        assert_eq!(packet(&message[3..]).map(|packet| packet.len()), Some(PACKET));
        assert_eq!(packet(&message[2..]), None);
    }

    #[test]
    fn a_packet_that_ends_early_is_refused() {
        for packet in [&b""[..], b"\0\0\0", b"\0\0\0\0\0\0\0\x03x\n", &[0xff; 20]] {
            assert_eq!(Offer::parse(packet), Err(Refusal::Read), "{packet:?}");
        }
    }

    #[test]
    fn an_answer_is_a_code_and_a_number() {
        let answer = Answer { code: 53, number: 0x0102 };
        assert_eq!(answer.to_packet(), [53, 0, 0, 0, 0, 0, 0, 1, 2]);
        for none in [&b""[..], &[0; 8], &[0; 10]] {
            assert_eq!(Answer::parse(none), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_offered_arrives(message: Vec<u8>, envelope: Vec<u8>) {
            let offer = Offer { message: &message, envelope: &envelope };
            let packet = offer.to_packet().unwrap();
            prop_assert_eq!(Offer::parse(&packet), Ok(offer));
        }

        #[test]
        fn any_packet_is_read_or_refused(packet: Vec<u8>) {
            if let Ok(offer) = Offer::parse(&packet) {
                prop_assert_eq!(offer.to_packet(), Some(packet));
            }
        }

        #[test]
        fn what_is_answered_arrives(code: u8, number: u64) {
            let answer = Answer { code, number };
            prop_assert_eq!(Answer::parse(&answer.to_packet()), Some(answer));
        }
    }
}
