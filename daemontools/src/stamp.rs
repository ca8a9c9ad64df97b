//! Times before lines: as TAI64N labels, as ISO 8601 in UTC, as seconds since the epoch.

use memchr::memchr;
use unix::clock::Wall;
use wire::gather::Gather;

use crate::tai::{self, LABEL, STAMP};

/// How a stamp tells the time. A space follows each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `@` and 24 hexadecimal digits, as [`tai::stamp`].
    #[default]
    Tai64n,
    /// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`, years 0000 to 9999. Source: ISO 8601, RFC 3339.
    Iso,
    /// Seconds since 1970 in decimal, a dot, six digits of microseconds. Source: accustamp(1) of
    /// daemontools 0.53, multilog(8) of daemontools-encore.
    Unix,
}

/// Seconds of the years 0000 to 9999.
const YEARS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Bytes of the longest stamp.
const LONGEST: usize = 31;

/// A stamp, and where in it the part of a second stands.
#[derive(Clone, Copy, Debug)]
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
    fraction: usize,
}

impl Text {
    /// The stamp of a time.
    fn new(form: Form, time: Wall) -> Text {
        let mut text = Text { bytes: [b' '; LONGEST], length: 0, fraction: 0 };
        match form {
            Form::Tai64n => {
                text.push(&tai::stamp(time));
                text.fraction = LABEL - 8;
            }
            Form::Iso => {
                text.push(&date(time.seconds));
                text.fraction = text.length;
                text.push(&decimal::<9>(time.nanos));
                text.push(b"Z ");
            }
            Form::Unix => {
                let mut seconds = Vec::with_capacity(20);
                wire::decimal::push(&mut seconds, u64::try_from(time.seconds).unwrap_or(0));
                text.push(seconds.get(..20).unwrap_or(&seconds));
                text.push(b".");
                text.fraction = text.length;
                text.push(&decimal::<6>(time.nanos / 1000));
                text.push(b" ");
            }
        }
        text
    }

    fn push(&mut self, piece: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + piece.len()) {
            room.copy_from_slice(piece);
            self.length += piece.len();
        }
    }

    /// Puts another part of the same second in.
    fn set_fraction(&mut self, form: Form, nanos: u32) {
        let room = self.bytes.get_mut(self.fraction..).unwrap_or_default();
        match form {
            Form::Tai64n => put(room, tai::hexadecimal(nanos)),
            Form::Iso => put(room, decimal::<9>(nanos)),
            Form::Unix => put(room, decimal::<6>(nanos / 1000)),
        }
    }
}

fn put<const N: usize>(room: &mut [u8], digits: [u8; N]) {
    if let Some(place) = room.first_chunk_mut() {
        *place = digits;
    }
}

/// The last `N` decimal digits.
fn decimal<const N: usize>(number: u32) -> [u8; N] {
    let (mut digits, mut rest) = ([b'0'; N], number);
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    digits
}

/// `YYYY-MM-DDTHH:MM:SS.` in UTC.
fn date(seconds: i64) -> [u8; 20] {
    let seconds = seconds.clamp(*YEARS.start(), *YEARS.end());
    let [year, month, day] = civil(seconds.div_euclid(86_400));
    let second = u32::try_from(seconds.rem_euclid(86_400)).unwrap_or_default();
    let mut text = *b"0000-00-00T00:00:00.";
    if let Some(place) = text.first_chunk_mut() {
        *place = decimal::<4>(year);
    }
    let parts = [month, day, second / 3600, second / 60 % 60, second % 60];
    for (place, part) in text.iter_mut().skip(5).collect::<Vec<_>>().chunks_mut(3).zip(parts) {
        for (digit, new) in place.iter_mut().zip(decimal::<2>(part)) {
            **digit = new;
        }
    }
    text
}

/// Year, month (1…12) and day of the month (1…31) of a day since 1970-01-01, from the year 0 on.
///
/// Years are counted from March, so that the day that comes every fourth year is the last one; 400 of
/// them have 146,097 days.
fn civil(day: i64) -> [u32; 3] {
    let day = u64::try_from(day + 865_565).unwrap_or_default(); // since March 1, 400 years before 0000
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153; // since March: months of 31 and 30 days in a pattern of five
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = (era * 400 + year + next).saturating_sub(400);
    [year, month, of_month].map(|part| u32::try_from(part).unwrap_or_default())
}

/// Puts a stamp before each line of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Stamper {
    form: Form,
    at_line_start: bool,
    /// The time stamped last, and its stamp.
    last: (Wall, Text),
}

impl Default for Stamper {
    fn default() -> Self {
        Stamper::new(Form::default())
    }
}

impl Stamper {
    /// One that stands before the first line.
    #[must_use]
    pub fn new(form: Form) -> Stamper {
        let time = Wall { seconds: 0, nanos: 0 };
        Stamper { form, at_line_start: true, last: (time, Text::new(form, time)) }
    }

