//! Commands and reports, as bytes on pipes.
//!
//! A command is a delivery number of one byte, then the message's file below `mess/`, the sender and
//! the recipient, each ended by a zero byte. A report is the same number, a text that starts with
//! `K`, `Z` or `D`, and a zero byte. A delivery number is free again once its report has been sent.

use queue::path::MessageId;

/// A field longer than this is not kept. qmail-queue refuses addresses beyond 1002 bytes, so only
/// nonsense is this long.
const LONGEST_FIELD: usize = 64 * 1024;

/// The longest message file name, with its zero byte.
const LONGEST_FILE: usize = 100;

/// What qmail-send wants delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The number that the report will carry.
    pub delivery: u8,
    /// The message's file, below `mess/`.
    pub file: Vec<u8>,
    /// The envelope sender; may be empty.
    pub sender: Vec<u8>,
    /// The recipient.
    pub recipient: Vec<u8>,
    /// True if a field was too long to keep.
    pub overlong: bool,
}

impl Command {
    /// The recipient's local part and domain, split at the last `@`; or the report for a command
    /// that cannot be carried out. `limit` is the number of deliveries at a time, `in_use` tells
    /// whether this one's number is taken.
    pub fn check(&self, limit: u8, in_use: bool) -> Result<(&[u8], &[u8]), &'static str> {
        if self.overlong {
            return Err("Zqmail-spawn out of memory. (#4.3.0)\n");
        }
        if self.delivery >= limit {
            return Err("ZInternal error: delnum too big. (#4.3.5)\n");
        }
        if in_use {
            return Err("ZInternal error: delnum in use. (#4.3.5)\n");
        }
        let digit_or_slash = |&byte: &u8| byte == b'/' || byte.is_ascii_digit();
        if self.file.first() == Some(&b'/') || !self.file.iter().all(digit_or_slash) {
            return Err("DInternal error: messid has nonnumerics. (#5.3.5)\n");
        }
        if self.file.len() + 1 > LONGEST_FILE {
            return Err("DInternal error: messid too long. (#5.3.5)\n");
        }
        if self.file.is_empty() {
            return Err("DInternal error: messid too short. (#5.3.5)\n");
        }
        let at = self.recipient.iter().rposition(|&byte| byte == b'@');
        at.and_then(|at| {
            let (local, domain) = self.recipient.split_at_checked(at)?;
            Some((local, domain.get(1..)?))
        })
        .ok_or("DSorry, address must include host name. (#5.1.3)\n")
    }
}

/// Appends a command as qmail-send writes it.
pub fn push_command(
    out: &mut Vec<u8>,
    delivery: u8,
    id: MessageId,
    sender: &[u8],
    recipient: &[u8],
) {
    out.push(delivery);
    for field in [format!("{}/{id}", id.subdirectory()).as_bytes(), sender, recipient] {
        out.extend_from_slice(field);
        out.push(0);
    }
}

/// Commands out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct Commands {
    part: Command,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Delivery,
    File,
    Sender,
    Recipient,
}

impl Commands {
    /// Takes bytes off the front of `bytes` until a command is whole; `None` once they are used up.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Command> {
        while let [first, rest @ ..] = *bytes {
            let field = match self.place {
                Place::Delivery => {
                    self.part.delivery = *first;
                    self.place = Place::File;
                    *bytes = rest;
                    continue;
                }
                Place::File => &mut self.part.file,
                Place::Sender => &mut self.part.sender,
                Place::Recipient => &mut self.part.recipient,
            };
            let end = memchr::memchr(0, bytes);
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
            let room = LONGEST_FIELD - field.len();
            self.part.overlong |= text.len() > room;
            field.extend(text.iter().take(room));
            if end.is_none() {
                *bytes = &[];
                return None;
            }
            *bytes = rest.get(1..).unwrap_or_default();
            self.place = match self.place {
                Place::Delivery | Place::File => Place::Sender,
                Place::Sender => Place::Recipient,
                Place::Recipient => {
                    self.place = Place::Delivery;
                    return Some(std::mem::take(&mut self.part));
                }
            };
        }
        None
    }
}

/// What became of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number that the command had.
    pub delivery: u8,
    /// The text, with its first letter.
    pub text: Vec<u8>,
}

/// What of a report's text is kept; with the number that is 10,000 bytes.
pub const LONGEST_REPORT: usize = 9_999;

/// Appends a report as a spawner writes it. `text` holds no zero byte.
pub fn push_report(out: &mut Vec<u8>, delivery: u8, text: &[u8]) {
    out.push(delivery);
    out.extend_from_slice(text);
    out.push(0);
}

/// Reports out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct Reports {
    delivery: Option<u8>,
    text: Vec<u8>,
}

