//! Log lines as syslog messages.

use unix::clock::{Calendar, Wall};
use wire::date::{self, Civil};
use wire::decimal;

/// The facility without a number of its own: mail.
pub const MAIL: u64 = 2;

/// What syslog takes a facility for that it does not know: user.
const USER: u64 = 1;

/// The longest piece of a line; syslog daemons cut what is longer.
const LONGEST: usize = 799;

/// How urgent a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Alert = 1,
    Warning = 4,
    Info = 6,
}

impl Severity {
    fn of(line: &[u8]) -> Severity {
        if line.starts_with(b"alert:") {
            Severity::Alert
        } else if line.starts_with(b"warning:") {
            Severity::Warning
        } else {
            Severity::Info
        }
    }
}

/// Cuts lines into messages, each with a time stamp and a priority.
///
/// A message is `SECONDS.MICROSECONDS TEXT`; of a long line, the further pieces have the stamp of the
/// first and `+` instead of the space. Bytes that are not printable ASCII become `?`; empty lines
/// are dropped. Source: splogger(8).
#[derive(Debug, Default)]
pub struct Lines {
    piece: Vec<u8>,
    /// What the first piece of the line got, once it is out.
    begun: Option<(Severity, Vec<u8>)>,
}

impl Lines {
    /// Takes the next bytes, of any number, and gives each message that they complete to `send`:
    /// its severity's number and its text.
    pub fn take(&mut self, bytes: &[u8], now: Wall, mut send: impl FnMut(u64, &[u8])) {
        for &byte in bytes {
            if byte == b'\n' {
                self.finish(now, &mut send);
                continue;
            }
            if self.piece.len() == LONGEST {
                self.flush(now, &mut send);
            }
            self.piece.push(if (32..=126).contains(&byte) { byte } else { b'?' });
        }
    }

    /// The line ends here.
    pub fn finish(&mut self, now: Wall, send: impl FnMut(u64, &[u8])) {
        self.flush(now, send);
        self.begun = None;
    }

    fn flush(&mut self, now: Wall, mut send: impl FnMut(u64, &[u8])) {
        if self.piece.is_empty() {
            return;
        }
        let joint = if self.begun.is_some() { b"+" } else { b" " };
        let (severity, stamp) =
            self.begun.get_or_insert_with(|| (Severity::of(&self.piece), stamp(now)));
        send(*severity as u64, &[stamp, &joint[..], &self.piece].concat());
        self.piece.clear();
    }
}

fn stamp(now: Wall) -> Vec<u8> {
    let mut stamp = Vec::with_capacity(24);
    decimal::push(&mut stamp, now.seconds.unsigned_abs());
    stamp.push(b'.');
    decimal::push_padded(&mut stamp, u64::from(now.nanos / 1000), 6);
    stamp
}

/// A message as the syslog socket takes it: `<PRIORITY>Nov 21 00:21:29 TAG: TEXT`.
///
/// `facility` is its number, 2 for mail; one that syslog does not know counts as 1. `at` is local
/// time. Source: syslog(3), as the GNU C library writes it.
#[must_use]
pub fn datagram(facility: u64, severity: u64, at: Calendar, tag: &[u8], text: &[u8]) -> Vec<u8> {
    let facility = if facility < 128 { facility } else { USER };
    let mut out = vec![b'<'];
    decimal::push(&mut out, facility * 8 + severity);
    out.push(b'>');
    let civil = Civil {
        year: at.year,
        month: at.month,
        day: at.day,
        hour: at.hour,
        minute: at.minute,
        second: at.second,
        weekday: 0,
    };
    let mut ctime = Vec::new();
    date::push_ctime(&mut ctime, civil.to_unix());
    out.extend(ctime.iter().skip("Sat ".len()).take("Nov 21 00:21:29".len()));
    for part in [b" ", tag, b": ", text] {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall { seconds: 1_795_220_489, nanos: 42_000_999 };

    fn messages(pieces: &[&str]) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.take(piece.as_bytes(), NOW, |severity, text| {
                found.push((severity, String::from_utf8(text.to_vec()).unwrap()));
            });
        }
        found
    }

    #[test]
    fn each_line_has_a_stamp_and_a_severity() {
        let expected = [
            (6, "1795220489.042000 new msg 7"),
            (4, "1795220489.042000 warning: x"),
            (1, "1795220489.042000 alert: y"),
        ];
        let found = messages(&["new ms", "g 7\nwarning: x\nalert: y\n"]);
        assert_eq!(found, expected.map(|(severity, text)| (severity, text.to_owned())));
    }

    #[test]
    fn empty_lines_are_dropped_and_strange_bytes_masked() {
        let found = messages(&["\n\na\tb\u{e9}\n\n"]);
        assert_eq!(found, [(6, "1795220489.042000 a?b??".to_owned())]);
    }

    #[test]
    fn a_long_line_is_continued_with_a_plus() {
        let line = format!("alert: {}", "x".repeat(800));
        let found = messages(&[&line, "\nnext\n"]);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], (1, format!("1795220489.042000 {}", &line[..799])));
        assert_eq!(found[1], (1, format!("1795220489.042000+{}", &line[799..])));
        assert_eq!(found[2], (6, "1795220489.042000 next".to_owned()));
    }

    #[test]
    fn a_line_of_exactly_one_piece_is_not_continued() {
        assert_eq!(messages(&[&"x".repeat(799), "\n", "y\n"]).len(), 2);
    }

    #[test]
    fn a_datagram_has_priority_date_and_tag() {
        let at = Calendar { year: 2026, month: 11, day: 1, hour: 0, minute: 21, second: 29 };
        let bytes = datagram(MAIL, 4, at, b"qmail", b"1.000002 warning: x");
        assert_eq!(bytes, b"<20>Nov  1 00:21:29 qmail: 1.000002 warning: x");
        assert!(datagram(0, 6, at, b"q", b"").starts_with(b"<6>"));
        assert!(datagram(128, 6, at, b"q", b"").starts_with(b"<14>"));
    }
}
