//! TAI64N labels: write.
//!
//! A label is `@`, 16 hexadecimal digits of seconds, 8 of nanoseconds, in lower case. The difference
//! between TAI and UTC is always taken as 10 seconds, as the originals do; leap seconds are ignored,
//! and labels read back as the time they were made from. Source: tai64n(8), tai64nlocal(8).

/// Bytes of a label.
pub const LABEL: usize = 25;

/// Bytes of a label and the space that separates it from the line.
pub const STAMP: usize = LABEL + 1;

/// Seconds that a label can tell: −2^62−10 … 2^62−11.
pub const SECONDS: std::ops::RangeInclusive<i64> = -(1 << 62) - 10..=(1 << 62) - 11;

/// The second of a label at which 1970 began.
const EPOCH: u64 = (1 << 62) + 10;

/// The label of a time, followed by a space: seconds since 1970-01-01 00:00:00 UTC, and nanoseconds
/// below a second.
#[must_use]
#[inline]
pub fn stamp(seconds: i64, nanos: u32) -> [u8; STAMP] {
    let seconds = seconds.clamp(*SECONDS.start(), *SECONDS.end());
    let label = EPOCH.wrapping_add_signed(seconds).to_be_bytes();
    let (words, _) = label.as_chunks::<4>();
    let words = words.iter().copied().chain([nanos.to_be_bytes()]);
    let mut text = [b' '; STAMP];
    if let Some((at, rest)) = text.split_first_mut() {
        *at = b'@';
        let (places, _) = rest.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(words) {
            *place = hexadecimal(u32::from_be_bytes(word));
        }
    }
    text
}

/// Eight digits, all at once: one nibble a byte, then the distance to its letter added.
#[must_use]
#[inline]
pub fn hexadecimal(number: u32) -> [u8; 8] {
    let mut nibbles = u64::from(number);
    nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    nibbles = (nibbles << 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f;
    let is_letter = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + is_letter * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_written() {
        assert_eq!(&stamp(994_720_184, 848_605_500), b"@400000003b4a39c23294b13c ");
        assert_eq!(&stamp(i64::MIN, 0)[..9], b"@00000000");
    }

    #[test]
    fn digits_are_lower_case() {
        assert_eq!(&hexadecimal(0x0123_4567), b"01234567");
        assert_eq!(&hexadecimal(0x89ab_cdef), b"89abcdef");
    }
}
