//! Who controls an address: users/assign and its database; the rules of the account database.

pub mod assign;
pub mod getpw;
pub mod pw2u;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use lookup::cdb::Cdb;
use unix::errno::Errno;
use unix::{Gid, Uid};
use wire::decimal;

/// The user who controls a local address, and what qmail-local is told about the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Login name.
    pub user: Vec<u8>,
    /// Whom deliveries run as.
    pub uid: Uid,
    /// In which group.
    pub gid: Gid,
    /// Home directory.
    pub home: PathBuf,
    /// `-`, or empty if the address is the user's own.
    pub dash: Vec<u8>,
    /// What the address adds to the user's own.
    pub ext: Vec<u8>,
}

impl Owner {
    /// Six strings that each end in a zero byte: user, uid, gid, home, dash, ext. What follows them
    /// is ignored. `None` if one is missing, or a number is none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Owner> {
        let mut fields = text.split(|&byte| byte == 0);
        let mut next = || fields.next();
        let (user, uid, gid) = (next()?.to_vec(), number(next()?)?, number(next()?)?);
        let home = OsString::from_vec(next()?.to_vec()).into();
        let (dash, ext) = (next()?.to_vec(), next()?.to_vec());
        next()?; // what follows the sixth zero byte, if only nothing
        Some(Owner { user, uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), home, dash, ext })
    }

    /// The six strings that [`Owner::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        let home = self.home.as_os_str().as_bytes();
        let fields = [&self.user, uid.as_bytes(), gid.as_bytes(), home, &self.dash, &self.ext];
        let mut text = Vec::with_capacity(128);
        for field in fields {
            text.extend_from_slice(field);
            text.push(0);
        }
        text
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    decimal::parse(digits)?.try_into().ok()
}

/// The keys to look up in users/cdb for a local part, in order, each with what to append to the data
/// found: `!` and the lower-case local part and a zero byte; then `!` and each beginning of it that
/// ends in one of `wildcards`, the longest first, and `!` alone.
///
/// `wildcards` is the data of the empty key. Source: qmail-users(5).
pub fn keys<'a>(
    local: &'a [u8],
    wildcards: &'a [u8],
) -> impl Iterator<Item = (Vec<u8>, &'a [u8])> + use<'a> {
    let key = |head: &[u8], end: &[u8]| [b"!", head, end].concat().to_ascii_lowercase();
    let exact = (key(local, &[0]), &b""[..]);
    let beginnings = (0..=local.len()).rev().filter_map(move |length| {
        let (head, rest) = local.split_at_checked(length)?;
        let ends = |last: &u8| wildcards.contains(&last.to_ascii_lowercase());
        head.last().is_none_or(ends).then(|| (key(head, b""), rest))
    });
    std::iter::once(exact).chain(beginnings)
}

/// The data for `local` in users/cdb, completed. Without the record that lists the wildcards, it is
/// not a file that qmail-newu has made.
pub fn record(cdb: &Cdb, local: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let wildcards = cdb.find(b"")?.ok_or(Errno::EPROTO)?;
    for (key, rest) in keys(local, &wildcards) {
        if let Some(data) = cdb.find(&key)? {
            return Ok(Some([&data, rest, &[0]].concat()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` with a zero byte for each bar.
    fn owner(text: &str) -> Option<Owner> {
        Owner::parse(text.replace('|', "\0").as_bytes())
    }

    #[test]
    fn six_strings_are_an_owner() {
        let owner = owner("joe|507|100|/home/joe|-|list|").unwrap();
        assert_eq!((owner.user, owner.uid.as_raw(), owner.gid.as_raw()), (b"joe".into(), 507, 100));
        assert_eq!(owner.home, std::path::Path::new("/home/joe"));
        assert_eq!((owner.dash, owner.ext), (b"-".into(), b"list".into()));
    }

    #[test]
    fn an_owner_that_is_written_reads_back() {
        let text = "joe|507|100|/home/joe|-|list|";
        assert_eq!(owner(text).unwrap().to_bytes(), text.replace('|', "\0").as_bytes());
    }

    #[test]
    fn fewer_strings_or_other_numbers_are_none() {
        assert_eq!(owner("joe|507|100|/home/joe|-|list"), None);
        assert_eq!(owner("joe|507|100|/home/joe|-|"), None);
        assert_eq!(owner("joe|x|100|/home/joe|-||"), None);
        assert_eq!(owner("joe||100|/home/joe|-||"), None);
        assert_eq!(owner("joe|4294967296|100|/home/joe|-||"), None);
    }

    #[test]
    fn keys_go_from_the_whole_to_the_empty_beginning() {
        let found: Vec<_> = keys(b"Joe-Li-x", b"-").collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"!joe-li-x\0", b""), (b"!joe-li-", b"x"), (b"!joe-", b"Li-x"), (b"!", b"Joe-Li-x")];
        assert_eq!(found, expected.map(|(key, rest)| (key.to_vec(), rest)));
    }

    #[test]
    fn a_wildcard_may_match_the_whole_local_part() {
        let found: Vec<_> = keys(b"joe-", b"-").collect();
        assert_eq!(found[1], (b"!joe-".to_vec(), &b""[..]));
    }
}
