//! Namespaces: a network of a test's own, where addresses and ports are nobody else's, and files of the
//! machine that say something else.

use crate::side::Side;
use crate::skipped_for;

/// Where a test is that wants a network of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// The test has been run in a network of its own, and has passed: there is nothing left to do.
    Done,
    /// In a network of its own, with the rights of root there.
    Own,
    /// In that of the machine: no other can be had here, for this reason.
    Shared(String),
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
    let network = [&["unshare", "--net"], as_root(), &["sh", "-c", &script, "sh"]].concat();
    let probe = side.run([&network[..], &["true"]].concat());
    if probe.exit != 0 {
        return Network::Shared(String::from_utf8_lossy(&probe.stderr).trim().to_owned());
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

/// What makes an ordinary user root inside.
fn as_root() -> &'static [&'static str] {
    if unix::Uid::current().is_root() { &[] } else { &["--user", "--map-root-user"] }
}

/// The words before a program's own for which the case's file `name` lies over `path`, a file of the
/// machine; `None` (and one line) where no mount namespace can be had.
#[must_use]
pub fn laid_over(side: &Side, name: &str, path: &str) -> Option<Vec<String>> {
    let script = format!("mount --bind '{name}' '{path}' && exec \"$@\"");
    let words = [&["unshare", "--mount"], as_root(), &["sh", "-c", &script, "sh"]].concat();
    if side.run([&words[..], &["true"]].concat()).exit != 0 {
        skipped_for("mount namespaces (unshare)");
        return None;
    }
    Some(words.into_iter().map(str::to_owned).collect())
}
