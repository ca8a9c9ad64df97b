//! The lines of users/assign, and the records of users/cdb that qmail-newu makes of them.

use std::collections::BTreeSet;

/// A line that is no assignment, or an end that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFormat;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Who controls an address, or the addresses with a beginning.
    Assignment(Assignment),
    /// That the file is complete. What follows is not looked at.
    End,
}

/// One record of users/cdb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// `!` and the lower-case local part and a zero byte; for a wildcard `!` and the beginning.
    pub key: Vec<u8>,
    /// User, uid, gid, home, dash and ext, with a zero byte after each but the last.
    pub data: Vec<u8>,
    /// The last byte of a wildcard's beginning.
    wildcard: Option<u8>,
}

impl Line {
    /// Reads a line, with or without its newline.
    ///
    /// `=local:user:uid:gid:home:dash:ext:` is one address, `+beginning:…:dash:pre:` all that begin
    /// so; what follows the seventh colon is ignored, and so is the first byte if it is not `+`.
    /// A line that starts with a dot is the end. Source: qmail-users(5).
    pub fn parse(line: &[u8]) -> Result<Line, BadFormat> {
        if line.starts_with(b".") {
            return Ok(Line::End);
        }
        if line.contains(&0) {
            return Err(BadFormat);
        }
        let mut fields = line.split(|&byte| byte == b':');
        let (sign, name) = fields.next().and_then(<[u8]>::split_first).ok_or(BadFormat)?;
        let name = name.to_ascii_lowercase();
        let fields: Vec<&[u8]> = fields.collect();
        // A seventh field shows that the sixth has a colon after it.
        let (record, _) = fields
            .split_first_chunk::<6>()
            .filter(|(_, rest)| !rest.is_empty())
            .ok_or(BadFormat)?;
        let (end, wildcard): (&[u8], _) = match sign {
            b'+' => (b"", name.last().copied()),
            _ => (b"\0", None),
        };
        let key = [b"!", &name[..], end].concat();
        Ok(Line::Assignment(Assignment { key, data: record.join(&0), wildcard }))
    }
}

/// The bytes that wildcards' beginnings end in: the data of the empty key.
#[derive(Clone, Debug, Default)]
pub struct Wildcards {
    bytes: Vec<u8>,
    seen: BTreeSet<u8>,
}

impl Wildcards {
    /// Notes an assignment.
    pub fn note(&mut self, assignment: &Assignment) {
        if let Some(byte) = assignment.wildcard.filter(|byte| self.seen.insert(*byte)) {
            self.bytes.push(byte);
        }
    }

    /// Each byte once, in the order of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::{self, Owner};
    use proptest::prelude::*;

    fn assignment(line: &str) -> Assignment {
        match Line::parse(line.as_bytes()) {
            Ok(Line::Assignment(assignment)) => assignment,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_equals_sign_is_one_address() {
        let found = assignment("=Joe.Shmoe:joe:507:100:/home/joe:::\n");
        assert_eq!(found.key, b"!joe.shmoe\0");
        assert_eq!(found.data, b"joe\x00507\x00100\0/home/joe\0\0");
        assert_eq!(found.wildcard, None);
    }

    #[test]
    fn a_plus_sign_is_a_beginning() {
        let found = assignment("+Joe-:joe:507:100:/home/joe:-:list-:more:and more\n");
        assert_eq!(found.key, b"!joe-");
        assert_eq!(found.data, b"joe\x00507\x00100\0/home/joe\0-\0list-");
        assert_eq!(found.wildcard, Some(b'-'));
        assert_eq!(assignment("+:alias:7790:2108:/var/qmail/alias:-::").key, b"!");
    }

    #[test]
    fn any_other_sign_is_taken_as_one_address() {
        assert_eq!(assignment("xjoe:joe:507:100:/home/joe:::").key, b"!joe\0");
    }

    #[test]
    fn a_dot_is_the_end() {
        assert_eq!(Line::parse(b".\n"), Ok(Line::End));
        assert_eq!(Line::parse(b". and so on"), Ok(Line::End));
    }

    #[test]
    fn what_lacks_a_colon_or_a_field_is_refused() {
        for line in ["", "\n", "joe", ":a:b:c:d:e:f:", "=joe:a:b:c:d:e:f", "=joe:a\0:b:c:d:e:f:"] {
            assert_eq!(Line::parse(line.as_bytes()), Err(BadFormat), "{line:?}");
        }
    }

    #[test]
    fn each_last_byte_is_noted_once_in_lower_case() {
        let mut wildcards = Wildcards::default();
        for name in ["+joe-", "+sue-", "+list.", "+BOB", "+", "=ann!"] {
            wildcards.note(&assignment(&format!("{name}:u:1:2:/h:-::")));
        }
        assert_eq!(wildcards.bytes(), b"-.b");
    }

    proptest! {
        #[test]
        fn what_is_assigned_is_found(name in "[a-zA-Z0-9.-]{0,12}", rest in "[a-zA-Z-]{0,6}") {
            let exact = assignment(&format!("={name}:joe:507:100:/h:-:x:"));
            let (key, _) = users::keys(name.as_bytes(), b"").next().unwrap();
            prop_assert_eq!(&key, &exact.key);
            let wild = assignment(&format!("+{name}:joe:507:100:/h:-:pre-:"));
            let mut wildcards = Wildcards::default();
            wildcards.note(&wild);
            let local = format!("{name}{rest}");
            let mut keys = users::keys(local.as_bytes(), wildcards.bytes());
            let (_, found) = keys.find(|(key, _)| *key == wild.key).unwrap();
            prop_assert_eq!(found, rest.as_bytes());
            let owner = Owner::parse(&[&wild.data, found, &[0]].concat()).unwrap();
            prop_assert_eq!(owner.ext, format!("pre-{rest}").into_bytes());
        }

        #[test]
        fn any_line_is_read_or_refused(line: Vec<u8>) {
            let _ = Line::parse(&line);
        }
    }
}
