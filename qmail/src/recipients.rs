//! Whether a recipient has a mailbox here, as far as a program without rights can tell.
//!
//! What qmail-send, qmail-lspawn and qmail-local would do with the address is gone through without
//! doing it. Where that would need rights that this process lacks, the answer is yes: mail that can be
//! delivered is never refused for want of knowledge.

mod lists;
mod rules;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use lookup::cdb::Kept;
use prog::{Chain, env};
use queue::home::Home;
use unix::errno::{self, Errno};
use unix::user::Accounts;

use crate::control::Control;
use crate::domains::DomainSet;
use crate::inquiry;
use crate::local::dotqmail;
use crate::send::Channel;
use crate::send::route::Routes;
use crate::send::settings::routes;
use crate::users::{self, Owner, getpw};

use lists::Lists;
use rules::{Rules, Said};

/// What is known of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Somebody has it.
    Yes,
    /// Nobody here can tell.
    Perhaps,
    /// Nobody has it.
    No,
}

/// Where the recipients of a host are looked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// In the mailboxes of this host.
    pub mailboxes: bool,
    /// In this list instead of control/validrcptto; a relative name is one in the home.
    pub list: Option<PathBuf>,
}

impl Places {
    /// As `$CHECKRECIPIENT` or control/checkrecipient, and `$VALIDRCPTTO`, say.
    pub fn read(control: &Control) -> io::Result<Places> {
        let wanted = control.number_or("CHECKRECIPIENT", "checkrecipient")?;
        let list = env::get("VALIDRCPTTO").map(|name| OsString::from_vec(name).into());
        Ok(Places { mailboxes: wanted.is_none_or(|wanted| wanted != 0), list })
    }
}

/// The recipients of a host. Nothing is read before the first question.
#[derive(Debug)]
pub struct Recipients<'a> {
    home: &'a Home,
    places: Places,
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    lists: Option<Lists>,
    rules: Option<Rules>,
    /// None if the mailboxes are not looked at.
    mailboxes: Option<Box<Mailboxes>>,
}

impl<'a> Recipients<'a> {
    /// The recipients of `home`.
    #[must_use]
    pub fn new(home: &'a Home, places: Places) -> Recipients<'a> {
        Recipients { home, places, loaded: None }
    }

    /// What is known of the address `recipient`. An error is temporary.
    ///
    /// Lists come first; where there are some, they are complete.
    pub fn find(&mut self, recipient: &[u8]) -> io::Result<Known> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => Loaded::read(self.home, &self.places)?,
        };
        let Loaded { lists, rules, mailboxes } = self.loaded.insert(loaded);
        if let Some(lists) = lists {
            match lists.find(recipient)? {
                Some(known) => return Ok(known),
                None if rules.is_none() => return Ok(Known::No),
                None => {}
            }
        }
        if let Some(rules) = rules {
            match rules.ask(self.home, recipient)? {
                Said::Yes => return Ok(Known::Yes),
                Said::No => return Ok(Known::No),
                Said::Pass => {}
            }
        }
        match mailboxes {
            Some(mailboxes) => mailboxes.find(self.home, recipient),
            None => Ok(Known::Perhaps),
        }
    }
}

impl Loaded {
    fn read(home: &Home, places: &Places) -> io::Result<Loaded> {
        let control = Control::of(home);
        let lists = Lists::read(home, &control, places.list.as_ref())?;
        let rules = control.list("recipients")?.map(Rules::new);
        let is_listed = lists.is_some() && rules.is_none();
        let mailboxes = if places.mailboxes && !is_listed {
            Some(Mailboxes::of(home, &control)?.into())
        } else {
            None
        };
        Ok(Loaded { lists, rules, mailboxes })
    }
}

#[derive(Debug)]
struct Mailboxes {
    routes: Routes,
    /// The only domains whose mailboxes are looked for, if there is such a list.
    only: Option<DomainSet>,
    assigned: Kept,
    accounts: Option<Accounts>,
}

impl Mailboxes {
    fn of(home: &Home, control: &Control) -> io::Result<Mailboxes> {
        let routes = routes(control).map_err(|unreadable| {
            io::Error::other(format!("control/{} cannot be read", unreadable.0))
        })?;
        let only = control.list("chkrcptdomains")?.map(|list| DomainSet::new(list.lines()));
        let assigned = Kept::new(home.join("users/cdb"));
        Ok(Mailboxes { routes, only, assigned, accounts: None })
    }

    fn find(&mut self, home: &Home, recipient: &[u8]) -> io::Result<Known> {
        if let Some(only) = &self.only {
            let at = memchr::memrchr(b'@', recipient);
            let domain = at.and_then(|at| recipient.get(at + 1..)).unwrap_or_default();
            if !only.matches(domain) {
                return Ok(Known::Perhaps);
            }
        }
        let (channel, address) = self.routes.route(recipient);
        let at = memchr::memrchr(b'@', &address).unwrap_or(address.len());
        let local = address.get(..at).unwrap_or_default();
        if channel == Channel::Remote || local.is_empty() {
            return Ok(Known::Perhaps);
        }
        match self.assigned.current() {
            Ok(cdb) => {
                if let Some(record) = users::record(cdb, local)? {
                    return Ok(Owner::parse(&record).map_or(Known::Perhaps, |owner| takes(&owner)));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Known::Perhaps);
            }
            Err(error) => return Err(error),
        }
        let accounts = match self.accounts.take() {
            Some(accounts) => accounts,
            None => Accounts::read()?,
        };
        let owner = getpw::owner_of(home, self.accounts.insert(accounts), local);
        let known = takes(&owner.map_err(|_| Errno::EAGAIN)?);
        if known != Known::No {
            return Ok(known);
        }
        // qmail-getpw is made to be replaced, and accounts are made at any time: it has the last word.
        let _ = self.accounts.take();
        Ok(ask_getpw(home, local)?.map_or(Known::Perhaps, |owner| takes(&owner)))
    }
}

/// What qmail-lspawn would be told; `None` if nothing that makes sense. An error if it takes too long.
fn ask_getpw(home: &Home, local: &[u8]) -> io::Result<Option<Owner>> {
    let mut chain = Chain::new(["bin/qmail-getpw".into(), OsString::from_vec(local.to_vec())]);
    chain.directory(&home.path);
    match inquiry::ask(chain, Some(1), inquiry::LIMIT) {
        Ok(answer) if answer.status.is_success() => Ok(Owner::parse(&answer.said)),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// No if qmail-local would certainly say that there is no such mailbox.
fn takes(owner: &Owner) -> Known {
    if owner.dash.is_empty() {
        return Known::Yes;
    }
    for candidate in dotqmail::candidates(&owner.dash, &owner.ext) {
        match fs::metadata(owner.home.join(OsStr::from_bytes(&candidate.name))) {
            Ok(file) if file.is_file() => return Known::Yes,
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    || errno::is_temporary(errno::of(&error)) =>
            {
                return Known::Perhaps;
            }
            Ok(_) | Err(_) => {}
        }
    }
    // A home that is missing may come back.
    if fs::metadata(&owner.home).is_err() { Known::Perhaps } else { Known::No }
}

#[cfg(test)]
mod tests;
