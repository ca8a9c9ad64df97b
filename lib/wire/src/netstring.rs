//! Netstrings: `LENGTH:BYTES,`.
//!
//! Source: Bernstein, "Netstrings", 1997. A length may have leading zeros here, as in the
//! originals' readers; none is ever written.

/// Why bytes are not a netstring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It goes on beyond the bytes that are there.
    Incomplete,
    /// No length, no colon after it, or no comma at the end.
    Malformed,
    /// The length is above the limit.
    TooLong,
}

/// The length that `bytes` begin with (digits and a colon), and what follows the colon.
///
/// Enough for who reads the contents as a stream: no contents need be there. No memory is taken by
/// the length announced.
pub fn length(bytes: &[u8], limit: u64) -> Result<(u64, &[u8]), Error> {
    let mut header = Header::new(limit);
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if let Some(length) = header.step(*byte)? {
            return Ok((length, rest));
        }
    }
    Err(Error::Incomplete)
}

/// The contents of the netstring that `bytes` begin with, and what follows it.
///
/// `limit` is the longest contents accepted, in bytes.
pub fn read(bytes: &[u8], limit: u64) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = length(bytes, limit)?;
    let length = usize::try_from(length).map_err(|_| Error::TooLong)?;
    let (contents, rest) = rest.split_at_checked(length).ok_or(Error::Incomplete)?;
    match rest {
        [b',', rest @ ..] => Ok((contents, rest)),
        [] => Err(Error::Incomplete),
        _ => Err(Error::Malformed),
    }
}

/// Appends `contents` as a netstring.
pub fn push(out: &mut Vec<u8>, contents: &[u8]) {
    push_length(out, contents.len() as u64);
    out.extend_from_slice(contents);
    out.push(b',');
}

/// Appends the beginning of a netstring whose contents will have `length` bytes.
pub fn push_length(out: &mut Vec<u8>, length: u64) {
    crate::decimal::push(out, length);
    out.push(b':');
}

/// The beginning of a netstring, byte by byte as it comes in.
#[derive(Clone, Debug)]
pub struct Header {
    limit: u64,
    length: Option<u64>,
}

impl Header {
    /// Expects a netstring of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Header {
        Header { limit, length: None }
    }

    /// Takes the next byte; at the colon gives the length of the contents.
    ///
    /// After that the header is ready for the next netstring.
    pub fn step(&mut self, byte: u8) -> Result<Option<u64>, Error> {
        match byte {
            b'0'..=b'9' => {
                let length = self
                    .length
                    .unwrap_or(0)
                    .checked_mul(10)
                    .and_then(|length| length.checked_add(u64::from(byte - b'0')))
                    .filter(|length| *length <= self.limit)
                    .ok_or(Error::TooLong)?;
                self.length = Some(length);
                Ok(None)
            }
            b':' => self.length.take().ok_or(Error::Malformed).map(Some),
            _ => Err(Error::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_paper_s_example_reads() {
        assert_eq!(read(b"12:hello world!,", 100), Ok((&b"hello world!"[..], &b""[..])));
        assert_eq!(read(b"0:,x", 100), Ok((&b""[..], &b"x"[..])));
        assert_eq!(read(b"003:abc,", 100), Ok((&b"abc"[..], &b""[..])));
    }

    #[test]
    fn each_way_to_be_wrong_has_its_name() {
        for part in [&b""[..], b"1", b"1:", b"1:a"] {
            assert_eq!(read(part, 100), Err(Error::Incomplete));
        }
        for wrong in [&b":,"[..], b"x", b"1x", b"-1:a,", b" 1:a,", b"1:ab", b"1 :a,"] {
            assert_eq!(read(wrong, 100), Err(Error::Malformed));
        }
        assert_eq!(read(b"101:", 100), Err(Error::TooLong));
        assert_eq!(read(b"99999999999999999999999999", u64::MAX), Err(Error::TooLong));
    }

    #[test]
    fn a_length_needs_no_contents() {
        assert_eq!(length(b"200000000:", 200_000_000), Ok((200_000_000, &b""[..])));
    }

    #[test]
    fn a_header_can_be_used_again() {
        let mut header = Header::new(9);
        assert_eq!(header.step(b'3'), Ok(None));
        assert_eq!(header.step(b':'), Ok(Some(3)));
        assert_eq!(header.step(b':'), Err(Error::Malformed));
    }

    proptest! {
        #[test]
        fn every_string_reads_back(contents: Vec<u8>, after: Vec<u8>) {
            let mut out = Vec::new();
            push(&mut out, &contents);
            out.extend_from_slice(&after);
            prop_assert_eq!(read(&out, u64::MAX), Ok((&contents[..], &after[..])));
        }

        #[test]
        fn reading_any_bytes_is_safe(bytes: Vec<u8>) {
            let _ = read(&bytes, 1 << 40);
        }
    }
}
