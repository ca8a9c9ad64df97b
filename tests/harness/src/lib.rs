//! Every program beside its original: the same case on both sides, and what came of it compared.
//!
//! ```no_run
//! use harness::case;
//!
//! case(|side| {
//!     side.write("lock", b"");
//!     side.run(["setlock", "lock", "echo", "held"])
//! })
//! .same_stdout()
//! .same_stderr()
//! .same_exit()
//! .same_files();
//! ```
//!
//! The closure runs once for each side, in an empty directory of its own; what it starts is ended
//! with it, also if it panics. Programs are found by name: ours in `$DAISYCHAIN_COMMAND` (or the build's
//! own folder), the originals in `$DAISYCHAIN_ORIGINALS` (or `target/originals`), the folder that
//! `tests/run` unpacks Debian's packages into.
//!
//! qmail's programs are not in Debian, nor those of daemontools 0.53. [`recorded`] compares ours with what
//! the original did when it was last asked, which lies in `tests/conformance/recorded`; with
//! `$DAISYCHAIN_RECORD` naming a home with `bin`, it asks what lies there again and writes that down
//! (`tests/record`).
//!
//! Process numbers and times go through [`Case::normalised`] before anything is compared. A deliberate
//! difference is pinned on both sides: [`Case::differing_stdout`] and its like; why it is one stands
//! in a row of `doc/compatibility.md` that names the test.
//!
//! Around the programs: a mail host of one's own ([`Host`]), a DNS server ([`Dns`]), the two ends of an
//! SMTP dialogue ([`Smtp`] speaks to a server, [`Peer`] answers a client), real clients ([`client`]), and
//! a network of the test's own ([`own_network`]). Nothing sleeps: [`until`], [`Background::says`] and their like wait for an event.

mod account;
mod background;
mod case;
mod clients;
mod command;
mod dns;
mod files;
mod ground;
mod host;
mod kept;
mod network;
mod peer;
mod side;
mod smtp;
mod transcript;
mod wait;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;

pub use background::Background;
pub use case::{Case, Outcome, case, case_v6, recorded};
pub use clients::{client, client_words, start, strace};
pub use command::{Command, Run};
pub use dns::{Answer, Asked, Dns, Record, Together};
pub use files::{Entry, Files};
pub use ground::{output, place};
pub use host::{ADDRESS, DOMAIN, FIXUP_BY_SH, Host};
pub use network::{Network, laid_over, own_network};
pub use peer::{Peer, Turn};
pub use side::{Side, Which, executable, fetched};
pub use smtp::Smtp;
pub use wait::{becomes, free_port, quickly, sometime, until};

/// Says in one line, and once, that something cannot be tested here, or fails where it must be
/// (`CI=true`).
///
/// # Panics
///
/// In CI.
pub fn skipped(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "missing in CI: {what}");
    say(&format!("skipped, missing: {what}\n"));
}

/// Says in one line that a case is left out because of who runs the tests, or where (a container may
/// forbid namespaces): also in CI.
pub fn skipped_for(reason: &str) {
    say(&format!("skipped: {reason}\n"));
}

/// Writes a line to standard error itself: what is printed, the test runner hides if the test passes.
fn say(line: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    count(line);
    let is_new = SAID.lock().is_ok_and(|mut said| said.insert(line.to_owned()));
    if is_new {
        let _ = std::io::stderr().write_all(line.as_bytes()); // nobody may be reading
    }
}

/// Adds the running test and `line` to `$DAISYCHAIN_SKIPPED`, where `tests/run` counts the tests.
fn count(line: &str) {
    let Some(path) = std::env::var_os("DAISYCHAIN_SKIPPED") else { return };
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let program = std::env::args_os().next().unwrap_or_default();
    let program = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let mut file = file.expect("a file to count in");
    file.write_all(format!("{program} {test}\t{line}").as_bytes()).expect("room to count in");
}

/// The inverse of `escape_ascii`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            bytes.extend(char.to_string().bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                bytes.extend(u8::from_str_radix(&digits, 16));
            }
            Some(other) => bytes.extend(other.to_string().bytes()),
            None => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_escaping() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&all.escape_ascii().to_string()), all);
    }
}
