//! A network of a test's own, where addresses and ports are nobody else's.

use crate::side::Side;

/// Where a test is that wants a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The test has been run in a network of its own, and has passed: there is nothing left to do.
    Done,
    /// In a network of its own, with the rights of root there.
    Own,
    /// In that of the machine: no other can be had here.
    Shared,
}

const INSIDE: &str = "DAISYCHAIN_OWN_NETWORK";

/// Runs the calling test, whose path is `test`, again in a network namespace in which the loopback is up
/// and `prepare`, a line of shell, has been done. In there, the same call says [`Network::Own`].
///
/// # Panics
///
/// If the test does not pass in there.
#[must_use]
pub fn own_network(test: &str, prepare: &str) -> Network {
    if std::env::var_os(INSIDE).is_some() {
        return Network::Own;
    }
    let side = Side::ours();
    let script = format!("ip link set lo up && {prepare} && exec \"$@\"");
    let as_root: &[&str] =
        if unix::Uid::current().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let network = [&["unshare", "--net"], as_root, &["sh", "-c", &script, "sh"]].concat();
    if side.run([&network[..], &["true"]].concat()).exit != 0 {
        return Network::Shared;
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let words = [own.to_str().expect("a path"), test, "--exact", "--nocapture"];
    let mut command = side.command([&network[..], &words].concat()).env(INSIDE, "1");
    for (name, value) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"DAISYCHAIN_") {
            command = command.env(name, value);
        }
    }
    let run = command.run();
    let said = [&run.stdout[..], &run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(run.exit == 0 && said.contains("1 passed"), "{said}");
    Network::Done
}
