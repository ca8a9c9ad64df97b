//! Version 2: a signature, a command, a family, a length, and addresses of that family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, LONGEST, Malformed, Progress};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
const FIXED: usize = 16;
/// Kind of the checksum's record.
const CHECKSUM: u8 = 3;

pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    if !bytes.iter().zip(SIGNATURE).all(|(byte, expected)| byte == expected) {
        return Err(Malformed);
    }
    // What is wrong is known as early as can be.
    if bytes.get(12).is_some_and(|&command| !matches!(command, 0x20 | 0x21)) {
        return Err(Malformed);
    }
    let Some(&[command, family, high, low]) = bytes.get(12..FIXED) else {
        return Ok(Progress::Partial);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed);
    }
    let Some(header) = bytes.get(..length) else { return Ok(Progress::Partial) };
    let header = match command {
        0x20 => Header::Direct,
        _ => relayed(family, header)?,
    };
    Ok(Progress::Complete(header, length))
}

/// A header with a client; for other families than those of TCP it says nothing.
fn relayed(family: u8, header: &[u8]) -> Result<Header, Malformed> {
    let rest = header.get(FIXED..).ok_or(Malformed)?;
    let (relayed, records) = match family {
        0x00 => return Ok(Header::Direct),
        0x11 => four(rest).ok_or(Malformed)?,
        0x21 => six(rest).ok_or(Malformed)?,
        // A client on the balancer's own machine: 108 bytes for each path.
        0x31 => (Header::Direct, rest.get(216..).ok_or(Malformed)?),
        _ => return Err(Malformed),
    };
    check(header, records)?;
    Ok(relayed)
}

fn four(rest: &[u8]) -> Option<(Header, &[u8])> {
    let (source, rest) = rest.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    ends(Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into(), rest)
}

fn six(rest: &[u8]) -> Option<(Header, &[u8])> {
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    ends(Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), rest)
}

fn ends(source: IpAddr, destination: IpAddr, rest: &[u8]) -> Option<(Header, &[u8])> {
    let (from, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let source = SocketAddr::new(source, u16::from_be_bytes(*from));
    let destination = SocketAddr::new(destination, u16::from_be_bytes(*to));
    Some((Header::Relayed { source, destination }, rest))
}

/// The records behind the addresses have to be whole, and a checksum among them right.
fn check(header: &[u8], mut records: &[u8]) -> Result<(), Malformed> {
    while let Some((&[kind, high, low], rest)) = records.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        if kind == CHECKSUM {
            let value = u32::from_be_bytes(value.try_into().map_err(|_| Malformed)?);
            let start = header.len() - after.len() - length;
            let zeroed = header.iter().enumerate().map(|(place, &byte)| {
                if (start..start + length).contains(&place) { 0 } else { byte }
            });
            if crc32c(zeroed) != value {
                return Err(Malformed);
            }
        }
        records = after;
    }
    if records.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// The checksum of RFC 3309, bit by bit: a header has one at most, and few have one.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            let bit = sum & 1;
            (sum >> 1) ^ (0x82f6_3b78 * bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn complete(header: &[u8]) -> Header {
        match parse(header) {
            Ok(Progress::Complete(said, length)) if length == header.len() => said,
            other => panic!("{other:?}"),
        }
    }

    const FOUR: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 0, 25];

    #[test]
    fn addresses_of_both_families_are_read() {
        let relayed = |source: &str, destination: &str| Header::Relayed {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
        };
        let four = header(0x21, 0x11, &FOUR);
        assert_eq!(complete(&four), relayed("192.0.2.1:56324", "198.51.100.7:25"));
        let mut six = [0; 36];
        six[..2].copy_from_slice(&[0x20, 1]);
        six[15] = 1;
        six[31] = 2;
        six[32..].copy_from_slice(&[0, 1, 0, 2]);
        assert_eq!(complete(&header(0x21, 0x21, &six)), relayed("[2001::1]:1", "[::2]:2"));
    }

    #[test]
    fn a_balancer_may_speak_for_itself() {
        assert_eq!(complete(&header(0x20, 0x11, &FOUR)), Header::Direct);
        assert_eq!(complete(&header(0x20, 0xff, b"anything")), Header::Direct);
        assert_eq!(complete(&header(0x21, 0, b"anything")), Header::Direct);
        assert_eq!(complete(&header(0x21, 0x31, &[0; 216])), Header::Direct);
    }

    #[test]
    fn what_is_no_header_for_tcp_is_malformed() {
        for wrong in [
            header(0x11, 0x11, &FOUR),
            header(0x22, 0x11, &FOUR),
            header(0x21, 0x12, &FOUR),
            header(0x21, 0x41, &FOUR),
            header(0x21, 0x11, &FOUR[..11]),
            header(0x21, 0x21, &FOUR),
            header(0x21, 0x31, &[0; 215]),
            header(0x20, 0, &[0; LONGEST]),
            b"\r\n\r\n\0\r\nQUIT\r\n\0\0\0".to_vec(),
        ] {
            assert_eq!(parse(&wrong), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn records_have_to_be_whole() {
        let with = |records: &[u8]| parse(&header(0x21, 0x11, &[&FOUR, records].concat()));
        assert!(with(b"\x04\0\0").is_ok());
        assert!(with(b"\x01\0\x02h2\x05\0\x01x").is_ok());
        for wrong in [&b"\x01"[..], b"\x01\0", b"\x01\0\x01", b"\x01\0\x02h"] {
            assert_eq!(with(wrong), Err(Malformed));
        }
    }

    #[test]
    fn a_checksum_has_to_be_right() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
        let unsummed = header(0x21, 0x11, &[&FOUR[..], b"\x03\0\x04\0\0\0\0"].concat());
        let sum = crc32c(unsummed.iter().copied()).to_be_bytes();
        let start = unsummed.len() - 4;
        let summed = [&unsummed[..start], &sum].concat();
        assert!(parse(&summed).is_ok());
        assert_eq!(parse(&unsummed), Err(Malformed));
        let short = header(0x21, 0x11, &[&FOUR[..], b"\x03\0\x03\0\0\0"].concat());
        assert_eq!(parse(&short), Err(Malformed));
    }

    proptest! {
        #[test]
        fn each_part_of_a_header_goes_on(
            rest in proptest::collection::vec(any::<u8>(), 0..300), is_local: bool, after: Vec<u8>,
        ) {
            let header = header(if is_local { 0x20 } else { 0x21 }, 0, &rest);
            for end in 0..header.len() {
                prop_assert_eq!(parse(&header[..end]), Ok(Progress::Partial));
            }
            let bytes = [&header[..], &after].concat();
            prop_assert_eq!(parse(&bytes), Ok(Progress::Complete(Header::Direct, header.len())));
        }

        #[test]
        fn any_body_is_safe(command: u8, family: u8, rest: Vec<u8>) {
            let _ = parse(&header(command, family, &rest));
        }
    }
}
