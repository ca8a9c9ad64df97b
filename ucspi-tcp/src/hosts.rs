//! Addresses of the host that an argument names.

use std::net::{IpAddr, Ipv4Addr};

use lookup::hosts;
use lookup::resolver::{Error, Resolver};
use prog::Fatal;
use wire::ip;

/// The addresses of `host`, each once, at least one; else why there is none.
///
/// With `only_ipv4` those of IPv6 are left out, and `::` becomes `0.0.0.0`.
pub fn addresses(host: &[u8], only_ipv4: bool) -> Result<Vec<IpAddr>, Fatal> {
    let found = match hosts::addresses(&Resolver::of_process(), host) {
        Ok(found) => chosen(found, only_ipv4),
        Err(Error::NoData | Error::NoName) => Vec::new(),
        Err(error) => {
            let what = ("temporarily unable to figure out IP address for ", host);
            return Err(Fatal::because(what, error.errno()));
        }
    };
    if found.is_empty() { Err(Fatal::soft(("no IP address for ", host))) } else { Ok(found) }
}

fn chosen(found: Vec<IpAddr>, only_ipv4: bool) -> Vec<IpAddr> {
    let mut chosen = Vec::new();
    for address in found {
        let address = match ip::unmapped(address) {
            IpAddr::V6(six) if only_ipv4 && six.is_unspecified() => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) if only_ipv4 => continue,
            address => address,
        };
        // The same address may be listed twice, and be used only once.
        if !chosen.contains(&address) {
            chosen.push(address);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    fn chosen(words: &str, only_ipv4: bool) -> Vec<String> {
        let found = words.split(' ').map(|word| word.parse().unwrap()).collect();
        super::chosen(found, only_ipv4).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_counts_once() {
        let words = "127.0.0.1 ::ffff:127.0.0.1 ::1 127.0.0.2 ::1";
        assert_eq!(chosen(words, false), ["127.0.0.1", "::1", "127.0.0.2"]);
    }

    #[test]
    fn ipv6_can_be_left_out() {
        assert_eq!(chosen("::1 127.0.0.1", true), ["127.0.0.1"]);
        assert_eq!(chosen(":: 0.0.0.0", true), ["0.0.0.0"]);
        assert_eq!(chosen("::1 fe80::1", true), [""; 0]);
    }
}
