//! Whom a program that queues messages works for, and what it shall not be disturbed by.

use std::io;
use std::path::Path;

use unix::dir::Dir;
use unix::signal::{self, Signal};
use unix::{Gid, Uid, process};

use crate::deposit::Origin;
use crate::home::{Account, Home};

/// The users whom a Received line calls by what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins([Option<Uid>; 3]);

impl Origins {
    /// Those of a host. In a private home all accounts are one, so it is just a user; so it is where the
    /// accounts cannot be read, because mail is worth more than a word in a header.
    #[must_use]
    pub fn find(home: &Home) -> Origins {
        if home.private {
            return Origins::default();
        }
        let accounts = home.uids([Account::Alias, Account::Daemon, Account::Send]);
        Origins(accounts.unwrap_or_default())
    }

    /// What is known about `uid`.
    #[must_use]
    pub fn of(&self, uid: Uid) -> Origin {
        let origins = [Origin::Alias, Origin::Network, Origin::Bounce];
        let known = self.0.into_iter().zip(origins).find(|&(known, _)| known == Some(uid));
        known.map_or(Origin::User, |(_, origin)| origin)
    }
}

/// In a private home everything belongs to one user, so root's mail does as well: there root becomes the
/// owner of `queue`.
pub fn become_owner(home: &Home, queue: &Dir) -> io::Result<()> {
    if !home.private || !Uid::current().is_root() {
        return Ok(());
    }
    let owner = queue.stat(Path::new("."))?;
    process::become_user(Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid))
}

/// A message is not given up because a terminal went away, or a limit was reached that a call tells of as well.
pub fn ignore_signals() -> io::Result<()> {
    for ignored in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGPIPE,
        Signal::SIGPROF,
        Signal::SIGQUIT,
        Signal::SIGVTALRM,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ] {
        signal::ignore(ignored)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_called_by_what_they_do() {
        let origins = Origins([Some(Uid::from_raw(1)), None, Some(Uid::from_raw(3))]);
        assert_eq!(origins.of(Uid::from_raw(1)), Origin::Alias);
        assert_eq!(origins.of(Uid::from_raw(2)), Origin::User);
        assert_eq!(origins.of(Uid::from_raw(3)), Origin::Bounce);
    }

    #[test]
    fn in_a_private_home_everybody_is_just_a_user() {
        let home = Home { path: "/home/me/try".into(), private: true };
        assert_eq!(Origins::find(&home).of(Uid::current()), Origin::User);
    }
}
