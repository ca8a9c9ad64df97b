//! Addresses of rules, and the keys of their records.

use std::borrow::Cow;
use std::net::IpAddr;

use wire::ip::{self, Network};
use wire::{decimal, text};

use super::Wrong;

/// Whom a rule is about, in a form that some connection can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// One key: an address, a prefix that ends in `.` or `:`, `=HOST`, `INFO@…`, or nothing.
    Key(Cow<'a, [u8]>),
    /// A network that is no prefix of the text of its addresses.
    Network(Network),
    /// A key for each number from the first to the last: `before`, the number, `after`.
    Range(&'a [u8], u8, u8, &'a [u8]),
}

impl<'a> Address<'a> {
    /// Reads what stands before the colon of a rule.
    ///
    /// Addresses are brought into the form in which tcpserver looks for them: IPv6 by RFC 5952,
    /// host names in lower case. What no connection can have is [`Wrong::NeverMatches`].
    pub fn parse(address: &'a [u8]) -> Result<Address<'a>, Wrong> {
        match address {
            [] => Ok(Address::Key(Cow::Borrowed(b""))),
            // Most rules are about one address.
            _ if ip::parse_v4(address).is_some() => Ok(Address::Key(Cow::Borrowed(address))),
            [b'=', host @ ..] => key(host_key(host, b"")),
            _ if address.contains(&b'@') => key(info_key(address)),
            _ if address.contains(&b'/') => network(address),
            _ if address.contains(&b'-') => range(address),
            _ => key(ip_key(address)),
        }
    }

    /// Calls `each` with the key of every record of the rule, in the order of the original.
    pub fn keys<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Address::Key(key) => each(key),
            Address::Network(network) => each(&network_key(*network)),
            Address::Range(before, first, last, after) => {
                let mut key = Vec::with_capacity(before.len() + 3 + after.len());
                (*first..=*last).try_for_each(|number| {
                    key.clear();
                    key.extend_from_slice(before);
                    decimal::push(&mut key, number.into());
                    key.extend_from_slice(after);
                    each(&key)
                })
            }
        }
    }
}

/// The key of a network: `ADDRESS/BITS`. The original stores what looks like this as it is, and never
/// looks for it.
pub(super) fn network_key(network: Network) -> Vec<u8> {
    let mut key = ip::text(network.address());
    key.push(b'/');
    decimal::push(&mut key, network.bits().into());
    key
}

fn key<'a>(key: Option<Vec<u8>>) -> Result<Address<'a>, Wrong> {
    key.map(|key| Address::Key(Cow::Owned(key))).ok_or(Wrong::NeverMatches)
}

/// `before`, `=` and a host name, or a suffix of one that begins with a dot, in lower case.
fn host_key(host: &[u8], before: &[u8]) -> Option<Vec<u8>> {
    let is_name = |name: &[u8]| {
        name.split(|&byte| byte == b'.').all(|label| {
            !label.is_empty()
                && label.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_\\".contains(byte))
        })
    };
    let possible = match host {
        [] => before.is_empty(),
        [b'.', suffix @ ..] => before.is_empty() && is_name(suffix),
        _ => is_name(host),
    };
    possible.then(|| [before, b"=", &host.to_ascii_lowercase()].concat())
}

/// `INFO@ADDRESS` or `INFO@=HOST`. Only whole addresses and hosts are looked for in this form.
fn info_key(address: &[u8]) -> Option<Vec<u8>> {
    let (info, place) = text::rsplit_once(address, b'@')?;
    let before = [info, b"@"].concat();
    if let Some(host) = place.strip_prefix(b"=") {
        return host_key(host, &before);
    }
    let address = ip::unmapped(ip::parse(place)?);
    Some([before, ip::text(address)].concat())
}

/// A whole address, or the beginning of one up to a dot or colon.
fn ip_key(address: &[u8]) -> Option<Vec<u8>> {
    if let Some(address) = ip::parse(address) {
        return Some(ip::text(ip::unmapped(address)));
    }
    match address {
        [.., b':'] => prefix_v6(address),
        [numbers @ .., b'.'] => {
            let is_octet = |octet: &[u8]| {
                let number = decimal::parse(octet).filter(|number| *number < 256);
                number.is_some_and(|number| number.to_string().as_bytes() == octet)
            };
            let octets = numbers.split(|&byte| byte == b'.');
            let possible = octets.clone().count() < 4 && octets.clone().all(is_octet);
            possible.then(|| address.to_vec())
        }
        _ => None,
    }
}

