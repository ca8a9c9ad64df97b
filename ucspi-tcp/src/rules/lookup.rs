//! In which order rules are looked for.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use lookup::cdb::Cdb;
use wire::ip;

use super::address::network_key;
use super::networks::{self, Lengths};

/// Who connects, as far as rules can tell.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The address as text.
    pub ip: &'a [u8],
    /// The host's name, in lower case, if it is known.
    pub host: Option<&'a [u8]>,
    /// What the host says about its user, if it was asked and answered.
    pub info: Option<&'a [u8]>,
}

/// A rule that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The key of its record.
    pub key: Vec<u8>,
    /// The data: see [`super::items`].
    pub data: Vec<u8>,
}

/// Finds the rule for `peer`: the first of its keys for which `ask` knows data.
///
/// The keys are `INFO@IP`, `INFO@=HOST`, `IP`, `=HOST`, then the networks that the address is in,
/// longest first, then `=` and the ends of the host's name that begin with a dot, longest first,
/// then `=`, then nothing. Networks are prefixes of the text that end in a dot or colon, and
/// those of the record `/`; of two of the same length the prefix comes first.
/// Source: tcprules(1); the record `/` is ours.
pub fn find<E>(
    peer: Peer<'_>,
    mut ask: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Match>, E> {
    let mut try_key = |key: &[u8]| -> Result<Option<Match>, E> {
        Ok(ask(key)?.map(|data| Match { key: key.to_vec(), data }))
    };
    macro_rules! look_for {
        ($key:expr) => {
            if let Some(found) = try_key($key)? {
                return Ok(Some(found));
            }
        };
    }

    if let Some(info) = peer.info {
        look_for!(&[info, b"@", peer.ip].concat());
        if let Some(host) = peer.host {
            look_for!(&[info, b"@=", host].concat());
        }
    }
    look_for!(peer.ip);
    let host = peer.host.map(|host| [b"=", host].concat());
    if let Some(host) = &host {
        look_for!(host);
    }

    let address = ip::parse(peer.ip).map(ip::unmapped);
    let lengths = match (address, try_key(networks::KEY)?) {
        (Some(_), Some(found)) => Lengths::read(&found.data),
        _ => Lengths::default(),
    };
    let mut networks = address.into_iter().flat_map(|address| lengths.around(address)).peekable();
    for (prefix, bits) in prefixes(peer.ip, address) {
        while let Some(network) = networks.next_if(|network| u32::from(network.bits()) > bits) {
            look_for!(&network_key(network));
        }
        look_for!(prefix);
    }
    for network in networks {
        look_for!(&network_key(network));
    }

    if let Some(host) = &host {
        for (at, _) in host.iter().enumerate().filter(|&(at, &byte)| byte == b'.' && at > 0) {
            let suffix = host.get(at..).unwrap_or_default();
            look_for!(&[b"=", suffix].concat());
        }
        look_for!(b"=");
    }
    try_key(b"")
}

/// Finds the rule for `peer` in the cdb at `path`; for who asks once.
pub fn find_in(path: &Path, peer: Peer<'_>) -> io::Result<Option<Match>> {
    let cdb = Cdb::open(path)?;
    find(peer, |key| cdb.find(key))
}

/// The beginnings of an address that end in a dot or a colon, longest first, each with the number of
/// bits that it fixes.
fn prefixes(ip: &[u8], address: Option<IpAddr>) -> impl Iterator<Item = (&[u8], u32)> {
    let group = if address.is_some_and(|address| address.is_ipv6()) { 16 } else { 8 };
    let ends = ip.iter().enumerate().rev().filter(|(_, byte)| b".:".contains(byte));
    ends.filter_map(move |(at, _)| {
        let prefix = ip.get(..=at)?;
        let parts = prefix.split(|byte| b".:".contains(byte)).filter(|part| !part.is_empty());
        Some((prefix, parts.count().try_into().unwrap_or(u32::MAX).saturating_mul(group)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Every key that is asked for when there are no rules but that of the lengths.
    fn asked(peer: Peer<'_>, lengths: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let found: Result<_, Infallible> = find(peer, |key| {
            keys.push(String::from_utf8(key.to_vec()).unwrap());
            Ok(if key == b"/" && !lengths.is_empty() { Some(lengths.into()) } else { None })
        });
        assert_eq!(found, Ok(None));
        keys
    }

    #[test]
    fn the_order_is_the_original_s() {
        let peer = Peer { ip: b"1.2.3.4", host: Some(b"a.b.c"), info: Some(b"joe") };
        let expected = [
            "joe@1.2.3.4",
            "joe@=a.b.c",
            "1.2.3.4",
            "=a.b.c",
            "/",
            "1.2.3.",
            "1.2.",
            "1.",
            "=.b.c",
            "=.c",
            "=",
            "",
        ];
        assert_eq!(asked(peer, ""), expected);
        let unknown = Peer { host: None, info: None, ..peer };
        assert_eq!(asked(unknown, ""), ["1.2.3.4", "/", "1.2.3.", "1.2.", "1.", ""]);
    }

    #[test]
    fn networks_stand_between_the_prefixes_by_length() {
        let peer = Peer { ip: b"10.2.3.4", host: None, info: None };
        let expected = [
            "10.2.3.4",
            "/",
            "10.2.3.4/31",
            "10.2.3.",
            "10.2.3.0/24",
            "10.2.2.0/23",
            "10.2.",
            "10.",
            "10.0.0.0/7",
            "0.0.0.0/0",
            "",
        ];
        assert_eq!(asked(peer, "4/0\x004/7\x004/23\x004/24\x004/31\x006/64\0"), expected);
    }

    #[test]
    fn an_ipv6_address_has_prefixes_that_end_in_colons() {
        let peer = Peer { ip: b"2001:db8::1", host: None, info: None };
        let expected = [
            "2001:db8::1",
            "/",
            "2001:db8::/33",
            "2001:db8::",
            "2001:db8:",
            "2001:db8::/32",
            "2001:",
            "",
        ];
        assert_eq!(asked(peer, "6/32\x006/33\x004/9\0"), expected);
    }

    #[test]
    fn the_first_key_that_is_known_ends_the_search() {
        let peer = Peer { ip: b"1.2.3.4", host: None, info: None };
        let mut count = 0;
        let found: Result<_, Infallible> = find(peer, |key| {
            count += 1;
            Ok((key == b"1.2." || key == b"1.").then(|| b"D\0".to_vec()))
        });
        assert_eq!(found, Ok(Some(Match { key: b"1.2.".to_vec(), data: b"D\0".to_vec() })));
        assert_eq!(count, 4);
    }

    #[test]
    fn an_error_is_not_the_end_of_the_list() {
        let peer = Peer { ip: b"1.2.3.4", host: None, info: None };
        assert_eq!(find(peer, |_| Err("torn")), Err("torn"));
    }
}
