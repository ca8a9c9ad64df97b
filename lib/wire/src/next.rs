//! How a server hands further connections to a program that it has started for one already.
//!
//! The program is told of a channel that keeps messages apart (`SOCK_SEQPACKET`) by a variable,
//! [`VARIABLE`], whose value is an [`Offer`]. When it has closed its connection it sends [`over`] there: one byte, the code that it
//! would have ended with. The server then sends an environment ([`push`], [`variables`]), and the next connection with it as a
//! descriptor; or it closes the channel, and the program ends.
//!
//! Only a program whose own file is the one that the offer names may take it up. What stands before it
//! in a chain would be left out otherwise, and that may be what keeps clients away.

use crate::decimal;

/// The variable that makes the offer.
pub const VARIABLE: &[u8] = b"TCPNEXT";

/// The longest environment that is sent, in bytes: room for it is enough.
pub const LONGEST: usize = 64 * 1024;

/// Descriptors below are a connection and the log.
const FIRST: i32 = 3;

/// The offer of further connections: `DESCRIPTOR DEVICE INODE`, each in decimal, with one blank between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The channel's number, from 3 on.
    pub descriptor: i32,
    /// The device of the file of the program that was started, as stat(2) has it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

impl Offer {
    /// The offer that `value`, the variable's, makes.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Offer> {
        let mut numbers = value.split(|&byte| byte == b' ').map(decimal::parse);
        let (descriptor, device, inode) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let descriptor = i32::try_from(descriptor).ok().filter(|&number| number >= FIRST)?;
        numbers.next().is_none().then_some(Offer { descriptor, device, inode })
    }

    /// Appends the variable's value.
    pub fn push(&self, out: &mut Vec<u8>) {
        decimal::push(out, self.descriptor.unsigned_abs().into());
        out.push(b' ');
        decimal::push(out, self.device);
        out.push(b' ');
        decimal::push(out, self.inode);
    }

    /// Whether the offer is made to the program of that file.
    #[must_use]
    pub fn is_for(&self, device: u64, inode: u64) -> bool {
        (self.device, self.inode) == (device, inode)
    }
}

/// What a program sends when a connection is over: the code that it would have ended with.
#[must_use]
pub fn over(code: u8) -> [u8; 1] {
    [code]
}

/// The code in what a program has sent; `None` for what no program sends. Nothing at all is the end of
/// the channel.
#[must_use]
pub fn code(message: &[u8]) -> Option<u8> {
    match message {
        [code] => Some(*code),
        _ => None,
    }
}

/// Appends one `NAME=VALUE` of the next connection's environment, which is all of it but [`VARIABLE`].
pub fn push(out: &mut Vec<u8>, string: &[u8]) {
    out.extend_from_slice(string);
    out.push(0);
}

/// The names and values of an environment; `None` if it is none, or was cut short.
///
/// A name has one byte at least, and ends before the first `=` that follows that.
#[must_use]
pub fn variables(message: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let strings = message.strip_suffix(b"\0")?;
    strings.split(|&byte| byte == 0).map(variable).collect()
}

fn variable(string: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = string.iter().skip(1).position(|&byte| byte == b'=')? + 1;
    let (name, value) = string.split_at_checked(end)?;
    Some((name, value.strip_prefix(b"=")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFER: Offer = Offer { descriptor: 5, device: 2049, inode: 131_072 };

    #[test]
    fn an_offer_is_three_numbers() {
        let mut value = Vec::new();
        OFFER.push(&mut value);
        assert_eq!(value, b"5 2049 131072");
        assert_eq!(Offer::parse(&value), Some(OFFER));
        assert!(OFFER.is_for(2049, 131_072));
        assert!(!OFFER.is_for(2049, 5) && !OFFER.is_for(5, 131_072));
    }

    #[test]
    fn anything_else_offers_nothing() {
        let wrong: [&[u8]; 9] = [
            b"",
            b"5",
            b"5 2049",
            b"5 2049 1 2",
            b"5  2049 1",
            b"2 2049 1",
            b"-5 2049 1",
            b"4294967296 2049 1",
            b"5 2049 1\n",
        ];
        for value in wrong {
            assert_eq!(Offer::parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_connection_is_over_with_one_byte() {
        assert_eq!(code(&over(100)), Some(100));
        assert_eq!((code(b""), code(b"\0\0")), (None, None));
    }

    #[test]
    fn an_environment_is_whole_strings() {
        let read: Option<Vec<(&[u8], &[u8])>> =
            Some(vec![(b"PROTO", b"TCP"), (b"A", b""), (b"=B", b"c=d")]);
        assert_eq!(variables(b"PROTO=TCP\0A=\0=B=c=d\0"), read);
        for wrong in [&b""[..], b"\0", b"A=1", b"A=1\0B\0", b"A=1\0\0", b"=1\0", b"A=1\0B=\0C"] {
            assert_eq!(variables(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn an_offer_reads_back(descriptor in 3..=i32::MAX, device: u64, inode: u64) {
            let offer = Offer { descriptor, device, inode };
            let mut value = Vec::new();
            offer.push(&mut value);
            prop_assert_eq!(Offer::parse(&value), Some(offer));
        }

        #[test]
        fn an_environment_reads_back(
            strings in prop::collection::vec(("[^=\0][^=\0]{0,8}", "[^\0]{0,20}"), 1..20),
        ) {
            let mut message = Vec::new();
            for (name, value) in &strings {
                push(&mut message, format!("{name}={value}").as_bytes());
            }
            let expected: Vec<(&[u8], &[u8])> =
                strings.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            prop_assert_eq!(variables(&message), Some(expected));
        }

        #[test]
        fn a_part_of_an_environment_is_never_taken_for_more_than_it_is(
            strings in prop::collection::vec("[A-Z]{1,4}=[a-z]{0,6}", 1..8), cut in 0..80usize,
        ) {
            let mut message = Vec::new();
            for string in &strings {
                push(&mut message, string.as_bytes());
            }
            let part = message.get(..cut).unwrap_or(&message);
            let all = variables(&message).unwrap();
            match variables(part) {
                Some(some) => prop_assert!(part.ends_with(b"\0") && all.starts_with(&some)),
                None => prop_assert!(!part.ends_with(b"\0")),
            }
        }
    }
}