/// The beginning of IPv6 addresses as RFC 5952 writes them, if there are such.
fn prefix_v6(prefix: &[u8]) -> Option<Vec<u8>> {
    let groups = prefix.strip_suffix(b":")?.split(|&byte| byte == b':');
    let groups: Vec<Vec<u8>> = groups.map(canonical_group).collect::<Option<_>>()?;
    let mut canonical = groups.join(&b':');
    canonical.push(b':');
    // Whether any address begins so depends on where RFC 5952 puts "::"; so ask it about a few.
    let ends = (0..7_usize).flat_map(|more| {
        let end = |group| ["1".to_owned(), format!(":{group}").repeat(more)].concat();
        [end("1"), end("0")]
    });
    let mut examples = ends.map(|end| [&canonical[..], end.as_bytes()].concat());
    let possible = examples.any(|example| match ip::parse(&example) {
        Some(address @ IpAddr::V6(_)) => ip::text(ip::unmapped(address)).starts_with(&canonical),
        _ => false,
    });
    possible.then_some(canonical)
}

/// Up to four hexadecimal digits in lower case without leading zeros; nothing stays nothing.
fn canonical_group(group: &[u8]) -> Option<Vec<u8>> {
    if group.is_empty() {
        return Some(Vec::new());
    }
    let digits = std::str::from_utf8(group).ok().filter(|digits| digits.len() <= 4)?;
    let is_hex = group.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?.map(|number| format!("{number:x}").into())
}

/// `ADDRESS/BITS`. Where IPv4 has a classic form for it, that is what is stored, so that the original
/// obeys it too.
fn network<'a>(text: &[u8]) -> Result<Address<'a>, Wrong> {
    let network = Network::parse(text).map(unmapped).ok_or(Wrong::NeverMatches)?;
    let [a, b, c, _] = match network.address() {
        IpAddr::V4(four) => four.octets(),
        IpAddr::V6(_) if network.bits() == 128 => return key(ip_key(&ip::text(network.address()))),
        IpAddr::V6(_) => return Ok(Address::Network(network)),
    };
    Ok(match network.bits() {
        8 => Address::Key(Cow::Owned(format!("{a}.").into())),
        16 => Address::Key(Cow::Owned(format!("{a}.{b}.").into())),
        24 => Address::Key(Cow::Owned(format!("{a}.{b}.{c}.").into())),
        32 => Address::Key(Cow::Owned(ip::text(network.address()))),
        _ => Address::Network(network),
    })
}

/// A network of IPv4 addresses where it is written as one of mapped addresses.
fn unmapped(network: Network) -> Network {
    let bits = network.bits().checked_sub(96);
    match (ip::unmapped(network.address()), bits) {
        (four @ IpAddr::V4(_), Some(bits)) if network.address().is_ipv6() => {
            Network::new(four, bits).unwrap_or(network)
        }
        _ => network,
    }
}

