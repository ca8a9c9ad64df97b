//! This host's own addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use unix::socket;

/// The addresses that reach this host: those that reach any host from itself first, then those of
/// its network interfaces that are up.
pub fn addresses() -> io::Result<Vec<IpAddr>> {
    let mut addresses = vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    for address in socket::interface_addresses()? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// True if `address` is one of `own`, whichever way it is written.
#[must_use]
pub fn contains(own: &[IpAddr], address: IpAddr) -> bool {
    own.contains(&wire::ip::unmapped(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_ours_and_documentation_s_is_not() {
        let own = addresses().unwrap();
        for ours in ["0.0.0.0", "::", "127.0.0.1", "::ffff:127.0.0.1"] {
            assert!(contains(&own, ours.parse().unwrap()), "{ours}");
        }
        assert!(!contains(&own, "192.0.2.1".parse().unwrap()));
        assert_eq!(own[0].to_string(), "0.0.0.0");
    }
}