impl Reports {
    /// Takes bytes off the front of `bytes` until a report is whole; `None` once they are used up.
    ///
    /// What is beyond [`LONGEST_REPORT`] is dropped. Where a spawner wrote no text at all, there is
    /// none: that is for the reader to complain of.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Report> {
        loop {
            let Some(delivery) = self.delivery else {
                let (&first, rest) = bytes.split_first()?;
                self.delivery = Some(first);
                *bytes = rest;
                continue;
            };
            let end = memchr::memchr(0, bytes);
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
            self.text.extend(text.iter().take(LONGEST_REPORT - self.text.len()));
            *bytes = rest.get(1..).unwrap_or_default();
            end?;
            self.delivery = None;
            return Some(Report { delivery, text: std::mem::take(&mut self.text) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(file: &str, recipient: &str) -> Command {
        Command {
            delivery: 3,
            file: file.into(),
            sender: b"a@b".into(),
            recipient: recipient.into(),
            overlong: false,
        }
    }

    #[test]
    fn a_command_is_split_at_the_last_at_sign() {
        let command = command("7/421", "a@b@c");
        assert_eq!(command.check(120, false), Ok((&b"a@b"[..], &b"c"[..])));
    }

    #[test]
    fn each_fault_has_its_report() {
        let text = |command: Command| command.check(120, false).unwrap_err();
        assert!(text(command("7/42x", "a@b")).starts_with("DInternal error: messid has nonnum"));
        assert!(text(command("/7", "a@b")).starts_with("DInternal error: messid has nonnumerics"));
        assert!(text(command(&"7".repeat(100), "a@b")).contains("too long"));
        assert!(command(&"7".repeat(99), "a@b").check(120, false).is_ok());
        assert!(text(command("", "a@b")).contains("too short"));
        assert!(text(command("7/421", "ab")).starts_with("DSorry, address must include"));
        assert!(command("7", "a@b").check(120, true).unwrap_err().contains("in use"));
        assert!(command("7", "a@b").check(3, false).unwrap_err().contains("too big"));
        let overlong = Command { overlong: true, ..command("7", "a@b") };
        assert_eq!(text(overlong), "Zqmail-spawn out of memory. (#4.3.0)\n");
    }

    #[test]
    fn a_field_without_end_takes_bounded_memory() {
        let mut commands = Commands::default();
        let piece = [b'x'; 4096];
        assert_eq!(commands.next(&mut &b"\x0512/3\0"[..]), None);
        for _ in 0..100 {
            assert_eq!(commands.next(&mut &piece[..]), None);
        }
        let command = commands.next(&mut &b"\0a@b\0"[..]).unwrap();
        assert!(command.overlong);
        assert_eq!(command.sender.len(), LONGEST_FIELD);
        let mut next = Vec::new();
        push_command(&mut next, 6, MessageId(24), b"", b"a@b");
        assert!(!commands.next(&mut next.as_slice()).unwrap().overlong);
    }

    #[test]
    fn a_report_without_text_does_not_swallow_the_next() {
        let mut reports = Reports::default();
        let mut bytes = &b"\0\0\x05Kok\0\x06"[..];
        assert_eq!(reports.next(&mut bytes), Some(Report { delivery: 0, text: b"".into() }));
        assert_eq!(reports.next(&mut bytes), Some(Report { delivery: 5, text: b"Kok".into() }));
        assert_eq!(reports.next(&mut bytes), None);
        let mut bytes = &b"D\0"[..];
        assert_eq!(reports.next(&mut bytes), Some(Report { delivery: 6, text: b"D".into() }));
    }

    #[test]
    fn a_long_report_is_cut() {
        let mut bytes = Vec::new();
        push_report(&mut bytes, 1, &vec![b'x'; 20_000]);
        let report = Reports::default().next(&mut bytes.as_slice()).unwrap();
        assert_eq!(report.text.len(), LONGEST_REPORT);
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(1u8.., 0..20)
    }

    proptest! {
        #[test]
        fn commands_read_back_from_any_pieces(
            wanted in proptest::collection::vec((any::<u8>(), 0u64..5000, text(), text()), 0..5),
            size in 1usize..30,
        ) {
            let mut bytes = Vec::new();
            for (delivery, id, sender, recipient) in &wanted {
                push_command(&mut bytes, *delivery, MessageId(*id), sender, recipient);
            }
            let mut commands = Commands::default();
            let mut found = Vec::new();
            for mut piece in bytes.chunks(size) {
                while let Some(command) = commands.next(&mut piece) {
                    found.push((command.delivery, command.file, command.sender, command.recipient));
                }
            }
            let wanted: Vec<_> = wanted
                .into_iter()
                .map(|(delivery, id, from, to)| {
                    (delivery, format!("{}/{id}", id % 23).into_bytes(), from, to)
                })
                .collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn reports_read_back_from_any_pieces(
            wanted in proptest::collection::vec((any::<u8>(), text()), 0..5),
            size in 1usize..30,
        ) {
            let wanted: Vec<_> = wanted
                .into_iter()
                .map(|(delivery, text)| Report { delivery, text: [b"K", text.as_slice()].concat() })
                .collect();
            let mut bytes = Vec::new();
            for report in &wanted {
                push_report(&mut bytes, report.delivery, &report.text);
            }
            let mut reports = Reports::default();
            let mut found = Vec::new();
            for mut piece in bytes.chunks(size) {
                while let Some(report) = reports.next(&mut piece) {
                    found.push(report);
                }
            }
            prop_assert_eq!(found, wanted);
        }
    }
}