/// An IPv4 address or prefix in which one number is `LO-HI`.
///
/// Digits missing on either side read as 0, and more than 255 as 255, as in the original.
fn range(address: &[u8]) -> Result<Address<'_>, Wrong> {
    let (left, right) = text::split_once(address, b'-').ok_or(Wrong::Malformed)?;
    let dot = left.iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
    let (before, low) = left.split_at_checked(dot).ok_or(Wrong::Malformed)?;
    let dot = right.iter().position(|&byte| byte == b'.').unwrap_or(right.len());
    let (high, after) = right.split_at_checked(dot).ok_or(Wrong::Malformed)?;
    let number = |digits: &[u8]| match digits {
        [] => Ok(0),
        _ => decimal::parse(digits).ok_or(Wrong::Malformed),
    };
    let (low, high) = (number(low)?, number(high)?.min(255));
    let first = [before, low.to_string().as_bytes(), after].concat();
    if low > high || ip_key(&first).is_none() {
        return Err(Wrong::NeverMatches);
    }
    // Both are at most 255 now.
    let octet = |number| u8::try_from(number).map_err(|_| Wrong::Malformed);
    Ok(Address::Range(before, octet(low)?, octet(high)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(address: &str) -> Result<Vec<String>, Wrong> {
        let mut found = Vec::new();
        Address::parse(address.as_bytes())?.keys(|key| {
            found.push(String::from_utf8(key.to_vec()).unwrap());
            Ok(())
        })?;
        Ok(found)
    }

    fn one(address: &str) -> String {
        let found = keys(address).unwrap_or_else(|wrong| panic!("{address}: {wrong:?}"));
        assert_eq!(found.len(), 1);
        found.into_iter().next().unwrap()
    }

    #[test]
    fn addresses_prefixes_and_hosts_are_keys_as_they_are() {
        for address in ["", "1.2.3.4", "1.", "1.2.", "1.2.3.", "=", "=a.b", "=.b.c", "=x_1-2.y"] {
            assert_eq!(one(address), address);
        }
        for address in ["joe@1.2.3.4", "joe@=a.b", "a@b@1.2.3.4", "@1.2.3.4", "joe@2001:db8::1"] {
            assert_eq!(one(address), address);
        }
        for address in
            ["2001:db8::1", "2001:db8:", "2001:", "2001:db8::", "::", "fe80::", "2001:0:0:"]
        {
            assert_eq!(one(address), address);
        }
    }

    #[test]
    fn addresses_become_what_is_looked_for() {
        assert_eq!(one("2001:DB8:0::1"), "2001:db8::1");
        assert_eq!(one("2001:0DB8:"), "2001:db8:");
        assert_eq!(one("::ffff:1.2.3.4"), "1.2.3.4");
        assert_eq!(one("=Mail.Example.ORG"), "=mail.example.org");
        assert_eq!(one("Joe@=Example.ORG"), "Joe@=example.org");
    }

    #[test]
    fn networks_have_the_classic_form_where_there_is_one() {
        assert_eq!(one("10.1.2.3/8"), "10.");
        assert_eq!(one("10.1.2.3/16"), "10.1.");
        assert_eq!(one("1.2.3.0/24"), "1.2.3.");
        assert_eq!(one("1.2.3.4/32"), "1.2.3.4");
        assert_eq!(one("2001:db8::1/128"), "2001:db8::1");
        assert_eq!(one("10.1.2.3/9"), "10.0.0.0/9");
        assert_eq!(one("0.0.0.0/0"), "0.0.0.0/0");
        assert_eq!(one("2001:DB8::1/32"), "2001:db8::/32");
        assert_eq!(one("::ffff:10.0.0.0/104"), "10.");
    }

    #[test]
    fn a_range_is_a_key_for_each_number() {
        assert_eq!(keys("10.2-3.").unwrap(), ["10.2.", "10.3."]);
        assert_eq!(keys("1.2.3.254-300").unwrap(), ["1.2.3.254", "1.2.3.255"]);
        assert_eq!(keys("-1.").unwrap(), ["0.", "1."]);
        assert_eq!(keys("01-2.").unwrap(), ["1.", "2."]);
    }

    #[test]
    fn what_no_connection_has_never_matches() {
        let wrong = [
            " 1.2.3.4",
            "1.2.3.4 x",
            "1.2.3",
            "1",
            "1.2.3.4.",
            "1.2.3.256",
            "256.",
            "01.",
            "x",
            "*",
            "1.2.3.0/33",
            "1.2.3/24",
            "/",
            "1.2.3.4/",
            "::/129",
            "=a b",
            "=a.",
            "=.",
            "=a..b",
            "=b\u{fc}cher.de",
            "joe@",
            "joe@1.2.3.",
            "joe@=",
            "joe@=.b",
            "joe@1.2.3.0/24",
            "1.2.3.5-3",
            "1.2.3.5-",
            "1.2.300-301.",
            "1.2-3",
            "2001:db8:1:2:3:4:5:6:",
            "2001:db8:::",
            "12345:",
            "2001::db8::",
            "x:",
            ":",
        ];
        for address in wrong {
            assert_eq!(keys(address), Err(Wrong::NeverMatches), "{address}");
        }
        for address in ["1.2.3.x-5", "1.2.3.5-x", "1-2-3."] {
            assert_eq!(keys(address), Err(Wrong::Malformed), "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_address_is_safe(address: Vec<u8>) {
            let _ = Address::parse(&address);
        }

        #[test]
        fn every_prefix_of_an_ipv6_address_can_be_written(six: u128) {
            let text = ip::text(ip::unmapped(IpAddr::V6(six.into())));
            for (at, _) in text.iter().enumerate().filter(|&(_, &byte)| byte == b':') {
                if !text.contains(&b'.') && at > 0 {
                    let prefix = std::str::from_utf8(&text[..=at]).unwrap();
                    prop_assert_eq!(one(prefix), prefix);
                }
            }
        }
    }
}
