//! Dates in mail headers and mailboxes, from seconds since 1970, in UTC.

use crate::decimal;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const WEEKDAYS: [&[u8]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const DAY: i64 = 86_400;

/// A second of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Such as 2026.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 is Sunday.
    pub weekday: u8,
}

impl Civil {
    /// The calendar's name for `seconds` since 1970-01-01 00:00:00 UTC, in UTC.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Civil {
        let days = seconds.div_euclid(DAY);
        let rest = seconds.rem_euclid(DAY);
        // Counted from 1 March of year 0, so that the leap day is the last of its year: 400 years
        // have 146,097 days, and five months from March on have 153.
        let from_march = days + 719_468;
        let era = from_march.div_euclid(146_097);
        let of_era = from_march.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march_month + 2) / 5 + 1;
        let month = if from_march_month < 10 { from_march_month + 3 } else { from_march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month: small(month),
            day: small(day),
            hour: small(rest / 3_600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            weekday: small((days + 4).rem_euclid(7)),
        }
    }

    /// Seconds since 1970 of this second in UTC; the weekday is not looked at.
    #[must_use]
    pub fn to_unix(&self) -> i64 {
        let month = i64::from(self.month);
        let year = self.year - i64::from(month <= 2);
        let from_march_month = if month > 2 { month - 3 } else { month + 9 };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let of_year = (153 * from_march_month + 2) / 5 + i64::from(self.day) - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        let days = era * 146_097 + of_era - 719_468;
        days * DAY
            + i64::from(self.hour) * 3_600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
    }

    fn push_clock(&self, out: &mut Vec<u8>) {
        decimal::push_padded(out, self.hour.into(), 2);
        out.push(b':');
        decimal::push_padded(out, self.minute.into(), 2);
        out.push(b':');
        decimal::push_padded(out, self.second.into(), 2);
    }

    fn month_name(&self) -> &'static [u8] {
        MONTHS.get(usize::from(self.month).wrapping_sub(1)).copied().unwrap_or_default()
    }

    fn push_year(&self, out: &mut Vec<u8>) {
        if self.year < 0 {
            out.push(b'-');
        }
        decimal::push(out, self.year.unsigned_abs());
    }
}

/// Every caller's number is below 60 by a remainder or a division.
fn small(number: i64) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

/// Appends the date as qmail writes it in headers: `1 Nov 2026 00:21:29 -0000`.
///
/// No day of the week, the day without a leading zero, always UTC; `-0000` says that nothing is
/// known of local time (RFC 5322 section 3.3). No newline.
pub fn push_header(out: &mut Vec<u8>, seconds: i64) {
    let civil = Civil::from_unix(seconds);
    decimal::push(out, civil.day.into());
    out.push(b' ');
    out.extend_from_slice(civil.month_name());
    out.push(b' ');
    civil.push_year(out);
    out.push(b' ');
    civil.push_clock(out);
    out.extend_from_slice(b" -0000");
}

/// The date as qmail writes it in headers: `1 Nov 2026 00:21:29 -0000`.
#[must_use]
pub fn header(seconds: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    push_header(&mut out, seconds);
    out
}

/// Appends the date of an mbox `From ` line: `Sun Nov 01 00:21:29 2026`, UTC, no newline.
///
/// The day has two digits, as qmail-local(8) writes it; [`push_ctime`] is the C library's form.
pub fn push_from_line(out: &mut Vec<u8>, seconds: i64) {
    push_mbox(out, seconds, b'0');
}

/// Appends the date in the form of ctime(3), `Sun Nov  1 00:21:29 2026`, UTC, no newline.
pub fn push_ctime(out: &mut Vec<u8>, seconds: i64) {
    push_mbox(out, seconds, b' ');
}

fn push_mbox(out: &mut Vec<u8>, seconds: i64, pad: u8) {
    let civil = Civil::from_unix(seconds);
    let weekday = WEEKDAYS.get(usize::from(civil.weekday)).copied().unwrap_or_default();
    out.extend_from_slice(weekday);
    out.push(b' ');
    out.extend_from_slice(civil.month_name());
    out.push(b' ');
    if civil.day < 10 {
        out.push(pad);
    }
    decimal::push(out, civil.day.into());
    out.push(b' ');
    civil.push_clock(out);
    out.push(b' ');
    civil.push_year(out);
}

/// Appends the date as 14 digits, `20261101002129`, UTC: the beginning of qmail's message ids.
pub fn push_digits(out: &mut Vec<u8>, seconds: i64) {
    let civil = Civil::from_unix(seconds);
    decimal::push_padded(out, civil.year.unsigned_abs(), 4);
    for part in [civil.month, civil.day, civil.hour, civil.minute, civil.second] {
        decimal::push_padded(out, part.into(), 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 21 Nov 2026 00:21:29 UTC.
    const THEN: i64 = 1_795_220_489;

    fn written(push: fn(&mut Vec<u8>, i64), seconds: i64) -> String {
        let mut out = Vec::new();
        push(&mut out, seconds);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_header_s_date_is_qmail_s() {
        assert_eq!(header(THEN), b"21 Nov 2026 00:21:29 -0000");
        assert_eq!(header(0), b"1 Jan 1970 00:00:00 -0000");
        assert_eq!(header(951_827_696), b"29 Feb 2000 12:34:56 -0000");
        assert_eq!(header(-1), b"31 Dec 1969 23:59:59 -0000");
    }

    #[test]
    fn a_from_line_s_day_has_two_digits() {
        assert_eq!(written(push_from_line, THEN), "Sat Nov 21 00:21:29 2026");
        assert_eq!(written(push_from_line, 0), "Thu Jan 01 00:00:00 1970");
        assert_eq!(written(push_ctime, 0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(written(push_ctime, THEN), "Sat Nov 21 00:21:29 2026");
    }

    #[test]
    fn digits_sort_as_the_time_does() {
        assert_eq!(written(push_digits, THEN), "20261121002129");
    }

    #[test]
    fn centuries_are_leap_only_every_fourth() {
        assert_eq!(header(4_107_542_400), b"1 Mar 2100 00:00:00 -0000");
        assert_eq!(header(4_107_542_399), b"28 Feb 2100 23:59:59 -0000");
    }

    proptest! {
        #[test]
        fn every_second_reads_back(seconds in -100_000_000_000_i64..100_000_000_000) {
            prop_assert_eq!(Civil::from_unix(seconds).to_unix(), seconds);
        }

        #[test]
        fn no_second_is_too_far(seconds: i64) {
            let _ = (header(seconds), written(push_ctime, seconds), written(push_digits, seconds));
        }

        #[test]
        fn days_follow_one_another(seconds in -100_000_000_000_i64..100_000_000_000) {
            let today = Civil::from_unix(seconds);
            let tomorrow = Civil::from_unix(seconds + DAY);
            prop_assert_eq!((today.weekday + 1) % 7, tomorrow.weekday);
            prop_assert!(tomorrow.day == today.day + 1 || tomorrow.day == 1);
        }
    }
}
