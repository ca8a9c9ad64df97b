//! What others say about a connection: names and user.

use std::net::IpAddr;
use std::time::Duration;

use lookup::ident;
use lookup::resolver::{Question, Resolver, first_name};
use unix::clock;
use wire::ip;

use super::options::Options;
use crate::connection::Connection;

/// How long all look-ups of names for a connection may take together.
const NAMES: Duration = Duration::from_secs(26);

/// Asks what the options want to be asked. The ident server connects while names are looked up.
pub(super) fn ask(options: &Options, connection: &mut Connection) {
    let (local, remote) = (connection.local, connection.remote);
    let ident = options
        .asks_ident
        .then(|| ident::Query::begin(local, remote, ident::PORT, options.timeout))
        .flatten();
    if options.local_host.is_none() || options.asks_name {
        ask_names(options, connection);
    }
    connection.remote_info = ident.and_then(ident::Query::finish);
}

/// Both names at once, then, if it has to be, the addresses of the client's.
fn ask_names(options: &Options, connection: &mut Connection) {
    let end = clock::monotonic() + NAMES;
    let resolver = Resolver::of_process();
    let question = |is_wanted: bool, address: IpAddr| {
        is_wanted.then(|| Question::reverse(address).ok()).flatten()
    };
    let local = question(options.local_host.is_none(), connection.local.ip());
    let remote = question(options.asks_name, connection.remote.ip());
    let questions: Vec<Question> = [&local, &remote].into_iter().flatten().cloned().collect();
    let mut answers = resolver.clone().within(NAMES).ask(&questions).into_iter();
    if local.is_some() {
        connection.local_host = answers.next().and_then(|answer| first_name(answer).ok());
    }
    if remote.is_some() {
        connection.remote_host = answers.next().and_then(|answer| first_name(answer).ok());
    }
    if options.is_paranoid
        && let Some(host) = &connection.remote_host
    {
        let left = end.saturating_duration_since(clock::monotonic());
        let found = resolver.within(left).addresses(host).unwrap_or_default();
        if !found.contains(&ip::unmapped(connection.remote.ip())) {
            connection.remote_host = None;
        }
    }
}
