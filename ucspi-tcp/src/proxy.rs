//! The PROXY protocol: what a balancer says about the client that it connects for.
//!
//! Source: "The PROXY protocol, versions 1 & 2", of the balancer `haproxy`.

mod binary;

use std::net::{IpAddr, SocketAddr};

use wire::{decimal, ip};

/// Longest header that is taken; those of version 1 have at most 107 bytes.
pub const LONGEST: usize = 4096;

/// Longest line of version 1, with its end.
const LINE: usize = 107;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Nothing: the balancer speaks for itself, or knows nothing that is of use here.
    Direct,
    /// It has the connection from a client.
    Relayed {
        /// The client.
        source: SocketAddr,
        /// The address that the client has reached.
        destination: SocketAddr,
    },
}

/// How far the bytes of a connection go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The header is complete; it has so many bytes. What follows is the client's.
    Complete(Header, usize),
    /// All of them belong to a header that goes on.
    Partial,
}

/// The bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Looks at the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    match bytes.first() {
        None => Ok(Progress::Partial),
        Some(b'P') => parse_line(bytes),
        Some(_) => binary::parse(bytes),
    }
}

/// `PROXY TCP4 SOURCE DESTINATION PORT PORT`, with `TCP6`, or `PROXY UNKNOWN` and anything.
fn parse_line(bytes: &[u8]) -> Result<Progress, Malformed> {
    let start = b"PROXY ";
    if let Some(end) = bytes.iter().take(LINE).position(|&byte| byte == b'\n') {
        let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let rest = line.and_then(|line| line.strip_prefix(start)).ok_or(Malformed)?;
        return Ok(Progress::Complete(parse_words(rest).ok_or(Malformed)?, end + 1));
    }
    let is_start = bytes.iter().zip(start).all(|(byte, expected)| byte == expected);
    if is_start && bytes.len() < LINE { Ok(Progress::Partial) } else { Err(Malformed) }
}

fn parse_words(rest: &[u8]) -> Option<Header> {
    if rest == b"UNKNOWN" || rest.starts_with(b"UNKNOWN ") {
        return Some(Header::Direct);
    }
    let mut words = rest.split(|&byte| byte == b' ');
    let family = words.next()?;
    let mut address = || {
        let address = ip::parse(words.next()?)?;
        let is_fitting = match address {
            IpAddr::V4(_) => family == b"TCP4",
            IpAddr::V6(_) => family == b"TCP6",
        };
        is_fitting.then_some(address)
    };
    let (source, destination) = (address()?, address()?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    let source = SocketAddr::new(source, from);
    let destination = SocketAddr::new(destination, to);
    words.next().is_none().then_some(Header::Relayed { source, destination })
}

/// A port without leading zeros.
fn port(word: &[u8]) -> Option<u16> {
    match word {
        [b'0', _, ..] => None,
        _ => u16::try_from(decimal::parse(word)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relayed(source: &str, destination: &str) -> Header {
        Header::Relayed {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        }
    }

    fn header(line: &str) -> Header {
        match parse(line.as_bytes()) {
            Ok(Progress::Complete(header, length)) if length == line.len() => header,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn a_line_has_both_ends_of_a_connection() {
        let four = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n";
        assert_eq!(header(four), relayed("192.0.2.1:56324", "198.51.100.7:25"));
        let six = "PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 0 65535\r\n";
        assert_eq!(header(six), relayed("[2001:db8::1]:0", "[2001:db8::2]:65535"));
        let longest = "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
        assert_eq!(header(longest), Header::Direct);
        assert_eq!(header("PROXY UNKNOWN\r\n"), Header::Direct);
    }

    #[test]
    fn what_follows_the_line_is_the_client_s() {
        let bytes = b"PROXY UNKNOWN\r\nEHLO there\r\n";
        assert_eq!(parse(bytes), Ok(Progress::Complete(Header::Direct, 15)));
    }

    #[test]
    fn a_line_in_another_form_is_malformed() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\n",
            "PROXY  TCP4 192.0.2.1 198.51.100.7 56324 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25 \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 056324 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 65536 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 -1 25\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.7 1 25\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.7 1 25\r\n",
            "PROXY TCP6 2001:db8::1 198.51.100.7 1 25\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.7 1 25\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY\r\n",
            "PROXY \r\n",
            "PROXIMITY",
            "POST / HTTP/1.0\r\n",
            "EHLO there\r\n",
            "\r\nQUIT\r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Malformed), "{line:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let line = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        assert_eq!(parse(&line[..106]), Ok(Progress::Partial));
        assert_eq!(parse(&line[..107]), Err(Malformed));
        let longest = [&line[..105], b"\r\n"].concat();
        assert_eq!(parse(&longest), Ok(Progress::Complete(Header::Direct, 107)));
    }

    proptest! {
        #[test]
        fn every_line_reads_back_and_each_part_of_it_goes_on(
            source: std::net::SocketAddrV4, to: (u32, u16), rest: Vec<u8>,
        ) {
            let destination = std::net::SocketAddrV4::new(to.0.into(), to.1);
            let line = format!(
                "PROXY TCP4 {} {} {} {}\r\n",
                source.ip(), destination.ip(), source.port(), destination.port()
            );
            for end in 0..line.len() {
                prop_assert_eq!(parse(&line.as_bytes()[..end]), Ok(Progress::Partial));
            }
            let header = Header::Relayed {
                source: source.into(),
                destination: destination.into(),
            };
            let bytes = [line.as_bytes(), &rest].concat();
            prop_assert_eq!(parse(&bytes), Ok(Progress::Complete(header, line.len())));
        }

        #[test]
        fn any_bytes_are_safe_and_no_header_is_longer_than_they_are(bytes: Vec<u8>) {
            if let Ok(Progress::Complete(_, length)) = parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
