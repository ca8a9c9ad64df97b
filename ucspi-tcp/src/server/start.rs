//! From the arguments to a socket that listens, without privileges.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io};

use prog::{Fatal, OrFatal};
use unix::errno::{self, Errno};
use unix::socket::{self, ListenError};
use unix::user::{self, User};
use unix::{Gid, Uid, fd, process};
use wire::decimal;

use super::inherit;
use super::options::{Limit, Options};
use crate::limits::{self, Limits};
use crate::{hosts, ports};

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    /// The socket, non-blocking.
    pub socket: OwnedFd,
    /// Its address; that of a connection too, unless it is unspecified.
    pub address: SocketAddr,
}

/// The limits that the environment sets.
pub fn limits() -> Result<Limits, Fatal> {
    let mut limits = Limits::default();
    for name in limits::NAMES {
        if let Some(value) = std::env::var_os(name) {
            let set = limits.set(name.as_bytes(), value.as_bytes());
            set.map_err(|_| Fatal::hard(("no number in ", name, ": ", &value)))?;
        }
    }
    Ok(limits)
}

/// The number in a file that says how many connections there may be at a time; None if it has none,
/// or 0. A number is digits, which blanks and newlines may follow.
pub(super) fn limit_in(file: &Path) -> io::Result<Option<u32>> {
    let text = fs::read(file)?;
    let number = decimal::parse(text.trim_ascii_end());
    Ok(number.and_then(|number| u32::try_from(number).ok()).filter(|&limit| limit > 0))
}

/// How many connections there may be at a time, at first.
pub fn limit(options: &Options) -> Result<u32, Fatal> {
    match &options.limit {
        Limit::Given(limit) => Ok(*limit),
        Limit::File(file) => {
            let limit = limit_in(file).or_fatal(("unable to read ", file.as_os_str()))?;
            limit.ok_or_else(|| Fatal::hard(("no limit in ", file.as_os_str())))
        }
    }
}

/// Listens at every address of the host, usually one; or takes the sockets that are there already.
///
/// A host that is empty or `0` is this host in both families, on one socket; `::` too. Where the
/// kernel has no IPv6, and with `-4`, that is IPv4 alone; likewise for a name that has addresses of
/// both families, as `localhost` often does.
pub fn listen(options: &Options) -> Result<Vec<Listener>, Fatal> {
    let inherited = inherit::sockets(options)?;
    if !inherited.is_empty() {
        return inherited.into_iter().map(Listener::new).collect();
    }
    let port = ports::figure_out(&options.port)?;
    let scope = hosts::scope(options.common.interface.as_deref())?;
    let addresses = addresses(options)?;
    let has_ipv4 = addresses.iter().any(IpAddr::is_ipv4);
    let mut listeners: Vec<Listener> = Vec::new();
    for address in addresses {
        // With port 0 the kernel chooses one for the first address, which is that of all.
        let port = listeners.first().map_or(port, |first| first.address.port());
        let socket = match open(address, port, scope, options.backlog) {
            Err(error) if address.is_ipv6() && has_ipv4 && lacks_ipv6(&error) => continue,
            opened => opened.map_err(told)?,
        };
        listeners.push(Listener::new(socket)?);
    }
    Ok(listeners)
}

impl Listener {
    fn new(socket: OwnedFd) -> Result<Listener, Fatal> {
        let address = socket::local_address(&socket).or_fatal("unable to get local address")?;
        fd::nonblocking(&socket, true).or_fatal("unable to listen")?;
        Ok(Listener { socket, address })
    }
}

/// A socket that listens at an address; at `::` it does so in both families, or by IPv4 alone.
fn open(address: IpAddr, port: u16, scope: u32, backlog: i32) -> Result<OwnedFd, ListenError> {
    let at = hosts::place(address, port, scope);
    let is_both = address.is_ipv6() && address.is_unspecified();
    match socket::listen(at, backlog, !is_both) {
        Err(error) if is_both && lacks_ipv6(&error) => {
            socket::listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), backlog, false)
        }
        opened => opened,
    }
}

fn told(error: ListenError) -> Fatal {
    match error {
        ListenError::Create(error) => Fatal::because("unable to create socket", error),
        ListenError::Bind(error) => Fatal::because("unable to bind", error),
        ListenError::Listen(error) => Fatal::because("unable to listen", error),
    }
}

fn lacks_ipv6(error: &ListenError) -> bool {
    let (ListenError::Create(error) | ListenError::Bind(error) | ListenError::Listen(error)) =
        error;
    matches!(errno::of(error), Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL)
}

fn addresses(options: &Options) -> Result<Vec<IpAddr>, Fatal> {
    let host = options.host.as_slice();
    let any: IpAddr = if options.common.only_ipv4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    if host.is_empty() || host == b"0" {
        return Ok(vec![any]);
    }
    hosts::addresses(host, options.common.only_ipv4)
}

/// Whom to become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    uid: Option<Uid>,
    gid: Option<Gid>,
}

impl Identity {
    /// The identity that the arguments ask for. Without a group it is the account's own, so that
    /// nothing of root's is kept.
    ///
    /// As ever, 0 means that nothing is asked for; anything else that is no number is a name.
    pub fn find(options: &Options) -> Result<Identity, Fatal> {
        let gid = match options.group.as_deref() {
            Some(group) => find_group(group)?,
            None => None,
        };
        let Some(user) = options.user.as_deref() else { return Ok(Identity { uid: None, gid }) };
        match prog::number(user) {
            Some(0) => Ok(Identity { uid: None, gid }),
            Some(number) => {
                let number = u32::try_from(number);
                let uid = number.map_err(|_| Fatal::hard(("unknown account ", user)))?;
                let uid = Uid::from_raw(uid);
                let gid = match gid {
                    // Who is not root cannot change groups, and has none of root's to lose.
                    None if process::user().1.is_root() => Some(own_group(uid)?),
                    gid => gid,
                };
                Ok(Identity { uid: Some(uid), gid })
            }
            None => {
                let account = User::from_name(user.as_bytes())
                    .or_fatal(("unable to look up ", user))?
                    .ok_or_else(|| Fatal::hard(("unknown account ", user)))?;
                Ok(Identity { uid: Some(account.uid), gid: gid.or(Some(account.gid)) })
            }
        }
    }

    /// Becomes it, for good.
    pub fn assume(self) -> Result<(), Fatal> {
        if let Some(gid) = self.gid {
            process::become_group(gid).or_fatal("unable to set gid")?;
        }
        if let Some(uid) = self.uid {
            process::become_uid(uid).or_fatal("unable to set uid")?;
            if !uid.is_root() && process::regains_root() {
                return Err(Fatal::soft("unable to set uid: root can be regained"));
            }
        }
        Ok(())
    }
}

fn find_group(group: &OsStr) -> Result<Option<Gid>, Fatal> {
    let unknown = || Fatal::hard(("unknown group ", group));
    match prog::number(group) {
        Some(0) => Ok(None),
        Some(number) => Ok(Some(Gid::from_raw(u32::try_from(number).map_err(|_| unknown())?))),
        None => {
            let found = user::group(group.as_bytes()).or_fatal(("unable to look up ", group))?;
            found.ok_or_else(unknown).map(Some)
        }
    }
}

fn own_group(uid: Uid) -> Result<Gid, Fatal> {
    let account = User::from_uid(uid).or_fatal(("unable to look up ", uid.as_raw()))?;
    let account = account
        .ok_or_else(|| Fatal::hard(("no account has uid ", uid.as_raw(), ", so -g is needed")))?;
    Ok(account.gid)
}
