//! IPv4 and IPv6 addresses as text and as bytes.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest text of an address: 39 bytes of IPv6, or 45 with an embedded dotted quad.
pub const LONGEST: usize = 45;

/// The address that `text` is, in either family.
///
/// IPv4 is four decimal numbers without leading zeros; IPv6 is RFC 4291 section 2.2, without
/// brackets and without a zone.
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    if let Some(four) = parse_v4(text) {
        return Some(IpAddr::V4(four));
    }
    if text.len() > LONGEST {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().map(IpAddr::V6)
}

/// The IPv4 address that `text` is.
#[must_use]
pub fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    // By hand, because tcprules does this for each line.
    const NONE: u32 = 256;
    let (mut address, mut dots, mut number) = (0_u32, 0, NONE);
    for &byte in text {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit < 10 {
            number = match number {
                NONE => digit,
                0 => return None,
                _ => number * 10 + digit,
            };
            if number > 255 {
                return None;
            }
        } else if byte == b'.' && number != NONE && dots < 3 {
            (address, dots, number) = (address << 8 | number, dots + 1, NONE);
        } else {
            return None;
        }
    }
    (dots == 3 && number != NONE).then(|| (address << 8 | number).into())
}

/// The IPv6 address that `text` is.
#[must_use]
pub fn parse_v6(text: &[u8]) -> Option<Ipv6Addr> {
    match parse(text)? {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address),
    }
}

/// The address in an address literal of mail: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
///
/// Source: RFC 5321 section 4.1.3. The tag's case does not matter.
#[must_use]
pub fn parse_literal(text: &[u8]) -> Option<IpAddr> {
    let inner = text.strip_prefix(b"[")?.strip_suffix(b"]")?;
    match crate::text::strip_prefix_ignore_case(inner, b"ipv6:") {
        Some(six) => parse_v6(six).map(IpAddr::V6),
        None => parse_v4(inner).map(IpAddr::V4),
    }
}

/// An IPv4 address where an IPv6 socket shows one as `::ffff:a.b.c.d`; any other as it is.
#[must_use]
pub fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The address as an IPv6 socket wants it: IPv4 becomes `::ffff:a.b.c.d`.
#[must_use]
pub fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}

/// Appends the address as text: a dotted quad, or RFC 5952 (a mapped address ends in one).
pub fn push(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(four) => {
            // By hand, because this is done several times for each connection of a server.
            for (place, octet) in four.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                if octet >= 100 {
                    out.push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    out.push(b'0' + octet / 10 % 10);
                }
                out.push(b'0' + octet % 10);
            }
        }
        IpAddr::V6(six) => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{six}");
        }
    }
}

/// The address as text: a dotted quad, or RFC 5952.
#[must_use]
pub fn text(address: IpAddr) -> Vec<u8> {
    let mut out = Vec::with_capacity(LONGEST);
    push(&mut out, address);
    out
}

/// Appends the name under which DNS lists the address, without the zone: the octets of IPv4 in
/// reverse (`1.2.0.192`), or the 32 hexadecimal digits of IPv6 in reverse.
///
/// A mapped address goes by its IPv4 form. Source: RFC 1035 section 3.5, RFC 3596 section 2.5,
/// RFC 5782 section 2.
pub fn push_reversed(out: &mut Vec<u8>, address: IpAddr) {
    match unmapped(address) {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            let _ = write!(out, "{d}.{c}.{b}.{a}");
        }
        IpAddr::V6(six) => {
            for (place, byte) in six.octets().into_iter().rev().enumerate() {
                let dot = if place == 0 { "" } else { "." };
                let _ = write!(out, "{dot}{:x}.{:x}", byte & 15, byte >> 4);
            }
        }
    }
}

