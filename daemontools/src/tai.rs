//! TAI64N labels: write and read.
//!
//! A label is `@`, 16 hexadecimal digits of seconds, 8 of nanoseconds, in lower case. The difference
//! between TAI and UTC is always taken as 10 seconds, as the originals do; leap seconds are ignored,
//! and labels read back as the time they were made from. Source: tai64n(8), tai64nlocal(8).

use tai64::{Tai64, Tai64N};
use unix::clock::Wall;

/// Bytes of a label.
pub const LABEL: usize = 25;

/// Bytes of a label and the space that separates it from the line.
pub const STAMP: usize = LABEL + 1;

/// Seconds that a label can tell: −2^62−10 … 2^62−11.
const SECONDS: std::ops::RangeInclusive<i64> = -(1 << 62) - 10..=(1 << 62) - 11;

/// The label of a time, followed by a space.
#[must_use]
pub fn stamp(time: Wall) -> [u8; STAMP] {
    let seconds = time.seconds.clamp(*SECONDS.start(), *SECONDS.end());
    let packed = Tai64N(Tai64::from_unix(seconds), time.nanos).to_bytes();
    let (words, _) = packed.as_chunks::<4>();
    let mut text = [b' '; STAMP];
    if let Some((at, rest)) = text.split_first_mut() {
        *at = b'@';
        let (places, _) = rest.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(words) {
            *place = hexadecimal(u32::from_be_bytes(*word));
        }
    }
    text
}

/// Eight digits, all at once: one nibble a byte, then the distance to its letter added.
pub(crate) fn hexadecimal(number: u32) -> [u8; 8] {
    let mut nibbles = u64::from(number);
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + is_letter * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// The time that a label tells: `@`, 24 lower-case hexadecimal digits, nothing else; less than
/// 2^63 seconds and less than a second of nanoseconds.
#[must_use]
pub fn read(label: &[u8]) -> Option<Wall> {
    let (b'@', digits) = label.split_first()? else { return None };
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut packed = [0; 12];
    if pairs.len() != packed.len() {
        return None;
    }
    for (byte, [high, low]) in packed.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    let Tai64N(seconds, nanos) = Tai64N::try_from(packed).ok()?;
    let seconds = (seconds.0 < 1 << 63).then(|| seconds.to_unix())?;
    Some(Wall { seconds, nanos })
}

/// What a digit of a label stands for.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: Wall = Wall { seconds: 994_720_184, nanos: 848_605_500 };
    const LINE: &[u8] = b"@400000003b4a39c23294b13c";

    #[test]
    fn a_label_is_written_and_read() {
        assert_eq!(&stamp(TIME)[..LABEL], LINE);
        assert_eq!(stamp(TIME)[LABEL], b' ');
        assert_eq!(read(LINE), Some(TIME));
    }

    #[test]
    fn digits_are_lower_case() {
        assert_eq!(&hexadecimal(0x0123_4567), b"01234567");
        assert_eq!(&hexadecimal(0x89ab_cdef), b"89abcdef");
    }

    #[test]
    fn what_is_no_label_has_no_time() {
        for wrong in [
            &b""[..],
            b"@",
            b"400000003b4a39c23294b13c",
            b"@400000003b4a39c23294b13",
            b"@400000003b4a39c23294b13c0",
            b"@400000003B4A39C23294B13C",
            b"@400000003b4a39c2ffffffff",
            b"@800000003b4a39c23294b13c",
        ] {
            assert_eq!(read(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    proptest! {
        #[test]
        fn every_label_reads_back(seconds in SECONDS, nanos in 0..1_000_000_000_u32) {
            let time = Wall { seconds, nanos };
            let stamp = stamp(time);
            prop_assert_eq!(read(&stamp[..LABEL]), Some(time));
        }

        #[test]
        fn any_time_has_a_label(seconds: i64, nanos: u32) {
            prop_assert_eq!(stamp(Wall { seconds, nanos })[0], b'@');
        }
    }
}
