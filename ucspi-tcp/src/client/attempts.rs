//! Which address is tried next, and for how long.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use wire::{decimal, text};

/// How long each address is tried when there are several: a single one is tried for both at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The first time.
    pub first: Duration,
    /// The second time, which an address has that was silent the first time; none if this is zero.
    pub second: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { first: Duration::from_secs(2), second: Duration::from_secs(58) }
    }
}

impl Timeouts {
    /// `FIRST+SECOND` in seconds; without the plus there is no second time.
    #[must_use]
    pub fn parse(words: &[u8]) -> Option<Timeouts> {
        let seconds = |digits: &[u8]| {
            let number = u32::try_from(decimal::parse(digits)?).ok()?;
            Some(Duration::from_secs(number.into()))
        };
        let (first, second) = text::split_once(words, b'+').unwrap_or((words, b"0"));
        Some(Timeouts { first: seconds(first)?, second: seconds(second)? })
    }
}

/// The addresses of a host that are still to be tried.
///
/// Each is tried once, in order; those that were silent are then tried again. Source: tcpclient(1).
#[derive(Clone, Debug)]
pub struct Attempts {
    now: VecDeque<IpAddr>,
    limit: Duration,
    later: VecDeque<IpAddr>,
    /// The limit of the second time, before it has begun.
    second: Option<Duration>,
}

impl Attempts {
    /// Tries `addresses` in this order.
    #[must_use]
    pub fn new(addresses: Vec<IpAddr>, timeouts: Timeouts) -> Attempts {
        let is_single = addresses.len() == 1;
        let Timeouts { first, second } = timeouts;
        Attempts {
            now: addresses.into(),
            limit: if is_single { first + second } else { first },
            later: VecDeque::new(),
            second: Some(second).filter(|second| !is_single && !second.is_zero()),
        }
    }

    /// The address to try now, and how long.
    pub fn begin(&mut self) -> Option<(IpAddr, Duration)> {
        if self.now.is_empty() {
            self.limit = self.second.take()?;
            self.now = std::mem::take(&mut self.later);
        }
        Some((self.now.pop_front()?, self.limit))
    }

    /// `address` was silent for the whole time. True if it will be tried again.
    pub fn postpone(&mut self, address: IpAddr) -> bool {
        if self.second.is_some() {
            self.later.push_back(address);
        }
        self.second.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts(words: &str) -> Option<(u64, u64)> {
        let timeouts = Timeouts::parse(words.as_bytes())?;
        Some((timeouts.first.as_secs(), timeouts.second.as_secs()))
    }

    /// Last bytes of addresses and seconds, in the order tried, if all those in `silent` are silent
    /// and the others refuse.
    fn tried(addresses: &[u8], words: &str, silent: &[u8]) -> Vec<(u8, u64)> {
        let address = |last: &u8| IpAddr::from([127, 0, 0, *last]);
        let all = addresses.iter().map(address).collect();
        let mut attempts = Attempts::new(all, Timeouts::parse(words.as_bytes()).unwrap());
        let mut tried = Vec::new();
        while let Some((now, limit)) = attempts.begin() {
            let last = *addresses.iter().find(|last| address(last) == now).unwrap();
            tried.push((last, limit.as_secs()));
            if silent.contains(&last) {
                attempts.postpone(now);
            }
        }
        tried
    }

    #[test]
    fn timeouts_are_one_or_two_numbers() {
        assert_eq!(timeouts("2+58"), Some((2, 58)));
        assert_eq!(timeouts("10"), Some((10, 0)));
        assert_eq!(timeouts("0+1"), Some((0, 1)));
        for wrong in ["", "+", "1+", "+1", "x", "1x", "1+2+3", "-1", "4294967296", "1 +2"] {
            assert_eq!(timeouts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_who_was_silent_is_tried_again() {
        let expected = [(1, 2), (2, 2), (3, 2), (1, 58), (3, 58)];
        assert_eq!(tried(&[1, 2, 3], "2+58", &[1, 3]), expected);
        assert_eq!(tried(&[1, 2], "2+58", &[]), [(1, 2), (2, 2)]);
    }

    #[test]
    fn a_single_address_is_tried_once_for_the_whole_time() {
        assert_eq!(tried(&[1], "2+58", &[1]), [(1, 60)]);
    }

    #[test]
    fn without_a_second_time_nobody_is_tried_again() {
        assert_eq!(tried(&[1, 2], "3", &[1, 2]), [(1, 3), (2, 3)]);
    }
}
