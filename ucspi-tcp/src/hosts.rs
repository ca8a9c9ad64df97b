//! Addresses of the host that an argument names.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

use lookup::hosts;
use lookup::resolver::{Error, Resolver};
use prog::{Fatal, OrFatal};
use unix::socket;
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

/// The number of a network interface, for [`place`]; 0 without one.
pub fn scope(interface: Option<&OsStr>) -> Result<u32, Fatal> {
    match interface {
        Some(name) => socket::interface_index(name).or_fatal(("unable to find interface ", name)),
        None => Ok(0),
    }
}

/// A port at an address; `scope` is where a link-local one counts.
#[must_use]
pub fn place(address: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match address {
        IpAddr::V4(_) => SocketAddr::new(address, port),
        IpAddr::V6(six) => SocketAddrV6::new(six, port, 0, scope).into(),
    }
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
