//! Who a program is to run as: an account, other groups than its own, or plain numbers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use prog::{Fatal, OrFatal};
use unix::user::{User, group};
use unix::{Gid, Uid};

/// What setuidgid and envuidgid are told.
///
/// `name` is an account; `name:group:…` is one with these groups in place of its own, by name or by
/// number; `:uid:gid:…` are numbers that need not be anybody's. An account's name has no colon.
/// Source: setuidgid(8); the forms with a colon are those of chpst(8).
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    Account(&'a [u8], Vec<&'a [u8]>),
    Numbers(u32, Vec<u32>),
}

impl Wish<'_> {
    /// `None` if it is none of these.
    fn read(text: &[u8]) -> Option<Wish<'_>> {
        let mut parts = text.split(|&byte| byte == b':');
        let name = parts.next()?;
        let rest: Vec<&[u8]> = parts.collect();
        if !name.is_empty() || rest.is_empty() {
            return rest.iter().all(|group| !group.is_empty()).then_some(Wish::Account(name, rest));
        }
        let numbers: Vec<u32> = rest.into_iter().map(number).collect::<Option<_>>()?;
        let (&uid, gids) = numbers.split_first()?;
        (!gids.is_empty()).then(|| Wish::Numbers(uid, gids.to_vec()))
    }
}

/// A number that stands for an id; the largest means "no change" to the kernel.
fn number(digits: &[u8]) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = is_number.then(|| str::from_utf8(digits).ok()?.parse().ok()).flatten();
    number.filter(|&number| number != u32::MAX)
}

/// Numbers to take on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's name; `None` if it was given by numbers.
    pub name: Option<Vec<u8>>,
    /// The user number.
    pub uid: Uid,
    /// The group number.
    pub gid: Gid,
    /// All groups, `gid` first.
    pub groups: Vec<Gid>,
}

/// Looks up who is meant. Source: setuidgid(8).
pub fn identity(text: &OsStr) -> Result<Identity, Fatal> {
    let unable = ("unable to look up ", text);
    let (name, uid, groups) = match Wish::read(text.as_bytes()) {
        Some(Wish::Account(name, groups)) => {
            let user = User::from_name(name).or_fatal(unable)?;
            let user = user.ok_or_else(|| Fatal::soft(("unknown account ", name)))?;
            let mut gids = Vec::with_capacity(groups.len());
            for name in groups {
                let gid = group(name).or_fatal(unable)?.or(number(name).map(Gid::from_raw));
                gids.push(gid.ok_or_else(|| Fatal::soft(("unknown group ", name)))?);
            }
            if gids.is_empty() {
                gids.push(user.gid);
            }
            (Some(user.name), user.uid, gids)
        }
        Some(Wish::Numbers(uid, gids)) => {
            (None, Uid::from_raw(uid), gids.into_iter().map(Gid::from_raw).collect())
        }
        None => return Err(Fatal::hard(("unable to understand account ", text))),
    };
    let gid = groups.first().copied().unwrap_or(Gid::from_raw(u32::MAX)); // there is one always
    Ok(Identity { name, uid, gid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_have_groups_and_may_be_numbers() {
        let account = |name, groups: &[&'static [u8]]| Some(Wish::Account(name, groups.to_vec()));
        assert_eq!(Wish::read(b"joe"), account(b"joe", &[]));
        assert_eq!(Wish::read(b""), account(b"", &[]));
        assert_eq!(Wish::read(b"-s"), account(b"-s", &[]));
        assert_eq!(Wish::read(b"joe:mail:9"), account(b"joe", &[b"mail", b"9"]));
        assert_eq!(Wish::read(b":7:8"), Some(Wish::Numbers(7, vec![8])));
        assert_eq!(Wish::read(b":0:8:9"), Some(Wish::Numbers(0, vec![8, 9])));
    }

    #[test]
    fn half_of_it_is_nothing() {
        for text in ["joe:", "joe::mail", ":", ":7", ":7:", "::8", ":7:mail", ":joe:8", ":+7:8"] {
            assert_eq!(Wish::read(text.as_bytes()), None, "{text}");
        }
        for text in [":4294967295:8", ":4294967296:8", ":7:-1", ":7:4294967295"] {
            assert_eq!(Wish::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_nobody_s() {
        let identity = identity(OsStr::new(":4000000:4000001:4000002")).ok().unwrap();
        assert_eq!((identity.name, identity.uid.as_raw()), (None, 4_000_000));
        assert_eq!(identity.gid.as_raw(), 4_000_001);
        let groups: Vec<u32> = identity.groups.iter().map(|gid| gid.as_raw()).collect();
        assert_eq!(groups, [4_000_001, 4_000_002]);
    }
}
