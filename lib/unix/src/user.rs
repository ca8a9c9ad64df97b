//! Accounts and groups by name or number.
//!
//! `/etc/passwd` and `/etc/group` are read here, because `getpwnam` in a static program crashes or
//! knows only these files. A name that is absent is asked of `getent`, but only if
//! `/etc/nsswitch.conf` names another source: that costs a process, so hosts without one pay nothing.

use std::cell::{Cell, OnceCell};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::fd;
use crate::image::{Image, search};
use crate::process::{self, SpawnError};
use crate::{Gid, Uid};

/// An account, as in passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: Vec<u8>,
    /// User number.
    pub uid: Uid,
    /// Number of the primary group.
    pub gid: Gid,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

impl User {
    /// The account called `name`, which is compared byte by byte.
    pub fn from_name(name: &[u8]) -> io::Result<Option<User>> {
        Accounts::read()?.find(name)
    }

    /// The first account with number `uid`.
    pub fn from_uid(uid: Uid) -> io::Result<Option<User>> {
        let key = uid.to_string();
        find(Path::new("/etc/passwd"), b"passwd", key.as_bytes(), |line| {
            User::parse(line).filter(|user| user.uid == uid)
        })
    }

    /// One line of passwd(5): `name:password:uid:gid:gecos:home:shell`, without the line end.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<User> {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?.to_vec();
        let _password = fields.next()?;
        let uid = Uid::from_raw(number(fields.next()?)?);
        let gid = Gid::from_raw(number(fields.next()?)?);
        let _gecos = fields.next()?;
        let home = path(fields.next()?);
        let shell = path(fields.next().unwrap_or_default());
        Some(User { name, uid, gid, home, shell })
    }
}

/// The files that accounts are found in, as long as no other source is asked.
pub const SOURCES: [&str; 2] = ["/etc/passwd", "/etc/nsswitch.conf"];

/// /etc/passwd as it was read once, to be asked several times.
#[derive(Debug)]
pub struct Accounts {
    passwd: Vec<u8>,
    has_others: OnceCell<bool>,
    has_asked: Cell<bool>,
}

impl Accounts {
    /// Reads the file.
    pub fn read() -> io::Result<Accounts> {
        let passwd = read(Path::new("/etc/passwd"))?;
        Ok(Accounts { passwd, has_others: OnceCell::new(), has_asked: Cell::new(false) })
    }

    /// The account called `name`, which is compared byte by byte; another source is asked if the file
    /// does not have it.
    pub fn find(&self, name: &[u8]) -> io::Result<Option<User>> {
        if name.is_empty() || name.iter().any(|byte| b":\n\0".contains(byte)) {
            return Ok(None);
        }
        if let Some(user) = line_of(&self.passwd, name).and_then(User::parse) {
            return Ok(Some(user));
        }
        if !self.has_others()? {
            return Ok(None);
        }
        self.has_asked.set(true);
        Ok(line_of(&getent(b"passwd", name)?, name).and_then(User::parse))
    }

    /// True if another source has been asked: what was found does not follow from [`SOURCES`] alone.
    #[must_use]
    pub fn has_asked_others(&self) -> bool {
        self.has_asked.get()
    }

    fn has_others(&self) -> io::Result<bool> {
        if let Some(&known) = self.has_others.get() {
            return Ok(known);
        }
        let others = has_other_sources(&read(Path::new("/etc/nsswitch.conf"))?, b"passwd");
        Ok(*self.has_others.get_or_init(|| others))
    }
}

/// The line of passwd(5) that begins with `name` and a colon.
fn line_of<'a>(passwd: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let is_of = |line: &&[u8]| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(b":"));
    passwd.split(|&byte| byte == b'\n').find(is_of)
}

