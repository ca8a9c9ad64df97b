//! Where the host lives and who its accounts are: what is fixed when the programs are built.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use unix::errno::Errno;
use unix::user::{self, User};
use unix::{Gid, Uid, process};

/// The home of the host, unless `$QMAILHOME` names another.
pub const HOME: &str = default(option_env!("QMAIL_HOME"), "/var/qmail");

/// How many subdirectories `mess/`, `info/`, `local/` and `remote/` have.
pub const SPLIT: u64 = number(default(option_env!("QMAIL_SPLIT"), "23"));

/// What stands between a user's name and an extension in a local part.
pub const BREAK: u8 = byte(default(option_env!("QMAIL_BREAK"), "-"));

/// Permission bits that neither a home directory nor a file in it that controls mail may have; that of
/// the group does not count where the group is the user's alone.
pub const PATRN: u32 = octal(default(option_env!("QMAIL_PATRN"), "022"));

/// How many deliveries a spawner makes at a time. It tells qmail-send so in one byte.
pub const SPAWN: u8 = small(number(default(option_env!("QMAIL_SPAWN"), "120")));

const fn default(given: Option<&'static str>, usual: &'static str) -> &'static str {
    match given {
        Some(given) => given,
        None => usual,
    }
}

/// A number that is not positive, or not a number, does not build.
const fn number(digits: &'static str) -> u64 {
    match u64::from_str_radix(digits, 10) {
        Ok(number) if number > 0 => number,
        _ => panic!("QMAIL_SPLIT or QMAIL_SPAWN is no positive number"),
    }
}

/// What is no octal number does not build.
const fn octal(digits: &'static str) -> u32 {
    match u32::from_str_radix(digits, 8) {
        Ok(number) => number,
        Err(_) => panic!("QMAIL_PATRN is no octal number"),
    }
}

/// A number that does not fit a byte does not build.
#[expect(clippy::cast_possible_truncation, reason = "checked just before")]
const fn small(number: u64) -> u8 {
    assert!(number < 256, "QMAIL_SPAWN is above 255");
    number as u8
}

/// What is not one byte does not build.
const fn byte(text: &'static str) -> u8 {
    match text.as_bytes() {
        [byte] => *byte,
        _ => panic!("QMAIL_BREAK is not one byte"),
    }
}

/// An account of the mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// Whom addresses belong to that belong to nobody else.
    Alias,
    /// The network daemons.
    Daemon,
    /// The loggers.
    Log,
    /// The program that reads the password file.
    Passwd,
    /// The owner of the queue.
    Queue,
    /// The programs that talk to other hosts.
    Remote,
    /// The queue manager.
    Send,
}

impl Account {
    /// Its login name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Account::Alias => default(option_env!("QMAIL_USER_ALIAS"), "alias"),
            Account::Daemon => default(option_env!("QMAIL_USER_DAEMON"), "qmaild"),
            Account::Log => default(option_env!("QMAIL_USER_LOG"), "qmaill"),
            Account::Passwd => default(option_env!("QMAIL_USER_PASSWD"), "qmailp"),
            Account::Queue => default(option_env!("QMAIL_USER_QUEUE"), "qmailq"),
            Account::Remote => default(option_env!("QMAIL_USER_REMOTE"), "qmailr"),
            Account::Send => default(option_env!("QMAIL_USER_SEND"), "qmails"),
        }
    }
}

/// A group of the mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// For processes that need no file of the mail system.
    Nofiles,
    /// For those that share the queue.
    Qmail,
}

impl Group {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Group::Nofiles => default(option_env!("QMAIL_GROUP_NOFILES"), "nofiles"),
            Group::Qmail => default(option_env!("QMAIL_GROUP_QMAIL"), "qmail"),
        }
    }
}

/// The host that this process works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its directory, which holds `bin`, `control`, `queue` and the rest.
    pub path: PathBuf,
    /// True if `$QMAILHOME` named it. Every account of such a host is the caller's.
    pub private: bool,
}

impl Home {
    /// `$QMAILHOME`, unless the kernel gave this process rights that its caller has not; [`HOME`]
    /// otherwise.
    #[must_use]
    pub fn find() -> Home {
        Home::chosen(std::env::var_os("QMAILHOME"), process::is_privileged_by_file())
    }

    fn chosen(named: Option<OsString>, privileged: bool) -> Home {
        match named {
            Some(path) if !privileged => {
                // Programs change their directory. One that cannot be told is found missing later.
                let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
                Home { path, private: true }
            }
            _ => Home { path: HOME.into(), private: false },
        }
    }

    /// A path below the home.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// The queue's directory.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.join("queue")
    }

    /// The numbers of accounts that must exist, in one reading of the account database; `ENOENT` if one
    /// does not.
    pub fn uid<const N: usize>(&self, accounts: [Account; N]) -> io::Result<[Uid; N]> {
        let found = self.uids(accounts)?;
        if found.contains(&None) {
            return Err(Errno::ENOENT.into());
        }
        Ok(found.map(|uid| uid.unwrap_or(Uid::current())))
    }

    /// The numbers of several accounts, in one reading of the account database; `None` for one that
    /// does not exist.
    pub fn uids<const N: usize>(&self, accounts: [Account; N]) -> io::Result<[Option<Uid>; N]> {
        if self.private {
            return Ok([Some(Uid::current()); N]);
        }
        user::numbers(accounts.map(|account| account.name().as_bytes()))
    }

    /// The number of `group`; `ENOENT` if it does not exist.
    pub fn gid(&self, group: Group) -> io::Result<Gid> {
        if self.private {
            return Ok(Gid::current());
        }
        user::group(group.name().as_bytes())?.ok_or_else(|| Errno::ENOENT.into())
    }

    /// The account that addresses without another owner belong to; `None` if it does not exist.
    ///
    /// In a private home that is the caller, with `alias/` below the home as home directory.
    pub fn alias(&self) -> io::Result<Option<User>> {
        if !self.private {
            return User::from_name(Account::Alias.name().as_bytes());
        }
        Ok(Some(User {
            name: Account::Alias.name().into(),
            uid: Uid::current(),
            gid: Gid::current(),
            home: self.join("alias"),
            shell: PathBuf::from(OsStr::new("/bin/false")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_privileged_program_does_not_look_at_the_environment() {
        let home = Home::chosen(Some("/tmp/evil".into()), true);
        assert_eq!(home, Home { path: "/var/qmail".into(), private: false });
    }

    #[test]
    fn the_environment_names_a_private_home() {
        let home = Home::chosen(Some("/home/me/try".into()), false);
        assert_eq!(home, Home { path: "/home/me/try".into(), private: true });
        assert_eq!(home.queue(), Path::new("/home/me/try/queue"));
    }

    #[test]
    fn every_account_of_a_private_home_is_the_callers() {
        let home = Home { path: "/home/me/try".into(), private: true };
        assert_eq!(home.uid([Account::Queue]).unwrap(), [Uid::current()]);
        assert_eq!(home.gid(Group::Qmail).unwrap(), Gid::current());
        let alias = home.alias().unwrap().unwrap();
        assert_eq!((alias.uid, alias.home), (Uid::current(), "/home/me/try/alias".into()));
    }
}
