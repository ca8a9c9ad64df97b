//! Timestamps at the beginning of lines, shown in local time: those of tai64n and of accustamp.

use memchr::memchr;
use unix::clock::{Calendar, Wall};
use wire::decimal;

use crate::tai::{self, LABEL};

/// What stands at the beginning of a line. Source: tai64nlocal(8), tailocal(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A label of tai64n. A line that begins otherwise stays as it is.
    Label,
    /// Decimal digits: seconds since 1970. None are 0.
    Seconds,
}

impl Form {
    /// Bytes of `line` that may belong to a timestamp: up to the first that does not, or one more than
    /// one has.
    fn length(self, line: &[u8]) -> usize {
        let count = |bytes: &[u8], is_digit: fn(&u8) -> bool| {
            bytes.iter().take(LABEL).take_while(|byte| is_digit(byte)).count()
        };
        match (self, line) {
            (Form::Label, [b'@', digits @ ..]) => {
                1 + count(digits, |byte| tai::digit(*byte).is_some())
            }
            (Form::Label, _) => 0,
            (Form::Seconds, line) => count(line, u8::is_ascii_digit),
        }
    }

    /// The second that a timestamp tells, and the nanosecond if it tells one.
    fn read(self, text: &[u8]) -> Option<(i64, Option<u32>)> {
        match self {
            Form::Label => {
                let Wall { seconds, nanos } = tai::read(text)?;
                Some((seconds, Some(nanos)))
            }
            Form::Seconds if text.is_empty() => Some((0, None)),
            Form::Seconds => Some((i64::try_from(decimal::parse(text)?).ok()?, None)),
        }
    }
}

/// Shows the timestamps at the beginning of the lines of a stream in local time.
#[derive(Clone, Debug)]
pub struct Localizer {
    form: Form,
    at_line_start: bool,
    /// The second shown last, and how.
    last: Option<(i64, Vec<u8>)>,
}

impl Localizer {
    /// For a stream whose lines begin with timestamps of this form.
    #[must_use]
    pub fn new(form: Form) -> Localizer {
        Localizer { form, at_line_start: true, last: None }
    }

    /// Appends the next part of the stream to `out`, with a timestamp at the beginning of a line shown as
    /// `YYYY-MM-DD HH:MM:SS`, and `.nnnnnnnnn` if it tells nanoseconds. What is no timestamp, or is a
    /// time that `local` does not know, stays as it is.
    ///
    /// Gives how many bytes were taken: all, unless a part ends within a timestamp. What is left (at most
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
            if self.at_line_start {
                let (text, after) = rest.split_at(self.form.length(rest));
                if after.is_empty() && text.len() <= LABEL && !last {
                    break; // the next byte decides whether it ends here
                }
                if !self.show(text, out, &mut local) {
                    out.extend_from_slice(text);
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

    /// Appends a timestamp's time; false if it tells none.
    fn show(
        &mut self,
        text: &[u8],
        out: &mut Vec<u8>,
        local: &mut impl FnMut(i64) -> Option<Calendar>,
    ) -> bool {
        let Some((seconds, nanos)) = self.form.read(text) else { return false };
        match &self.last {
            Some((known, date)) if *known == seconds => out.extend_from_slice(date),
            _ => {
                let Some(date) = local(seconds).and_then(date) else { return false };
                out.extend_from_slice(&date);
                self.last = Some((seconds, date));
            }
        }
        if let Some(nanos) = nanos {
            out.push(b'.');
            decimal::push_padded(out, nanos.into(), 9);
        }
        true
    }
}

/// `YYYY-MM-DD HH:MM:SS`; nothing for a year before the common era, which has no such form.
fn date(time: Calendar) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(20);
    decimal::push(&mut text, u64::try_from(time.year).ok()?);
    let parts = [time.month, time.day, time.hour, time.minute, time.second];
    for (before, part) in b"-- ::".iter().zip(parts) {
        text.push(*before);
        decimal::push_padded(&mut text, part.into(), 2);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"@400000003b4a39c23294b13c";

    fn utc(seconds: i64) -> Option<Calendar> {
        let day = seconds.div_euclid(86_400);
        let second = u32::try_from(seconds.rem_euclid(86_400)).unwrap();
        // Only days near the one of LINE are asked for.
        let (year, month, day) = (2001, 7, u8::try_from(day - 11_503).ok()?);
        let part = |number: u32| u8::try_from(number).unwrap();
        let (hour, minute) = (part(second / 3600), part(second / 60 % 60));
        Some(Calendar { year, month, day, hour, minute, second: part(second % 60) })
    }

    fn shown(form: Form, parts: &[&[u8]]) -> String {
        let (mut machine, mut out, mut left) = (Localizer::new(form), Vec::new(), Vec::new());
        for part in parts {
            left.extend_from_slice(part);
            let taken = machine.feed(&left, false, &mut out, utc);
            left.drain(..taken);
            assert!(left.len() <= LABEL);
        }
        assert_eq!(machine.feed(&left, true, &mut out, utc), left.len());
        String::from_utf8(out).unwrap()
    }

    fn localized(parts: &[&[u8]]) -> String {
        shown(Form::Label, parts)
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

    #[test]
    fn seconds_are_shown_as_a_date_and_what_follows_stays() {
        let lines: &[u8] = b"994720184.848605 x\n994720184\n";
        let expected = "2001-07-09 23:09:44.848605 x\n2001-07-09 23:09:44\n";
        assert_eq!(shown(Form::Seconds, &[lines]), expected);
        assert_eq!(shown(Form::Seconds, &[b"9947", b"20184"]), "2001-07-09 23:09:44");
        for line in ["99999999999999999999999 x\n", "123456789012345678901234567890 x\n"] {
            assert_eq!(shown(Form::Seconds, &[line.as_bytes()]), line);
        }
    }

    proptest! {
        #[test]
        fn parts_do_not_matter(text in "(@|@400000003b4a39c23294b13c|[0-9a-f]{1,3}|\n| ){0,12}",
                               size in 1..40_usize) {
            let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            for form in [Form::Label, Form::Seconds] {
                prop_assert_eq!(shown(form, &parts), shown(form, &[text.as_bytes()]));
            }
        }
    }
}