    /// Appends the next part of the stream to `out`; a line may come in several parts.
    ///
    /// The first line that begins in it is stamped with what `now` gives, and each that follows with
    /// one nanosecond more: they came together, and to look at the clock for each would cost as much
    /// as all that is done to them besides.
    pub fn feed(&mut self, input: &[u8], out: &mut Gather, now: impl FnOnce() -> Wall) {
        let (mut rest, mut first, mut time) = (input, Some(now), Wall { seconds: 0, nanos: 0 });
        while !rest.is_empty() {
            if self.at_line_start {
                time = first.take().map_or_else(|| next(time), |now| now());
                self.stamp(time, out);
            }
            let end = memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (part, after) = rest.split_at(end);
            out.push(part);
            self.at_line_start = part.ends_with(b"\n");
            rest = after;
        }
    }

    /// Most lines share their second with the one before.
    fn stamp(&mut self, time: Wall, out: &mut Gather) {
        let (last, text) = &mut self.last;
        if last.seconds == time.seconds {
            text.set_fraction(self.form, time.nanos);
        } else {
            *text = Text::new(self.form, time);
        }
        *last = time;
        match text.bytes.first_chunk::<STAMP>() {
            Some(label) if self.form == Form::Tai64n => out.push_array(label),
            _ => out.push(text.bytes.get(..text.length).unwrap_or_default()),
        }
    }
}

/// The nanosecond behind this one.
#[must_use]
pub fn next(time: Wall) -> Wall {
    match time.nanos {
        0..999_999_999 => Wall { nanos: time.nanos + 1, ..time },
        _ => Wall { seconds: time.seconds.saturating_add(1), nanos: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamped(form: Form, seconds: i64, nanos: u32) -> String {
        let (mut stamper, mut out) = (Stamper::new(form), Gather::default());
        stamper.feed(b"x\n", &mut out, || Wall { seconds, nanos });
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    #[test]
    fn each_line_is_stamped_when_it_begins() {
        let (mut stamper, mut out) = (Stamper::default(), Gather::default());
        stamper.feed(b"a\n\nb", &mut out, || Wall { seconds: 1, nanos: 999_999_999 });
        stamper.feed(b"c\nd", &mut out, || Wall { seconds: 4, nanos: 0 });
        let expected = "@400000000000000b3b9ac9ff a\n@400000000000000c00000000 \n\
                        @400000000000000c00000001 bc\n@400000000000000e00000000 d";
        assert_eq!(String::from_utf8_lossy(out.text()), expected);
    }

    #[test]
    fn a_part_of_a_second_is_put_into_the_stamp_before() {
        for form in [Form::Tai64n, Form::Iso, Form::Unix] {
            let (mut stamper, mut out) = (Stamper::new(form), Gather::default());
            let parts = [987_654_321, 87_654_320];
            for nanos in parts {
                stamper.feed(b"x\n", &mut out, || Wall { seconds: 994_720_184, nanos });
            }
            let both = parts.map(|part| stamped(form, 994_720_184, part));
            assert_eq!(String::from_utf8_lossy(out.text()), both.concat());
        }
    }

    #[test]
    fn iso_stamps_are_utc_with_nanoseconds() {
        let iso = |seconds, nanos| stamped(Form::Iso, seconds, nanos);
        assert_eq!(iso(994_720_184, 848_605_500), "2001-07-09T23:09:44.848605500Z x\n");
        assert_eq!(iso(0, 0), "1970-01-01T00:00:00.000000000Z x\n");
        assert_eq!(iso(-1, 1), "1969-12-31T23:59:59.000000001Z x\n");
        assert_eq!(iso(951_782_400, 0), "2000-02-29T00:00:00.000000000Z x\n");
        assert_eq!(iso(951_868_800, 0), "2000-03-01T00:00:00.000000000Z x\n");
        assert_eq!(iso(4_107_542_399, 0), "2100-02-28T23:59:59.000000000Z x\n");
        assert_eq!(iso(4_107_542_400, 0), "2100-03-01T00:00:00.000000000Z x\n");
        assert_eq!(iso(i64::MAX, 0), "9999-12-31T23:59:59.000000000Z x\n");
        assert_eq!(iso(i64::MIN, 0), "0000-01-01T00:00:00.000000000Z x\n");
    }

    #[test]
    fn unix_stamps_are_seconds_and_microseconds() {
        assert_eq!(stamped(Form::Unix, 994_720_184, 848_605_999), "994720184.848605 x\n");
        assert_eq!(stamped(Form::Unix, -5, 1_000), "0.000001 x\n");
        let far = format!("{}.000000 x\n", i64::MAX);
        assert_eq!(stamped(Form::Unix, i64::MAX, 0), far);
    }

    proptest! {
        /// Day after day, by the rule that everybody knows.
        #[test]
        fn a_day_is_followed_by_the_next(day in -719_528_i64..2_932_896) {
            let ([year, month, of_month], next) = (civil(day), civil(day + 1));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month { 2 if is_leap => 29, 2 => 28, 4 | 6 | 9 | 11 => 30, _ => 31 };
            let expected = match (month, of_month) {
                (12, 31) => [year + 1, 1, 1],
                (_, last) if last == days => [year, month + 1, 1],
                _ => [year, month, of_month + 1],
            };
            prop_assert_eq!(next, expected);
        }
    }
}