/// The numbers of several accounts, in one reading of /etc/passwd; `None` for one that is not there.
pub fn numbers<const N: usize>(names: [&[u8]; N]) -> io::Result<[Option<Uid>; N]> {
    let mut found = [None; N];
    for line in read(Path::new("/etc/passwd"))?.split(|&byte| byte == b'\n') {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        for (uid, _) in found
            .iter_mut()
            .zip(names)
            .filter(|(uid, wanted)| uid.is_none() && !wanted.is_empty() && *wanted == name)
        {
            *uid = User::parse(line).map(|user| user.uid);
        }
    }
    for (uid, name) in found.iter_mut().zip(names).filter(|(uid, _)| uid.is_none()) {
        *uid = User::from_name(name)?.map(|user| user.uid);
    }
    Ok(found)
}

/// The number of the group called `name`.
pub fn group(name: &[u8]) -> io::Result<Option<Gid>> {
    if name.is_empty() || name.iter().any(|byte| b":\n\0".contains(byte)) {
        return Ok(None);
    }
    find(Path::new("/etc/group"), b"group", name, |line| {
        let mut fields = line.split(|&byte| byte == b':');
        (fields.next()? == name).then_some(())?;
        Some(Gid::from_raw(number(fields.nth(1)?)?))
    })
}

/// True if `gid` is a group that `user` has alone: it has the user's name, no other member, and is no
/// other account's primary group in /etc/passwd. Other sources cannot be asked for all their accounts.
pub fn is_private_group(gid: Gid, user: &[u8]) -> io::Result<bool> {
    let key = gid.as_raw().to_string();
    let is_private = find(Path::new("/etc/group"), b"group", key.as_bytes(), |line| {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let [name, _, number, members] = fields[..] else { return None };
        (number == key.as_bytes()).then(|| {
            let mut members = members.split(|&byte| byte == b',');
            name == user && members.all(|member| member.is_empty() || member == user)
        })
    });
    Ok(is_private?.unwrap_or(false) && !is_shared(&read(Path::new("/etc/passwd"))?, gid, user))
}

/// True if passwd(5) has an account with this primary group that is not `user`'s. Another name for the
/// user's own number is the user's.
fn is_shared(passwd: &[u8], gid: Gid, user: &[u8]) -> bool {
    let owner = line_of(passwd, user).and_then(User::parse).map(|user| user.uid);
    let mut accounts = passwd.split(|&byte| byte == b'\n').filter_map(User::parse);
    accounts.any(|account| account.gid == gid && account.name != user && Some(account.uid) != owner)
}

/// The groups of /etc/group that list `user` as a member; `primary` first.
pub fn groups_of(user: &[u8], primary: Gid) -> io::Result<Vec<Gid>> {
    let mut found = vec![primary];
    for line in read(Path::new("/etc/group"))?.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':').skip(2);
        let (Some(gid), Some(members)) = (fields.next().and_then(number), fields.next()) else {
            continue;
        };
        let gid = Gid::from_raw(gid);
        if members.split(|&byte| byte == b',').any(|member| member == user) && !found.contains(&gid)
        {
            found.push(gid);
        }
    }
    Ok(found)
}

/// Looks through the lines of `file`, then asks getent for `key` if other sources are configured.
fn find<T>(
    file: &Path,
    database: &[u8],
    key: &[u8],
    entry: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let first = |text: &[u8]| text.split(|&byte| byte == b'\n').find_map(&entry);
    if let Some(found) = first(&read(file)?) {
        return Ok(Some(found));
    }
    if !has_other_sources(&read(Path::new("/etc/nsswitch.conf"))?, database) {
        return Ok(None);
    }
    Ok(first(&getent(database, key)?))
}

/// The contents of `file`; nothing if it does not exist.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// True if nsswitch.conf(5) sends look-ups in `database` to more than local files.
///
/// `systemd` counts as local: it adds only accounts that exist while a service runs.
fn has_other_sources(nsswitch: &[u8], database: &[u8]) -> bool {
    nsswitch
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b'#').next())
        .filter_map(|line| line.trim_ascii().strip_prefix(database)?.strip_prefix(b":"))
        .flat_map(|sources| sources.split(u8::is_ascii_whitespace))
        .any(|source| {
            !(source.is_empty()
                || source.starts_with(b"[")
                || [&b"files"[..], b"compat", b"systemd"].contains(&source))
        })
}

