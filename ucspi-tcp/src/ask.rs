//! What others say about a connection: names and user.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lookup::ident;
use lookup::resolver::{Question, Resolver, first_name};
use unix::{clock, socket};
use wire::ip;

use crate::connection::Connection;

/// How long all look-ups of names for a connection may take together.
const NAMES: Duration = Duration::from_secs(26);

/// What is to be found out about the other end. This host's name is, if the connection has none.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its name.
    pub name: bool,
    /// Its name, but only if that has its address.
    pub is_paranoid: bool,
    /// Its user, and how long that may take.
    pub user: Option<Duration>,
}

/// Asks what is wanted. The ident server connects while names are looked up.
pub fn ask(wanted: Wanted, connection: &mut Connection) {
    let (local, remote) = (connection.local, connection.remote);
    let ident =
        wanted.user.and_then(|limit| ident::Query::begin(local, remote, ident::PORT, limit));
    if connection.local_host.is_none() || wanted.name {
        ask_names(wanted, connection);
    }
    connection.remote_info = ident.and_then(ident::Query::finish);
}

/// The network interface behind which a link-local address is.
#[must_use]
pub fn interface(remote: SocketAddr) -> Option<Vec<u8>> {
    match remote {
        SocketAddr::V6(six) if six.scope_id() != 0 => socket::interface_name(six.scope_id()).ok(),
        _ => None,
    }
}

/// Both names at once, then, if it has to be, the addresses of the client's.
fn ask_names(wanted: Wanted, connection: &mut Connection) {
    let end = clock::monotonic() + NAMES;
    let resolver = Resolver::of_process();
    let question = |is_wanted: bool, address: IpAddr| {
        is_wanted.then(|| Question::reverse(address).ok()).flatten()
    };
    let local = question(connection.local_host.is_none(), connection.local.ip());
    let remote = question(wanted.name, connection.remote.ip());
    let questions: Vec<Question> = [&local, &remote].into_iter().flatten().cloned().collect();
    let mut answers = resolver.clone().within(NAMES).ask(&questions).into_iter();
    if local.is_some() {
        connection.local_host = answers.next().and_then(|answer| first_name(answer).ok());
    }
    if remote.is_some() {
        connection.remote_host = answers.next().and_then(|answer| first_name(answer).ok());
    }
    if wanted.is_paranoid
        && let Some(host) = &connection.remote_host
    {
        let left = end.saturating_duration_since(clock::monotonic());
        let found = resolver.within(left).addresses(host).unwrap_or_default();
        if !found.contains(&ip::unmapped(connection.remote.ip())) {
            connection.remote_host = None;
        }
    }
}