/// The name of the address's PTR record, without a final dot.
#[must_use]
pub fn reverse_name(address: IpAddr) -> Vec<u8> {
    let mut out = Vec::with_capacity(72);
    push_reversed(&mut out, address);
    out.extend_from_slice(match unmapped(address) {
        IpAddr::V4(_) => b".in-addr.arpa",
        IpAddr::V6(_) => b".ip6.arpa",
    });
    out
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of the first `bits` bits of `address`; what follows them becomes zero.
    ///
    /// `None` if the family has no so long prefix.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Network> {
        let masked = match address {
            IpAddr::V4(four) => {
                let drop = 32_u32.checked_sub(u32::from(bits))?;
                let mask = u32::MAX.checked_shl(drop).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() & mask))
            }
            IpAddr::V6(six) => {
                let drop = 128_u32.checked_sub(u32::from(bits))?;
                let mask = u128::MAX.checked_shl(drop).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & mask))
            }
        };
        Some(Network { address: masked, bits })
    }

    /// The network that `text` is: `ADDRESS/BITS`. Bits set after the prefix are dropped.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Network> {
        let (address, bits) = crate::text::split_once(text, b'/')?;
        let bits = u8::try_from(crate::decimal::parse(bits)?).ok()?;
        Network::new(parse(address)?, bits)
    }

    /// The first address of the network.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `address` is in the network; never for the other family.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Network::new(address, self.bits).is_some_and(|network| network == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        parse(text.as_bytes()).unwrap()
    }

    fn shown(text: &str) -> String {
        String::from_utf8(super::text(address(text))).unwrap()
    }

    #[test]
    fn ipv6_is_written_by_rfc_5952() {
        assert_eq!(shown("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
        assert_eq!(shown("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");
        assert_eq!(shown("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");
        assert_eq!(shown("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
        assert_eq!(shown("0:0:0:0:0:0:0:0"), "::");
        assert_eq!(shown("::ffff:7f00:1"), "::ffff:127.0.0.1");
    }

    #[test]
    fn what_is_not_an_address_is_nothing() {
        for wrong in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", " 1.2.3.4", "[::1]"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        for wrong in ["1::2::3", "::1%lo", "12345::", "1:2:3:4:5:6:7", "\u{663}.1.1.1"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse(b"\xff"), None);
    }

    #[test]
    fn a_literal_has_brackets_and_a_tag_for_ipv6() {
        assert_eq!(parse_literal(b"[127.0.0.1]"), Some(address("127.0.0.1")));
        assert_eq!(parse_literal(b"[ipv6:::1]"), Some(address("::1")));
        assert_eq!(parse_literal(b"[::1]"), None);
        assert_eq!(parse_literal(b"127.0.0.1"), None);
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        assert_eq!(unmapped(address("::ffff:192.0.2.1")), address("192.0.2.1"));
        assert_eq!(unmapped(address("::1")), address("::1"));
        assert_eq!(mapped(address("192.0.2.1")), parse_v6(b"::ffff:192.0.2.1").unwrap());
    }

    #[test]
    fn the_reverse_name_is_the_one_of_the_ptr_record() {
        assert_eq!(reverse_name(address("192.0.2.1")), b"1.2.0.192.in-addr.arpa");
        assert_eq!(reverse_name(address("::ffff:192.0.2.1")), b"1.2.0.192.in-addr.arpa");
        assert_eq!(
            reverse_name(address("2001:db8::12")),
            &b"2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"[..]
        );
    }

    #[test]
    fn a_network_holds_what_shares_its_bits() {
        let ten = Network::parse(b"10.1.2.3/8").unwrap();
        assert_eq!((ten.address(), ten.bits()), (address("10.0.0.0"), 8));
        assert!(ten.contains(address("10.255.0.1")));
        assert!(!ten.contains(address("11.0.0.1")));
        assert!(!ten.contains(address("a00::")));
        assert!(Network::parse(b"::/0").unwrap().contains(address("2001:db8::1")));
        assert!(Network::parse(b"0.0.0.0/0").unwrap().contains(address("192.0.2.1")));
        assert!(Network::parse(b"::1/128").unwrap().contains(address("::1")));
    }

    #[test]
    fn a_network_needs_a_sensible_length() {
        for wrong in [&b"10.0.0.0"[..], b"10.0.0.0/", b"10.0.0.0/33", b"::/129", b"10/8", b"::/999"]
        {
            assert_eq!(Network::parse(wrong), None);
        }
    }

    #[test]
    fn ipv4_is_written_without_leading_zeros() {
        for text in ["0.0.0.0", "1.20.100.9", "255.199.10.101"] {
            assert_eq!(shown(text), text);
        }
    }

    proptest! {
        #[test]
        fn what_looks_like_an_address_is_one_if_the_standard_library_says_so(
            text in "[0-9a-f.:]{0,16}|([0-9]{1,3}[.]){3}[0-9]{1,3}",
        ) {
            prop_assert_eq!(parse(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn every_address_reads_back(four: u32, six: u128) {
            for address in [IpAddr::V4(four.into()), IpAddr::V6(six.into())] {
                let written = text(address);
                prop_assert!(written.len() <= LONGEST);
                prop_assert_eq!(parse(&written), Some(address));
            }
        }

        #[test]
        fn parsing_any_bytes_is_safe(bytes: Vec<u8>) {
            let _ = (parse(&bytes), parse_literal(&bytes), Network::parse(&bytes));
        }
    }
}
