//! TAI64N labels: write, read, show in local time.
//!
//! A label is `@`, 16 hexadecimal digits of seconds, 8 of nanoseconds, in lower case. The difference
//! between TAI and UTC is always taken as 10 seconds, as the originals do; leap seconds are ignored,
//! and labels read back as the time they were made from. Source: tai64n(8), tai64nlocal(8).

use memchr::memchr;
use tai64::{Tai64, Tai64N};
use unix::clock::{Calendar, Wall};
use wire::decimal;
use wire::gather::Gather;

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
fn hexadecimal(number: u32) -> [u8; 8] {
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

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Puts a label before each line of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Stamper {
    at_line_start: bool,
    /// The time stamped last, and its stamp.
    last: (Wall, [u8; STAMP]),
}

impl Default for Stamper {
    fn default() -> Self {
        let time = Wall { seconds: 0, nanos: 0 };
        Stamper { at_line_start: true, last: (time, stamp(time)) }
    }
}

impl Stamper {
    /// Appends the next part of the stream to `out`. Each line is stamped with what `now` gives when
    /// the line's first byte is seen; a line may come in several parts.
    pub fn feed(&mut self, input: &[u8], out: &mut Gather, mut now: impl FnMut() -> Wall) {
        let mut rest = input;
        while !rest.is_empty() {
            if self.at_line_start {
                out.push_array(self.stamp(now()));
            }
            let end = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (part, after) = rest.split_at(end);
            out.push(part);
            self.at_line_start = part.ends_with(b"\n");
            rest = after;
        }
    }

    /// As the function of that name; most lines share their second with the one before.
    fn stamp(&mut self, time: Wall) -> &[u8; STAMP] {
        let (last, text) = &mut self.last;
        match text.get_mut(LABEL - 8..LABEL).and_then(<[u8]>::first_chunk_mut) {
            Some(nanos) if last.seconds == time.seconds => *nanos = hexadecimal(time.nanos),
            _ => *text = stamp(time),
        }
        *last = time;
        text
    }
}

/// Shows the labels at the beginning of the lines of a stream in local time.
#[derive(Clone, Debug)]
pub struct Localizer {
    at_line_start: bool,
    /// The second shown last, and how.
    last: Option<(i64, Vec<u8>)>,
}

impl Default for Localizer {
    fn default() -> Self {
        Localizer { at_line_start: true, last: None }
    }
}

impl Localizer {
    /// Appends the next part of the stream to `out`, with a label at the beginning of a line shown as
    /// `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`. What is no label, or is a time that `local` does not
    /// know, stays as it is.
    ///
    /// Gives how many bytes were taken: all, unless a part ends within a label. What is left (at most
    /// [`LABEL`] bytes) must come again before what follows it; at the end of the stream, `last` says that
    /// nothing does.
    pub fn feed(
        &mut self,
        input: &[u8],
        last: bool,
        out: &mut Vec<u8>,
        mut local: impl FnMut(i64) -> Option<Calendar>,
    ) -> usize {
        let mut rest = input;
        while !rest.is_empty() {
            if self.at_line_start && rest.starts_with(b"@") {
                let (label, after) = rest.split_at(label_length(rest));
                if after.is_empty() && label.len() <= LABEL && !last {
                    break; // the next byte decides whether the label ends here
                }
                if !self.show(label, out, &mut local) {
                    out.extend_from_slice(label);
                }
                rest = after;
            }
            let end = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (part, after) = rest.split_at(end);
            out.extend_from_slice(part);
            self.at_line_start = part.ends_with(b"\n");
            rest = after;
        }
        input.len() - rest.len()
    }

    /// Appends a label's time; false if it tells none.
    fn show(
        &mut self,
        label: &[u8],
        out: &mut Vec<u8>,
        local: &mut impl FnMut(i64) -> Option<Calendar>,
    ) -> bool {
        let Some(Wall { seconds, nanos }) = read(label) else { return false };
        match &self.last {
            Some((known, text)) if *known == seconds => out.extend_from_slice(text),
            _ => {
                let Some(text) = local(seconds).and_then(text) else { return false };
                out.extend_from_slice(&text);
                self.last = Some((seconds, text));
            }
        }
        decimal::push_padded(out, nanos.into(), 9);
        true
    }
}

/// Bytes up to the first that is no digit of a label, or one more than a label has.
fn label_length(line: &[u8]) -> usize {
    let digits = line.iter().skip(1).take(LABEL).take_while(|&&byte| digit(byte).is_some());
    digits.count() + 1
}

/// `YYYY-MM-DD HH:MM:SS.`; nothing for a year before the common era, which has no such form.
fn text(time: Calendar) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(20);
    decimal::push(&mut text, u64::try_from(time.year).ok()?);
    let parts = [time.month, time.day, time.hour, time.minute, time.second];
    for (before, part) in b"-- ::".iter().zip(parts) {
        text.push(*before);
        decimal::push_padded(&mut text, part.into(), 2);
    }
    text.push(b'.');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: Wall = Wall { seconds: 994_720_184, nanos: 848_605_500 };
    const LINE: &[u8] = b"@400000003b4a39c23294b13c";

    fn utc(seconds: i64) -> Option<Calendar> {
        let day = seconds.div_euclid(86_400);
        let second = u32::try_from(seconds.rem_euclid(86_400)).unwrap();
        // Only days near the one of TIME are asked for.
        let (year, month, day) = (2001, 7, u8::try_from(day - 11_503).ok()?);
        let part = |number: u32| u8::try_from(number).unwrap();
        let (hour, minute) = (part(second / 3600), part(second / 60 % 60));
        Some(Calendar { year, month, day, hour, minute, second: part(second % 60) })
    }

    fn localized(parts: &[&[u8]]) -> String {
        let (mut machine, mut out, mut left) = (Localizer::default(), Vec::new(), Vec::new());
        for part in parts {
            left.extend_from_slice(part);
            let taken = machine.feed(&left, false, &mut out, utc);
            left.drain(..taken);
        }
        assert_eq!(machine.feed(&left, true, &mut out, utc), left.len());
        String::from_utf8(out).unwrap()
    }

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

    #[test]
    fn each_line_is_stamped_when_it_begins() {
        let (mut stamper, mut out) = (Stamper::default(), Gather::default());
        let mut seconds = 0;
        let mut now = || {
            seconds += 1;
            Wall { seconds, nanos: 0 }
        };
        stamper.feed(b"a\n\nb", &mut out, &mut now);
        stamper.feed(b"c\nd", &mut out, &mut now);
        let expected = "@400000000000000b00000000 a\n@400000000000000c00000000 \n\
                        @400000000000000d00000000 bc\n@400000000000000e00000000 d";
        assert_eq!(String::from_utf8_lossy(out.text()), expected);
    }

    #[test]
    fn a_label_is_shown_as_a_date() {
        let line = [LINE, b" fatal: x\nplain\n"].concat();
        assert_eq!(localized(&[&line]), "2001-07-09 23:09:44.848605500 fatal: x\nplain\n");
    }

    #[test]
    fn a_label_may_come_in_parts_and_end_the_stream() {
        let (first, second) = LINE.split_at(9);
        assert_eq!(localized(&[first, second]), "2001-07-09 23:09:44.848605500");
    }

    #[test]
    fn a_line_without_a_good_label_stays_as_it_is() {
        for line in [
            "@foo bar\n",
            "@\n",
            "@",
            "x @400000003b4a39c23294b13c\n",
            "@400000003b4a39c2\n",
            "@400000003B4A39C23294B13C x\n",
            "@400000003b4a39c23294b13c012 x\n",
            "@400000003b4a39c2",
            "@400000003b4a39c2ffffffff x\n",
            "@40000000ff4a39c23294b13c unknown to the calendar\n",
        ] {
            assert_eq!(localized(&[line.as_bytes()]), line);
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

        #[test]
        fn parts_do_not_matter(text in "(@|@400000003b4a39c23294b13c|[0-9a-f]{1,3}|\n| ){0,12}",
                               size in 1..40_usize) {
            let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(localized(&parts), localized(&[text.as_bytes()]));
        }
    }
}
