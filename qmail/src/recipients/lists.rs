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
            // A name that begins with / stands for itself.
            Some(path) => Control::new(home.path.clone()).list(&path.to_string_lossy())?,
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
        let Keys { address, wider, domain } = Keys::of(recipient);
        for key in std::iter::once(&address).chain(&wider) {
            if self.has(key)? {
                return Ok(Some(Known::Yes));
            }
        }
        for (key, known) in [
            ([b"-", address.as_slice()].concat(), Known::No),
            (domain.clone(), Known::Yes),
            ([b"-", domain.as_slice()].concat(), Known::No),
        ] {
            if self.has(&key)? {
                return Ok(Some(known));
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

/// What a list may have for an address, in lower case.
struct Keys {
    address: Vec<u8>,
    /// For each dash of the local part, from the last: what stands before it, the dash and `default`.
    wider: Vec<Vec<u8>>,
    /// Behind an `@`.
    domain: Vec<u8>,
}

impl Keys {
    fn of(recipient: &[u8]) -> Keys {
        let address = recipient.to_ascii_lowercase();
        let at = memchr::memrchr(b'@', &address).unwrap_or(address.len());
        let (local, domain) = address.split_at_checked(at).unwrap_or_default();
        let head = |dash| local.get(..=dash).unwrap_or_default();
        let wider = memchr::memrchr_iter(b'-', local)
            .map(|dash| [head(dash), b"default", domain].concat())
            .collect();
        Keys { wider, domain: domain.to_vec(), address }
    }
}
