//! Who controls an address by the account database: the rules of qmail-getpw.

use std::io;
use std::os::unix::fs::MetadataExt;

use queue::home::{Account, BREAK, Home};
use unix::user::{Accounts, User};
use unix::{Uid, errno};

use super::Owner;
use crate::spawn::report::code;

/// No account with a longer name receives mail.
const LONGEST_NAME: usize = 31;

/// A beginning of a local part that may be the name of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The name, in lower case.
    pub name: Vec<u8>,
    /// What follows the break character; `None` if the name is the whole local part.
    ext: Option<&'a [u8]>,
}

/// The beginnings of `local` that may be names of accounts, the longest first: `local` itself, then
/// each that ends just before a break character.
pub fn candidates(local: &[u8]) -> impl Iterator<Item = Candidate<'_>> {
    let lengths = (0..=local.len().min(LONGEST_NAME)).rev();
    lengths.filter_map(|length| {
        let (name, rest) = local.split_at_checked(length)?;
        let ext = match rest {
            [] => None,
            [byte, ext @ ..] if *byte == BREAK => Some(ext),
            _ => return None,
        };
        Some(Candidate { name: name.to_ascii_lowercase(), ext })
    })
}

impl Candidate<'_> {
    /// The owner of the local part, if `user`, the account of that name, is.
    #[must_use]
    pub fn owner(&self, user: User) -> Owner {
        match self.ext {
            None => owner(user, b"", b""),
            Some(ext) => owner(user, b"-", ext),
        }
    }
}

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The files that list accounts, and that the home belongs to its owner: as long as neither changes, the
    /// answer is the same.
    Accounts,
    /// Something else as well: a home that is not its owner's, or another source of accounts.
    More,
}

/// Who controls an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The user.
    pub owner: Owner,
    /// How that is known.
    pub basis: Basis,
}

/// What stands behind the owner in the answer of a helper if that rests on [`Basis::Accounts`].
const LASTING: &[u8] = b"lasting";

impl Found {
    /// What a helper answers: the owner's six strings, and a word that others ignore.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = self.owner.to_bytes();
        if self.basis == Basis::Accounts {
            text.extend_from_slice(LASTING);
        }
        text
    }

    /// Reads what a helper answers; `None` if that names nobody.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Found> {
        let owner = Owner::parse(text)?;
        let is_lasting = text.strip_prefix(&*owner.to_bytes()) == Some(LASTING);
        let basis = if is_lasting { Basis::Accounts } else { Basis::More };
        Some(Found { owner, basis })
    }
}

/// Who controls `local`; or why that cannot be told, as an exit code of qmail-getpw(8).
pub fn owner_of(home: &Home, accounts: &Accounts, local: &[u8]) -> Result<Owner, u8> {
    find(home, accounts, local).map(|found| found.owner)
}

/// The same, and what that rests on.
pub fn find(home: &Home, accounts: &Accounts, local: &[u8]) -> Result<Found, u8> {
    let mut basis = Basis::Accounts;
    let mut owner = None;
    for candidate in candidates(local) {
        let user = account(home, accounts, &candidate.name).map_err(|_| code::SYSTEM)?;
        let Some(user) = user.filter(|user| !user.uid.is_root()) else { continue };
        if owns_home(&user)? {
            owner = Some(candidate.owner(user));
            break;
        }
        basis = Basis::More;
    }
    let owner = if let Some(owner) = owner {
        owner
    } else {
        let alias = account(home, accounts, Account::Alias.name().as_bytes());
        let alias = alias.map_err(|_| code::SYSTEM)?.ok_or(code::NO_ALIAS)?;
        if owns_home(&alias) != Ok(true) {
            basis = Basis::More;
        }
        unclaimed(alias, local)
    };
    if accounts.has_asked_others() {
        basis = Basis::More;
    }
    Ok(Found { owner, basis })
}

