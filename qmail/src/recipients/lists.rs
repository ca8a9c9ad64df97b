//! Recipients that an administrator has listed: validrcptto and its databases.

use std::io;
use std::path::PathBuf;

use lookup::cdb::Cdb;
use queue::home::Home;

use super::Known;
use crate::control::Control;
use crate::domains::DomainSet;

/// Files, under `control/`, whose keys are lines of the list.
const DATABASES: [&str; 2] = ["validrcptto.cdb", "morevalidrcptto.cdb"];

/// All of them together.
#[derive(Debug)]
pub(super) struct Lists {
    text: DomainSet,
    databases: Vec<Cdb>,
}

impl Lists {
    /// `None` if there are none. `instead` is another file than control/validrcptto.
    pub(super) fn read(
        home: &Home,
        control: &Control,
        instead: Option<&PathBuf>,
    ) -> io::Result<Option<Lists>> {
        let list = match instead {
            // A name that begins with / stands for itself. Who names a list means that there is one:
            // without it nobody would be refused.
            Some(path) => {
                let list = Control::new(home.path.clone()).list(path)?;
                Some(list.ok_or_else(|| {
                    io::Error::other(format!("{} does not exist", path.display()))
                })?)
            }
            None => control.list("validrcptto")?,
        };
        let mut databases = Vec::new();
        for name in DATABASES {
            match Cdb::open(&home.join("control").join(name)) {
                Ok(cdb) => databases.push(cdb),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if list.is_none() && databases.is_empty() {
            return Ok(None);
        }
        let text = list.map(|list| DomainSet::new(list.lines())).unwrap_or_default();
        Ok(Some(Lists { text, databases }))
    }

    /// What they say of an address: what is closer to it counts, and a line that begins with `-` says no.
    /// `None` if they say nothing.
    pub(super) fn find(&self, recipient: &[u8]) -> io::Result<Option<Known>> {
        for key in keys(recipient) {
            if self.has(&key)? {
                return Ok(Some(Known::Yes));
            }
            if self.has(&[b"-", key.as_slice()].concat())? {
                return Ok(Some(Known::No));
            }
        }
        Ok(None)
    }

    fn has(&self, key: &[u8]) -> io::Result<bool> {
        if self.text.contains(key) {
            return Ok(true);
        }
        for database in &self.databases {
            if database.find(key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What a list may have for an address, in lower case, what is closest to it first: itself; for each dash
/// of the local part, from the last, what stands before it, the dash and `default`; the domain behind `@`.
fn keys(recipient: &[u8]) -> Vec<Vec<u8>> {
    let address = recipient.to_ascii_lowercase();
    let at = memchr::memrchr(b'@', &address).unwrap_or(address.len());
    let (local, domain) = address.split_at_checked(at).unwrap_or_default();
    let head = |dash| local.get(..=dash).unwrap_or_default();
    let wider =
        memchr::memrchr_iter(b'-', local).map(|dash| [head(dash), b"default", domain].concat());
    let mut keys = vec![address.clone()];
    keys.extend(wider);
    keys.push(domain.to_vec());
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(lines: &str, recipient: &str) -> Option<Known> {
        let text = DomainSet::new(lines.split(' ').map(str::as_bytes));
        Lists { text, databases: Vec::new() }.find(recipient.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_closest_is_looked_for_first() {
        let closest = ["a-b-c@d", "a-b-default@d", "a-default@d", "@d"];
        let closest = closest.map(|key| key.as_bytes().to_vec());
        assert_eq!(keys(b"A-b-C@D"), closest);
        assert_eq!(keys(b"a"), [b"a".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_no_that_is_closer_than_a_yes_counts() {
        let lines = "list-default@d -list-spam@d -list-old-default@d list-old-joe@d @d";
        for (recipient, known) in [
            ("list-any@d", Known::Yes),
            ("list-spam@d", Known::No),
            ("list-old-ann@d", Known::No),
            ("list-old-joe@d", Known::Yes),
            ("other@d", Known::Yes),
        ] {
            assert_eq!(says(lines, recipient), Some(known), "{recipient}");
        }
        assert_eq!(says("-list-default@d list-spam@d @d", "list-any@d"), Some(Known::No));
        assert_eq!(says("-joe@d joe@d", "joe@d"), Some(Known::Yes));
        assert_eq!(says("-joe@d joe@d", "ann@d"), None);
    }
}