/// What `getent DATABASE KEY` prints; nothing if the key is unknown.
fn getent(database: &[u8], key: &[u8]) -> io::Result<Vec<u8>> {
    let (output, end) = fd::pipe()?;
    let word = |bytes: &[u8]| std::ffi::CString::new(bytes).map_err(io::Error::from);
    let image = Image {
        candidates: search("/usr/bin/getent".as_ref(), b"")?,
        argv: vec![word(b"getent")?, word(b"--")?, word(database)?, word(key)?],
        descriptors: vec![(1, end)],
        ..Image::default()
    };
    let child = process::spawn(&image).map_err(|error| match error {
        SpawnError::Enter(failure) => io::Error::from(failure.errno),
        SpawnError::Fork(errno) => io::Error::from(errno),
    })?;
    drop(image); // our copy of the writing end
    let mut text = Vec::new();
    File::from(output).read_to_end(&mut text)?;
    match child.wait()?.code() {
        Some(0) => Ok(text),
        Some(2) => Ok(Vec::new()), // getent(1): the key could not be found
        _ => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_an_account() {
        let root = User::from_name(b"root").unwrap().unwrap();
        assert!(root.uid.is_root());
        assert_eq!(User::from_uid(root.uid).unwrap().unwrap(), root);
    }

    #[test]
    fn a_name_that_nobody_has_is_no_account() {
        assert_eq!(User::from_name(b"no such account").unwrap(), None);
        assert_eq!(User::from_name(b"root:x").unwrap(), None);
        assert_eq!(User::from_name(b"").unwrap(), None);
    }

    #[test]
    fn a_group_with_the_user_s_name_is_the_user_s_alone() {
        let root = Gid::from_raw(0);
        assert!(is_private_group(root, b"root").unwrap());
        assert!(!is_private_group(root, b"joe").unwrap());
        assert!(!is_private_group(Gid::from_raw(4_294_967_000), b"root").unwrap());
    }

    #[test]
    fn a_group_that_is_another_s_primary_group_is_shared() {
        let passwd = b"joe:x:7:70::/:/\nann:x:8:80::/:/\ntoo:x:7:70::/:/\n";
        let is_shared = |gid, user: &str| is_shared(passwd, Gid::from_raw(gid), user.as_bytes());
        assert!(!is_shared(70, "joe"));
        assert!(!is_shared(90, "joe"));
        assert!(is_shared(80, "joe"));
        assert!(is_shared(70, "elsewhere"));
    }

    #[test]
    fn the_whole_name_counts() {
        let passwd = b"joel:x:1:1::/:/\njoe:x:2:2::/:/\njoe:x:3:3::/:/\n";
        assert_eq!(line_of(passwd, b"joe"), Some(&b"joe:x:2:2::/:/"[..]));
        assert_eq!(line_of(passwd, b"jo"), None);
        assert_eq!(line_of(b"joe", b"joe"), None);
    }

    #[test]
    fn several_numbers_come_from_one_reading() {
        let [nobody, root] = numbers([b"no such account", b"root"]).unwrap();
        assert_eq!((nobody, root.map(Uid::as_raw)), (None, Some(0)));
    }

    #[test]
    fn a_line_of_passwd_is_read() {
        let user = User::parse(b"alias:x:7790:2108::/var/qmail/alias:/bin/true").unwrap();
        assert_eq!((user.uid.as_raw(), user.gid.as_raw()), (7790, 2108));
        assert_eq!(user.home, Path::new("/var/qmail/alias"));
        assert_eq!(User::parse(b"broken:x:abc:1::/:/"), None);
        assert_eq!(User::parse(b""), None);
    }

    #[test]
    fn only_sources_beyond_files_cost_a_process() {
        assert!(!has_other_sources(b"passwd: files systemd\ngroup: files\n", b"passwd"));
        assert!(has_other_sources(b"passwd: files ldap\n", b"passwd"));
        assert!(!has_other_sources(b"passwd: files # ldap\n", b"passwd"));
        assert!(!has_other_sources(b"group: files ldap\n", b"passwd"));
        assert!(!has_other_sources(b"passwd: files [NOTFOUND=return]\n", b"passwd"));
    }
}
