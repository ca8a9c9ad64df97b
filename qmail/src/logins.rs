//! Where a user is logged in: the records of utmp(5).

/// Bytes of a record, which depend on the machine: where the C library was made for 32 bits first, times
/// in it still have 32.
pub const RECORD: usize = if cfg!(target_arch = "aarch64") { 400 } else { 384 };

/// The type of the record of a session.
const SESSION: i16 = 7;
/// The places of the terminal's name and of the user's in a record, each of 32 bytes.
const LINE: std::ops::Range<usize> = 8..40;
const USER: std::ops::Range<usize> = 44..76;

/// The terminals, as names below /dev, of the sessions of `user` in a table with records of `size`
/// bytes. A name that leads out of /dev is none.
pub fn terminals<'a>(
    table: &'a [u8],
    size: usize,
    user: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    table.chunks_exact(size.max(USER.end)).filter_map(move |record| {
        let kind = record.first_chunk().map(|bytes| i16::from_ne_bytes(*bytes));
        let is_theirs = kind == Some(SESSION) && field(record.get(USER)?) == user;
        let line = field(record.get(LINE)?);
        let is_inside = !line.is_empty() && !line.starts_with(b"/") && !line.contains(&b'.');
        (is_theirs && is_inside).then_some(line)
    })
}

/// A field ends with the first zero byte, if it has one.
fn field(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: i16, line: &str, user: &str) -> Vec<u8> {
        let mut record = vec![0; 384];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[8..8 + line.len()].copy_from_slice(line.as_bytes());
        record[44..44 + user.len()].copy_from_slice(user.as_bytes());
        record
    }

    #[test]
    fn a_user_s_sessions_have_terminals() {
        let long = "u".repeat(32);
        let table = [
            record(SESSION, "pts/1", "joe"),
            record(8, "pts/2", "joe"),
            record(SESSION, "tty1", "joel"),
            record(SESSION, "pts/3", "joe"),
            record(SESSION, "tty4", &long),
        ]
        .concat();
        let found = |user: &str| -> Vec<String> {
            terminals(&table, 384, user.as_bytes())
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect()
        };
        assert_eq!(found("joe"), ["pts/1", "pts/3"]);
        assert_eq!(found(&long), ["tty4"]);
        assert_eq!(found(""), [""; 0]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for line in ["", "/etc/passwd", "../etc/passwd", "a.b"] {
            let table = record(SESSION, line, "joe");
            assert_eq!(terminals(&table, 384, b"joe").next(), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_table_is_read(table: Vec<u8>, size in 0usize..500) {
            for line in terminals(&table, size, b"joe") {
                prop_assert!(line.len() <= 32);
            }
        }
    }
}
