//! Networks whose length is no classic prefix, and the record that tells which lengths there are.

use std::net::IpAddr;

use wire::ip::Network;
use wire::{decimal, text};

/// The key of the record that lists the lengths. No address can be this, so the original never asks
/// for it.
pub(super) const KEY: &[u8] = b"/";

/// The lengths of prefixes for which a file has networks, by family.
///
/// Compiled, it is a record with key `/` and items `4/BITS` and `6/BITS` that end in a zero byte: a
/// server asks for one network per length, not for each length that could be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    v4: u64,
    v6: [u64; 3],
}

impl Lengths {
    /// Notes that there is a rule for `network`.
    pub fn add(&mut self, network: Network) {
        let bits = network.bits();
        match network.address() {
            IpAddr::V4(_) => self.v4 |= 1_u64.checked_shl(bits.into()).unwrap_or(0),
            IpAddr::V6(_) => {
                if let Some(word) = self.v6.get_mut(usize::from(bits / 64)) {
                    *word |= 1 << (bits % 64);
                }
            }
        }
    }

    fn contains(&self, is_v4: bool, bits: u8) -> bool {
        let word = if is_v4 { Some(&self.v4) } else { self.v6.get(usize::from(bits / 64)) };
        (bits < 64 || !is_v4) && word.is_some_and(|word| word >> (bits % 64) & 1 == 1)
    }

    /// The record, if there are networks at all: its key and its data, longest prefix first.
    #[must_use]
    pub fn record(&self) -> Option<(&'static [u8], Vec<u8>)> {
        let mut data = Vec::new();
        for (family, longest) in [(b'4', 32), (b'6', 128)] {
            for bits in (0..=longest).rev().filter(|&bits| self.contains(family == b'4', bits)) {
                data.extend([family, b'/']);
                decimal::push(&mut data, bits.into());
                data.push(0);
            }
        }
        (!data.is_empty()).then_some((KEY, data))
    }

    /// What a record says; items that are none of ours are left out.
    #[must_use]
    pub fn read(data: &[u8]) -> Lengths {
        let mut lengths = Lengths::default();
        for item in data.split(|&byte| byte == 0) {
            let Some((family, bits)) = text::split_once(item, b'/') else { continue };
            let Some(bits) = decimal::parse(bits).and_then(|bits| u8::try_from(bits).ok()) else {
                continue;
            };
            let zero: IpAddr = match family {
                b"4" => std::net::Ipv4Addr::UNSPECIFIED.into(),
                b"6" => std::net::Ipv6Addr::UNSPECIFIED.into(),
                _ => continue,
            };
            if let Some(network) = Network::new(zero, bits) {
                lengths.add(network);
            }
        }
        lengths
    }

    /// The networks that `address` lies in and that there may be rules for, smallest first.
    pub fn around(&self, address: IpAddr) -> impl Iterator<Item = Network> {
        let is_v4 = address.is_ipv4();
        let longest = if is_v4 { 32 } else { 128 };
        (0..=longest)
            .rev()
            .filter(move |&bits| self.contains(is_v4, bits))
            .filter_map(move |bits| Network::new(address, bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(networks: &[&str]) -> Lengths {
        let mut lengths = Lengths::default();
        for network in networks {
            lengths.add(Network::parse(network.as_bytes()).unwrap());
        }
        lengths
    }

    #[test]
    fn without_networks_there_is_no_record() {
        assert_eq!(Lengths::default().record(), None);
    }

    #[test]
    fn the_record_lists_each_length_once_and_reads_back() {
        let lengths =
            lengths(&["10.0.0.0/9", "11.0.0.0/9", "0.0.0.0/0", "::/0", "::/64", "::1/127"]);
        let (key, data) = lengths.record().unwrap();
        assert_eq!(key, b"/");
        assert_eq!(data, b"4/9\x004/0\x006/127\x006/64\x006/0\0");
        assert_eq!(Lengths::read(&data), lengths);
        assert_eq!(Lengths::read(b"4/33\x006/129\x005/1\0x\x004/x\0"), Lengths::default());
    }

    #[test]
    fn an_address_lies_in_one_network_per_length() {
        let lengths = lengths(&["10.0.0.0/9", "10.0.0.0/12", "2001:db8::/33"]);
        let around = |address: &str| -> Vec<String> {
            let networks = lengths.around(address.parse().unwrap());
            networks.map(|network| format!("{}/{}", network.address(), network.bits())).collect()
        };
        assert_eq!(around("10.255.0.1"), ["10.240.0.0/12", "10.128.0.0/9"]);
        assert_eq!(around("2001:db8:ffff::1"), ["2001:db8:8000::/33"]);
    }
}
