//! Whether a recipient has a mailbox here, as far as a program without rights can tell.
//!
//! What qmail-send, qmail-lspawn and qmail-local would do with the address is gone through without
//! doing it. Where that would need rights that this process lacks, the answer is yes: mail that can be
//! delivered is never refused for want of knowledge.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use lookup::cdb::{Cdb, Kept};
use prog::Chain;
use queue::home::Home;
use unix::errno::{self, Errno};
use unix::fd;
use unix::user::Accounts;

use crate::control::Control;
use crate::domains::DomainSet;
use crate::local::dotqmail;
use crate::send::Channel;
use crate::send::route::Routes;
use crate::send::settings::routes;
use crate::users::{self, Owner, getpw};

/// What qmail-lspawn makes of a program's output: more is no answer of qmail-getpw.
const LONGEST_ANSWER: u64 = 4096;

/// The recipients of a host. Nothing is read before the first question.
#[derive(Debug)]
pub struct Recipients<'a> {
    home: &'a Home,
    /// Whether the mailboxes of this host are looked at.
    looks: bool,
    loaded: Option<Loaded>,
}

#[derive(Debug)]
enum Loaded {
    /// Somebody has listed them.
    Listed { text: DomainSet, cdb: Option<Cdb> },
    /// Nobody has, and the mailboxes are not looked at.
    Any,
    /// Nobody has.
    Mailboxes(Box<Mailboxes>),
}

impl<'a> Recipients<'a> {
    /// The recipients of `home`; if `looks`, those without a list are looked up.
    #[must_use]
    pub fn new(home: &'a Home, looks: bool) -> Recipients<'a> {
        Recipients { home, looks, loaded: None }
    }

    /// True unless it is certain that nobody has the address `recipient`. An error is temporary.
    pub fn has(&mut self, recipient: &[u8]) -> io::Result<bool> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => Loaded::read(self.home, self.looks)?,
        };
        match self.loaded.insert(loaded) {
            Loaded::Any => Ok(true),
            Loaded::Listed { text, cdb } => {
                for key in keys(recipient) {
                    let in_cdb = |cdb: &Cdb| Ok::<_, io::Error>(cdb.find(&key)?.is_some());
                    if text.contains(&key) || cdb.as_ref().map_or(Ok(false), in_cdb)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Loaded::Mailboxes(mailboxes) => mailboxes.has(self.home, recipient),
        }
    }
}

/// What a list may have for an address: itself; for each of its dashes what stands before it, the dash and
/// `default`; its domain behind an `@`. In lower case.
fn keys(recipient: &[u8]) -> Vec<Vec<u8>> {
    let address = recipient.to_ascii_lowercase();
    let at = memchr::memrchr(b'@', &address).unwrap_or(address.len());
    let (local, domain) = address.split_at_checked(at).unwrap_or_default();
    let mut keys = vec![address.clone()];
    for dash in memchr::memrchr_iter(b'-', local) {
        let head = local.get(..=dash).unwrap_or_default();
        keys.push([head, b"default", domain].concat());
    }
    keys.push(domain.to_vec());
    keys
}

impl Loaded {
    fn read(home: &Home, looks: bool) -> io::Result<Loaded> {
        let control = Control::of(home);
        let list = control.list("validrcptto")?;
        let cdb = match Cdb::open(&home.join("control/validrcptto.cdb")) {
            Ok(cdb) => Some(cdb),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if list.is_some() || cdb.is_some() {
            let text = list.map(|list| DomainSet::new(list.lines())).unwrap_or_default();
            return Ok(Loaded::Listed { text, cdb });
        }
        if !looks {
            return Ok(Loaded::Any);
        }
        let routes = routes(&control).map_err(|unreadable| {
            io::Error::other(format!("control/{} cannot be read", unreadable.0))
        })?;
        let assigned = Kept::new(home.join("users/cdb"));
        Ok(Loaded::Mailboxes(Box::new(Mailboxes { routes, assigned, accounts: None })))
    }
}

#[derive(Debug)]
struct Mailboxes {
    routes: Routes,
    assigned: Kept,
    accounts: Option<Accounts>,
}

impl Mailboxes {
    fn has(&mut self, home: &Home, recipient: &[u8]) -> io::Result<bool> {
        let (channel, address) = self.routes.route(recipient);
        let at = memchr::memrchr(b'@', &address).unwrap_or(address.len());
        let local = address.get(..at).unwrap_or_default();
        if channel == Channel::Remote || local.is_empty() {
            return Ok(true);
        }
        match self.assigned.current() {
            Ok(cdb) => {
                if let Some(record) = users::record(cdb, local)? {
                    return Ok(Owner::parse(&record).is_none_or(|owner| takes(&owner)));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(true),
            Err(error) => return Err(error),
        }
        let accounts = match self.accounts.take() {
            Some(accounts) => accounts,
            None => Accounts::read()?,
        };
        let owner = getpw::owner_of(home, self.accounts.insert(accounts), local);
        if takes(&owner.map_err(|_| Errno::EAGAIN)?) {
            return Ok(true);
        }
        // qmail-getpw is made to be replaced, and accounts are made at any time: it has the last word.
        let _ = self.accounts.take();
        Ok(ask_getpw(home, local).is_none_or(|owner| takes(&owner)))
    }
}

/// What qmail-lspawn would be told; `None` if nothing that makes sense.
fn ask_getpw(home: &Home, local: &[u8]) -> Option<Owner> {
    let (answer, end) = fd::pipe().ok()?;
    let null = File::open("/dev/null").ok()?;
    let mut chain = Chain::new(["bin/qmail-getpw".into(), OsString::from_vec(local.to_vec())]);
    chain.directory(&home.path);
    chain.descriptor(0, null);
    chain.descriptor(1, end);
    let child = chain.launch().ok()?;
    let mut output = Vec::new();
    let read = File::from(answer).take(LONGEST_ANSWER).read_to_end(&mut output);
    let status = child.wait().ok()?;
    read.ok().filter(|_| status.is_success()).and_then(|_| Owner::parse(&output))
}

/// True unless qmail-local would certainly say that there is no such mailbox.
fn takes(owner: &Owner) -> bool {
    if owner.dash.is_empty() {
        return true;
    }
    let is_there = |candidate: dotqmail::Candidate<'_>| match fs::metadata(
        owner.home.join(OsStr::from_bytes(&candidate.name)),
    ) {
        Ok(file) => file.is_file(),
        Err(error) => {
            error.kind() == io::ErrorKind::PermissionDenied
                || errno::is_temporary(errno::of(&error))
        }
    };
    // A home that is missing may come back.
    dotqmail::candidates(&owner.dash, &owner.ext).any(is_there)
        || fs::metadata(&owner.home).is_err()
}

#[cfg(test)]
mod tests;
