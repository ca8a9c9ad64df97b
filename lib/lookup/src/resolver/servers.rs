//! Whom to ask: `$DNSCACHEIP`, else /etc/resolv.conf, else this host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use wire::{decimal, ip, text};

/// The port of DNS.
const PORT: u16 = 53;
/// Most servers that are asked.
const MOST: usize = 16;

/// The servers that `$DNSCACHEIP` names: addresses between blanks.
///
/// IPv4 addresses may also be joined by dots, as in `10.0.0.1.10.0.0.2`. A word may carry a port:
/// `127.0.0.1:5353`, `[::1]:5353`. What is no address is left out.
pub(super) fn from_variable(value: &[u8]) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = text::words(value).flat_map(word).collect();
    servers.truncate(MOST);
    servers
}

fn word(word: &[u8]) -> Vec<SocketAddr> {
    if let Some(address) = ip::parse(word) {
        return vec![SocketAddr::new(address, PORT)];
    }
    if let Some((host, port)) = text::rsplit_once(word, b':') {
        let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
        let port = decimal::parse(port).and_then(|port| u16::try_from(port).ok());
        return ip::parse(host)
            .zip(port)
            .map(|(address, port)| SocketAddr::new(address, port))
            .into_iter()
            .collect();
    }
    let parts: Vec<&[u8]> = word.split(|&byte| byte == b'.').collect();
    parts
        .chunks(4)
        .filter_map(|quad| ip::parse_v4(&quad.join(&b'.')))
        .map(|address| SocketAddr::new(address.into(), PORT))
        .collect()
}

/// The servers of resolv.conf(5): the address on each line that begins with `nameserver`.
pub(super) fn from_file(contents: &[u8]) -> Vec<SocketAddr> {
    text::lines(contents)
        .filter_map(|line| {
            let mut words = text::words(line);
            (words.next()? == b"nameserver").then_some(())?;
            Some(SocketAddr::new(ip::parse(words.next()?)?, PORT))
        })
        .take(MOST)
        .collect()
}

/// The server on this host, asked where none is named.
pub(super) fn local() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(servers: &[SocketAddr]) -> Vec<String> {
        servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_variable_takes_blanks_dots_and_ports() {
        assert_eq!(
            shown(&from_variable(b" 10.0.0.1.10.0.0.2\t192.0.2.1:5353 ::1 [::1]:5353 x 1.2.3")),
            ["10.0.0.1:53", "10.0.0.2:53", "192.0.2.1:5353", "[::1]:53", "[::1]:5353"]
        );
        assert_eq!(shown(&from_variable(b"127.0.0.1:99999 127.0.0.1:")), [""; 0]);
    }

    #[test]
    fn the_file_s_nameserver_lines_count() {
        let file = b"# x\nsearch a.b\nnameserver 192.0.2.1 # y\nnameserver\tfd00::1\n\
            nameserver x\n nameserver 192.0.2.2\nnameservers 192.0.2.3\n";
        assert_eq!(shown(&from_file(file)), ["192.0.2.1:53", "[fd00::1]:53", "192.0.2.2:53"]);
    }

    #[test]
    fn sixteen_are_enough() {
        assert_eq!(from_variable(&b"127.0.0.1 ".repeat(20)).len(), 16);
        assert_eq!(from_file(&b"nameserver 127.0.0.1\n".repeat(20)).len(), 16);
    }
}
