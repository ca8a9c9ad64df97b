//! Who is connected, and how many of them from one address or network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use wire::{decimal, ip};

/// A connection with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The client's end.
    pub remote: SocketAddr,
    /// When it was accepted.
    pub since: Instant,
}

/// The connections with a program, by process number.
#[derive(Debug, Default)]
pub struct Guests {
    by_pid: BTreeMap<i32, Guest>,
    /// The same by address, so that those of one network stand together.
    by_address: BTreeSet<(u128, i32)>,
}

/// How many leading bits of an address, with IPv4 in its IPv6 form, make a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks {
    v4: u8,
    v6: u8,
}

impl Networks {
    /// Networks of `v4` bits (0…32) and `v6` bits (0…128).
    #[must_use]
    pub fn new(v4: u8, v6: u8) -> Option<Networks> {
        (v4 <= 32 && v6 <= 128).then_some(Networks { v4, v6 })
    }

    /// Bits of a network of IPv6.
    #[must_use]
    pub fn ipv6_bits(self) -> u8 {
        self.v6
    }

    /// The smallest and the largest number in the network of `address`.
    #[must_use]
    pub fn around(self, address: IpAddr) -> (u128, u128) {
        let is_v4 = ip::unmapped(address).is_ipv4();
        let own = if is_v4 { 32 - u32::from(self.v4) } else { 128 - u32::from(self.v6) };
        let rest = u128::MAX.checked_shl(own).map_or(u128::MAX, |mask| !mask);
        let number = number(address);
        (number & !rest, number | rest)
    }
}

impl Default for Networks {
    fn default() -> Networks {
        Networks { v4: 24, v6: 64 }
    }
}

fn number(address: IpAddr) -> u128 {
    ip::mapped(address).to_bits()
}

impl Guests {
    /// The connection's program is process `pid`.
    pub fn add(&mut self, pid: i32, guest: Guest) {
        self.by_pid.insert(pid, guest);
        self.by_address.insert((number(guest.remote.ip()), pid));
    }

    /// Process `pid` is gone. None if it was no program of a connection.
    pub fn remove(&mut self, pid: i32) -> Option<Guest> {
        let guest = self.by_pid.remove(&pid)?;
        self.by_address.remove(&(number(guest.remote.ip()), pid));
        Some(guest)
    }

    /// Process `pid`'s connection.
    #[must_use]
    pub fn get(&self, pid: i32) -> Option<&Guest> {
        self.by_pid.get(&pid)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_pid.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }

    /// All their process numbers.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        self.by_pid.keys().copied()
    }

    /// Appends a line for each: `tcpserver: connection PID IP:PORT SECONDS`. The IP is as `shown`
    /// says, the seconds are since the connection was accepted.
    pub fn push_table(&self, out: &mut Vec<u8>, now: Instant, shown: impl Fn(IpAddr) -> IpAddr) {
        for (pid, guest) in &self.by_pid {
            out.extend_from_slice(b"tcpserver: connection ");
            decimal::push(out, pid.unsigned_abs().into());
            out.push(b' ');
            ip::push(out, shown(guest.remote.ip()));
            out.push(b':');
            decimal::push(out, guest.remote.port().into());
            out.push(b' ');
            decimal::push(out, now.saturating_duration_since(guest.since).as_secs());
            out.push(b'\n');
        }
    }

    /// Whether `many` or more of them have this address.
    #[must_use]
    pub fn has_address(&self, address: IpAddr, many: u32) -> bool {
        let number = number(address);
        self.has((number, number), many)
    }

    /// Whether `many` or more of them are in the address's network.
    #[must_use]
    pub fn has_network(&self, networks: Networks, address: IpAddr, many: u32) -> bool {
        self.has(networks.around(address), many)
    }

    /// Looks at no more than `many`.
    fn has(&self, (first, last): (u128, u128), many: u32) -> bool {
        let many = many as usize;
        self.by_address.range((first, i32::MIN)..=(last, i32::MAX)).take(many).count() >= many
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guests(addresses: &[&str]) -> Guests {
        let mut guests = Guests::default();
        for (pid, address) in (1..).zip(addresses) {
            let remote = SocketAddr::new(ip(address), 1000);
            guests.add(pid, Guest { remote, since: Instant::now() });
        }
        guests
    }

    #[test]
    fn an_address_counts_in_both_its_forms() {
        let mut guests = guests(&["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"]);
        assert!(guests.has_address(ip("192.0.2.1"), 2));
        assert!(guests.has_address(ip("::ffff:192.0.2.1"), 2));
        assert!(!guests.has_address(ip("192.0.2.1"), 3));
        assert!(guests.has_address(ip("192.0.2.9"), 0));
        assert!(guests.remove(1).is_some());
        assert!(guests.remove(1).is_none());
        assert!(!guests.has_address(ip("192.0.2.1"), 2));
        assert_eq!(guests.len(), 2);
    }

    #[test]
    fn the_table_has_a_line_for_each() {
        let guests = guests(&["192.0.2.1", "2001:db8::1"]);
        let mut out = Vec::new();
        let now = Instant::now() + std::time::Duration::from_secs(90);
        guests.push_table(&mut out, now, ip::unmapped);
        let expected = "tcpserver: connection 1 192.0.2.1:1000 90\n\
            tcpserver: connection 2 2001:db8::1:1000 90\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_network_is_24_bits_of_ipv4_and_64_of_ipv6() {
        let guests = guests(&[
            "192.0.2.0",
            "192.0.2.255",
            "192.0.3.0",
            "192.0.1.255",
            "2001:db8::",
            "2001:db8::ffff:ffff:ffff:ffff",
            "2001:db8:0:1::",
        ]);
        let usual = Networks::default();
        assert!(guests.has_network(usual, ip("192.0.2.77"), 2));
        assert!(!guests.has_network(usual, ip("192.0.2.77"), 3));
        assert!(guests.has_network(usual, ip("2001:db8::1"), 2));
        assert!(!guests.has_network(usual, ip("2001:db8::1"), 3));
        let all = Networks::new(0, 0).unwrap();
        assert!(guests.has_network(all, ip("10.0.0.1"), 4));
        assert!(!guests.has_network(all, ip("10.0.0.1"), 5));
        assert!(guests.has_network(all, ip("::"), 7));
        assert_eq!(Networks::new(33, 0), None);
        assert_eq!(Networks::new(0, 129), None);
    }

    proptest! {
        #[test]
        fn an_address_is_in_its_own_network(address: IpAddr, v4 in 0..=32u8, v6 in 0..=128u8) {
            let (first, last) = Networks::new(v4, v6).unwrap().around(address);
            prop_assert!((first..=last).contains(&number(address)));
        }
    }
}
