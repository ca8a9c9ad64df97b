//! How a server hands further connections to a program that it has started for one already.
//!
//! The program is told of a channel that keeps messages apart (`SOCK_SEQPACKET`) by a variable,
//! [`VARIABLE`], whose value is an [`Offer`]. When it has closed its connection it sends one byte
//! there, the code that it would have ended with ([`over`]). The server then sends an
//! [`environment`], and the next connection with it as a descriptor; or it closes the channel, and
//! the program ends.
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

/// Some environments cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Makes `out` the next connection's environment of `strings`, each `NAME=VALUE`. Whoever
/// sends it has left [`VARIABLE`] out.
///
/// It is unfit if it is empty or longer than [`LONGEST`], or if a string has no name, no `=` or a zero byte.
pub fn environment<'a>(
    out: &mut Vec<u8>,
    strings: impl Iterator<Item = &'a [u8]>,
) -> Result<(), Unfit> {
    out.clear();
    for string in strings {
        variable(string).filter(|_| !string.contains(&0)).ok_or(Unfit)?;
        out.extend_from_slice(string);
        out.push(0);
    }
    if (1..=LONGEST).contains(&out.len()) { Ok(()) } else { Err(Unfit) }
}

/// The names and values of an environment; `None` if it is none, or was cut short.
#[must_use]
pub fn variables(message: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let strings = message.strip_suffix(b"\0")?;
    strings.split(|&byte| byte == 0).map(variable).collect()
}

/// A name, of one byte at least, and what follows the first `=`.
fn variable(string: &[u8]) -> Option<(&[u8], &[u8])> {
    crate::text::split_once(string, b'=').filter(|(name, _)| !name.is_empty())
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

    fn sent(strings: &[&[u8]]) -> Result<Vec<u8>, Unfit> {
        let mut out = b"old".to_vec();
        environment(&mut out, strings.iter().copied()).map(|()| out)
    }

    #[test]
    fn an_environment_is_whole_strings() {
        let message = b"PROTO=TCP\0A=\0B=c=d\0";
        let read: [(&[u8], &[u8]); 3] = [(b"PROTO", b"TCP"), (b"A", b""), (b"B", b"c=d")];
        assert_eq!(variables(message), Some(read.to_vec()));
        assert_eq!(sent(&[b"PROTO=TCP", b"A=", b"B=c=d"]), Ok(message.to_vec()));
        for wrong in [&b""[..], b"\0", b"A=1", b"A=1\0B\0", b"A=1\0\0", b"=1\0", b"A=1\0B=\0C"] {
            assert_eq!(variables(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_would_not_be_read_is_not_sent() {
        let longest = [b"A=", &vec![b'x'; LONGEST - 3][..]].concat();
        assert!(sent(&[&longest]).is_ok());
        assert_eq!(sent(&[&longest, b"B="]), Err(Unfit));
        for wrong in [&b"A"[..], b"", b"=x", b"A=\0"] {
            assert_eq!(sent(&[wrong]), Err(Unfit), "{wrong:?}");
        }
        assert_eq!(sent(&[]), Err(Unfit));
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
            pairs in prop::collection::vec(("[^=\0]{1,8}", "[^\0]{0,20}"), 1..20),
            cut in 0..300usize,
        ) {
            let strings: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let strings: Vec<&[u8]> = strings.iter().map(String::as_bytes).collect();
            let message = sent(&strings).unwrap();
            let expected: Vec<(&[u8], &[u8])> =
                pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            prop_assert_eq!(variables(&message), Some(expected.clone()));
            // A part is never taken for more than it is.
            let part = message.get(..cut).unwrap_or(&message);
            match variables(part) {
                Some(some) => prop_assert!(part.ends_with(b"\0") && expected.starts_with(&some)),
                None => prop_assert!(!part.ends_with(b"\0")),
            }
        }
    }
}
