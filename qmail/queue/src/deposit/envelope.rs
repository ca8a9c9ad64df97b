//! The envelope as a client writes it: `F` sender `\0`, `T` recipient `\0` …, `\0`.

use super::Refusal;

/// Longest address, without its zero byte.
const LONGEST: usize = 1002;

/// Checks an envelope that arrives in pieces of any size, in no memory of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope {
    expected: Expected,
}

#[derive(Clone, Copy, Debug, Default)]
enum Expected {
    /// The sender's letter.
    #[default]
    Sender,
    /// A recipient's letter, or the end.
    Recipient,
    /// More of an address that has this many bytes so far.
    Address(usize),
    /// Nothing.
    End,
}

impl Envelope {
    /// The records of an envelope that is there as a whole, without its end.
    pub fn records(bytes: &[u8]) -> Result<&[u8], Refusal> {
        let mut envelope = Envelope::default();
        let length = envelope.accept(bytes)?;
        let records = bytes.get(..length).filter(|_| envelope.is_complete());
        records.ok_or(Refusal::Read)
    }

    /// True once its end has been seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.expected, Expected::End)
    }

    /// Takes the next piece; gives how many of its bytes are records. What follows them is the end
    /// of the envelope, and bytes that nobody looks at.
    pub fn accept(&mut self, piece: &[u8]) -> Result<usize, Refusal> {
        let mut rest = piece;
        while !rest.is_empty() {
            self.expected = match (self.expected, rest) {
                (Expected::End, _) => break,
                (Expected::Recipient, [0, ..]) => Expected::End,
                (Expected::Sender, [b'F', after @ ..])
                | (Expected::Recipient, [b'T', after @ ..]) => {
                    rest = after;
                    Expected::Address(0)
                }
                (Expected::Sender | Expected::Recipient, _) => return Err(Refusal::Envelope),
                (Expected::Address(length), _) => {
                    let end = rest.iter().take(LONGEST + 1).position(|&byte| byte == 0);
                    let more = end.unwrap_or(rest.len());
                    if length + more > LONGEST {
                        return Err(Refusal::AddressTooLong);
                    }
                    rest = rest.get(more + usize::from(end.is_some())..).unwrap_or_default();
                    match end {
                        Some(_) => Expected::Recipient,
                        None => Expected::Address(length + more),
                    }
                }
            };
        }
        Ok(piece.len() - rest.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut envelope = Envelope::default();
        Ok((envelope.accept(bytes)?, envelope.is_complete()))
    }

    #[test]
    fn a_whole_envelope_is_its_records() {
        assert_eq!(check(b"Fa@b\0Tc@d\0\0"), Ok((10, true)));
        assert_eq!(check(b"F\0\0"), Ok((2, true)));
        assert_eq!(check(b"F\0T\0\0"), Ok((4, true)));
    }

    #[test]
    fn bytes_behind_the_end_are_ignored() {
        assert_eq!(check(b"F\0Ta\0\0XYZ"), Ok((5, true)));
    }

    #[test]
    fn an_envelope_without_its_end_is_not_complete() {
        assert_eq!(check(b"Fa@b\0Tc@d\0"), Ok((10, false)));
        assert_eq!(check(b"Fa@b\0Tc"), Ok((7, false)));
    }

    #[test]
    fn other_letters_are_refused() {
        assert_eq!(check(b"Ta\0\0"), Err(Refusal::Envelope));
        assert_eq!(check(b"\0"), Err(Refusal::Envelope));
        assert_eq!(check(b"Fa\0Fb\0\0"), Err(Refusal::Envelope));
    }

    #[test]
    fn an_address_has_at_most_1002_bytes() {
        let with = |length: usize| [b"F\0T", vec![b'x'; length].as_slice(), b"\0\0"].concat();
        assert_eq!(check(&with(1002)), Ok((2 + 1004, true)));
        assert_eq!(check(&with(1003)), Err(Refusal::AddressTooLong));
        let long_sender = [b"F".as_slice(), &vec![b'x'; 1003]].concat();
        assert_eq!(check(&long_sender), Err(Refusal::AddressTooLong));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            bytes in proptest::collection::vec(
                prop_oneof![Just(0u8), Just(b'F'), Just(b'T'), Just(b'x')], 0..60),
            size in 1usize..5,
        ) {
            let mut envelope = Envelope::default();
            let mut records = 0;
            let mut refused = None;
            for piece in bytes.chunks(size) {
                match envelope.accept(piece) {
                    Ok(count) => records += count,
                    Err(refusal) => { refused = Some(refusal); break }
                }
            }
            let pieces = refused.map_or(Ok((records, envelope.is_complete())), Err);
            prop_assert_eq!(pieces, check(&bytes));
        }
    }
}
