//! TAI64N labels: read, and write as [`wire::tai`] does.
//!
//! A label is `@`, 16 hexadecimal digits of seconds, 8 of nanoseconds, in lower case. The difference
//! between TAI and UTC is always taken as 10 seconds, as the originals do; leap seconds are ignored,
//! and labels read back as the time they were made from. Source: tai64n(8), tai64nlocal(8).

use tai64::Tai64N;
use unix::clock::Wall;
use wire::tai;

pub(crate) use wire::tai::hexadecimal;
pub use wire::tai::{LABEL, STAMP};

/// The label of a time, followed by a space.
#[must_use]
#[inline]
pub fn stamp(time: Wall) -> [u8; STAMP] {
    tai::stamp(time.seconds, time.nanos)
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
        fn every_label_reads_back(seconds in tai::SECONDS, nanos in 0..1_000_000_000_u32) {
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
