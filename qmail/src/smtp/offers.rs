//! What a server offers in its reply to EHLO (RFC 1869), as far as a client here makes use of it.

use wire::{decimal, text};

/// Extensions of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// It reads commands that are sent before it has replied to those before (RFC 2920).
    pub pipelining: bool,
    /// It takes bytes beyond ASCII, and wants to be told of them (RFC 6152).
    pub eight_bit: bool,
    /// It wants to know the size of a message beforehand (RFC 1870); 0 where it names no limit.
    pub size: Option<u64>,
}

impl Offers {
    /// The offers in the text of a reply: a line each, behind the number and a dash or blank. The first line
    /// is the server's name.
    #[must_use]
    pub fn parse(reply: &[u8]) -> Offers {
        let mut offers = Offers::default();
        for line in text::lines(reply).skip(1) {
            let mut words = text::words(line.get(4..).unwrap_or_default());
            match words.next().unwrap_or_default().to_ascii_uppercase().as_slice() {
                b"PIPELINING" => offers.pipelining = true,
                b"8BITMIME" => offers.eight_bit = true,
                b"SIZE" => {
                    let limit = words.next().and_then(decimal::parse);
                    offers.size = Some(limit.unwrap_or(0));
                }
                _ => {}
            }
        }
        offers
    }

    /// The limit that a message of `size` bytes is beyond, if it is.
    #[must_use]
    pub fn exceeded_by(self, size: u64) -> Option<u64> {
        self.size.filter(|&limit| limit > 0 && size > limit)
    }

    /// The parameters of MAIL for a message of `size` bytes, each behind a blank.
    #[must_use]
    pub fn parameters(self, size: Option<u64>) -> Vec<u8> {
        let mut words = Vec::new();
        if let (Some(_), Some(size)) = (self.size, size) {
            words.extend_from_slice(b" SIZE=");
            decimal::push(&mut words, size);
        }
        if self.eight_bit {
            words.extend_from_slice(b" BODY=8BITMIME");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_line_but_the_first_is_an_offer() {
        let offers = Offers::parse(b"250-size.test 8BITMIME\n250-size 1000\n250-8BitMIME\n250 X\n");
        let expected = Offers { pipelining: false, eight_bit: true, size: Some(1000) };
        assert_eq!(offers, expected);
        assert!(Offers::parse(b"250-a\n250-SIZE\n250 pipelining\n").pipelining);
        assert_eq!(Offers::parse(b"250-SIZE 5\n"), Offers::default());
        assert_eq!(Offers::parse(b"250-a\n250 SIZE").size, Some(0));
        assert_eq!(Offers::parse(b"250-a\n250 SIZE many").size, Some(0));
        assert_eq!(Offers::parse(b"250-a\n250-\n2\n\n250 SIZES 5").size, None);
    }

    #[test]
    fn only_what_is_offered_is_used() {
        let all = Offers { pipelining: true, eight_bit: true, size: Some(0) };
        assert_eq!(all.parameters(Some(12)), b" SIZE=12 BODY=8BITMIME");
        assert_eq!(all.parameters(None), b" BODY=8BITMIME");
        assert_eq!(Offers::default().parameters(Some(12)), b"");
        assert_eq!(all.exceeded_by(u64::MAX), None);
        let limited = Offers { size: Some(10), ..Offers::default() };
        assert_eq!((limited.exceeded_by(10), limited.exceeded_by(11)), (None, Some(10)));
    }

    proptest! {
        #[test]
        fn any_reply_is_read(reply: Vec<u8>, size: u64) {
            let _ = Offers::parse(&reply).parameters(Some(size));
        }
    }
}
