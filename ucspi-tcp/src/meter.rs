//! How often an address connects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::guests::Networks;

/// Most addresses that are remembered.
const MOST: usize = 8192;
/// Seconds in which connections are counted.
const WINDOW: u64 = 60;

/// Connections of each address within about the last minute, whatever became of them.
///
/// There are two counts for each: of the minute by the clock, and of the one before. What is left of that
/// in the last sixty seconds is taken to have been spread evenly. IPv6 addresses of one network
/// count as one, because a client has them all. Of too many addresses those that connect least
/// are forgotten.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    networks: Networks,
    counts: BTreeMap<u128, Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// The window of `now`.
    window: u64,
    now: u32,
    before: u32,
}

impl Counts {
    /// As they are in a window that is not earlier.
    fn at(self, window: u64) -> Counts {
        match window.saturating_sub(self.window) {
            0 => self,
            1 => Counts { window, now: 0, before: self.now },
            _ => Counts { window, now: 0, before: 0 },
        }
    }
}

impl Meter {
    /// Nobody has connected. IPv6 clients are told apart by `v6` bits of their addresses.
    #[must_use]
    pub fn new(start: Instant, v6: u8) -> Meter {
        let networks = Networks::new(32, v6).unwrap_or_default();
        Meter { start, networks, counts: BTreeMap::new() }
    }

    /// `address` connects: how often it has within the last minute, this time included.
    pub fn count(&mut self, address: IpAddr, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.start).as_secs();
        let window = seconds / WINDOW;
        let (key, _) = self.networks.around(address);
        if self.counts.len() >= MOST && !self.counts.contains_key(&key) {
            self.forget(window);
        }
        let counts = self.counts.entry(key).or_default();
        *counts = counts.at(window);
        counts.now = counts.now.saturating_add(1);
        let left = WINDOW - seconds % WINDOW;
        let before = u64::from(counts.before) * left / WINDOW;
        counts.now.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    }

    /// Makes room for many.
    fn forget(&mut self, window: u64) {
        let mut least = 0;
        while self.counts.len() > MOST / 2 {
            self.counts.retain(|_, counts| {
                let counts = counts.at(window);
                counts.now.max(counts.before) > least
            });
            least = least * 2 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_count() {
        let now = Instant::now();
        let mut meter = Meter::new(now, 64);
        for count in 1..=5 {
            assert_eq!(meter.count(ip("192.0.2.1"), now), count);
        }
        assert_eq!(meter.count(ip("192.0.2.2"), now), 1);
        assert_eq!(meter.count(ip("::ffff:192.0.2.1"), now), 6);
        assert_eq!(meter.count(ip("2001:db8::1"), now), 1);
        assert_eq!(meter.count(ip("2001:db8::2"), now), 2);
        assert_eq!(meter.count(ip("2001:db8:0:1::2"), now), 1);
    }

    #[test]
    fn what_is_more_than_a_minute_old_does_not_count() {
        let start = Instant::now();
        let mut meter = Meter::new(start, 64);
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..60 {
            meter.count(ip("192.0.2.1"), at(59));
        }
        assert_eq!(meter.count(ip("192.0.2.1"), at(60)), 61);
        assert_eq!(meter.count(ip("192.0.2.1"), at(90)), 32);
        assert_eq!(meter.count(ip("192.0.2.1"), at(119)), 4);
        assert_eq!(meter.count(ip("192.0.2.1"), at(120)), 4);
        assert_eq!(meter.count(ip("192.0.2.1"), at(240)), 1);
    }

    #[test]
    fn of_too_many_addresses_the_worst_are_remembered() {
        let now = Instant::now();
        let mut meter = Meter::new(now, 64);
        for _ in 0..10 {
            meter.count(ip("192.0.2.1"), now);
        }
        for number in 0..100_000 {
            meter.count(Ipv4Addr::from_bits(number).into(), now);
            assert!(meter.counts.len() <= MOST);
        }
        assert_eq!(meter.count(ip("192.0.2.1"), now), 11);
    }

    #[test]
    fn with_everybody_at_the_same_count_there_is_room_all_the_same() {
        let now = Instant::now();
        let mut meter = Meter::new(now, 64);
        for _ in 0..3 {
            for number in 0..10_000 {
                meter.count(Ipv4Addr::from_bits(number).into(), now);
            }
        }
        assert!(meter.counts.len() <= MOST);
    }
}