/// The account called `name`. A private host has an alias account of its own, and every other that is not
/// the caller's is somebody else's.
fn account(home: &Home, accounts: &Accounts, name: &[u8]) -> io::Result<Option<User>> {
    if !home.private {
        return accounts.find(name);
    }
    if name == Account::Alias.name().as_bytes() {
        return home.alias();
    }
    Ok(accounts.find(name)?.filter(|user| user.uid == Uid::current()))
}

/// Who does not own his home directory receives no mail, as root does not.
fn owns_home(user: &User) -> Result<bool, u8> {
    match std::fs::metadata(&user.home) {
        Ok(home) => Ok(home.uid() == user.uid.as_raw()),
        Err(error) if is_temporary(&error) => Err(code::NFS),
        Err(_) => Ok(false),
    }
}

fn is_temporary(error: &io::Error) -> bool {
    errno::is_temporary(errno::of(error))
}

/// The owner of a local part that is nobody's: the alias user, with all of it as the extension.
#[must_use]
pub fn unclaimed(alias: User, local: &[u8]) -> Owner {
    owner(alias, b"-", local)
}

fn owner(user: User, dash: &[u8], ext: &[u8]) -> Owner {
    let User { name, uid, gid, home, .. } = user;
    Owner { user: name, uid, gid, home, dash: dash.to_vec(), ext: ext.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(local: &str) -> Vec<String> {
        let found = candidates(local.as_bytes());
        found.map(|candidate| String::from_utf8(candidate.name).unwrap()).collect()
    }

    #[test]
    fn the_longest_beginning_comes_first() {
        assert_eq!(names("Joe-List-x"), ["joe-list-x", "joe-list", "joe"]);
        assert_eq!(names("joe"), ["joe"]);
        assert_eq!(names("-x"), ["-x", ""]);
        assert_eq!(names("joe-"), ["joe-", "joe"]);
        assert_eq!(names(""), [""]);
    }

    #[test]
    fn names_have_at_most_31_bytes() {
        let longest = "a".repeat(31);
        assert_eq!(names(&longest), std::slice::from_ref(&longest));
        assert_eq!(names(&format!("{longest}b")), [""; 0]);
        assert_eq!(names(&format!("{longest}-x")), [longest]);
    }

    #[test]
    fn the_extension_keeps_its_case() {
        let user = User::parse(b"joe:x:507:100::/home/joe:/bin/sh").unwrap();
        let found: Vec<Owner> =
            candidates(b"JOE-List").map(|candidate| candidate.owner(user.clone())).collect();
        assert_eq!((&found[0].dash[..], &found[0].ext[..]), (&b""[..], &b""[..]));
        assert_eq!((&found[1].dash[..], &found[1].ext[..]), (&b"-"[..], &b"List"[..]));
        assert_eq!(unclaimed(user, b"Root").to_bytes(), b"joe\x00507\x00100\0/home/joe\0-\0Root\0");
    }

    #[test]
    fn what_an_answer_rests_on_is_read_back() {
        let user = User::parse(b"joe:x:507:100::/home/joe:/bin/sh").unwrap();
        for basis in [Basis::Accounts, Basis::More] {
            let found = Found { owner: unclaimed(user.clone(), b"x"), basis };
            assert_eq!(Found::parse(&found.to_bytes()), Some(found.clone()));
            assert_eq!(Owner::parse(&found.to_bytes()), Some(found.owner));
        }
        assert_eq!(Found::parse(b"joe\x00507\x00100\0/home/joe\0-\0"), None);
        let more = b"joe\x00507\x00100\0/home/joe\0-\0x\0lasting!";
        assert_eq!(Found::parse(more).unwrap().basis, Basis::More);
    }

    proptest! {
        #[test]
        fn a_candidate_and_its_extension_are_the_local_part(local: Vec<u8>) {
            for candidate in candidates(&local) {
                let again = match candidate.ext {
                    None => candidate.name.clone(),
                    Some(ext) => [&candidate.name, &b"-"[..], ext].concat(),
                };
                prop_assert!(again.eq_ignore_ascii_case(&local));
            }
        }
    }
}
