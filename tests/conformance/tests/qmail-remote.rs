//! qmail-remote beside the recordings of the original, against hosts that follow a script.

#[path = "qmail-remote/dialogue.rs"]
mod dialogue;
#[path = "qmail-remote/hosts.rs"]
mod hosts;
#[path = "qmail-remote/message.rs"]
mod message;
#[path = "qmail-remote/peer.rs"]
mod peer;
#[path = "qmail-remote/resolution.rs"]
mod resolution;
#[path = "qmail-remote/stalls.rs"]
mod stalls;
#[path = "qmail-remote/tables.rs"]
mod tables;

use harness::{Case, Run, Side, recorded};
use peer::{Peer, Script};

const MESSAGE: &str = "Subject: x\n\nbody\n";
const PAIR: [&str; 4] = ["route.test", "a@b.test", "c@route.test", "d@route.test"];

/// Sends a message to a host with this script; what the host heard lies in the file `heard`.
fn send(side: &Side, script: &Script<'_>, words: &[&str], message: &[u8]) -> Run {
    side.control("me", "me.test\n");
    // A host that refuses HELO refuses EHLO before.
    let mut script = script.to_vec();
    if let Some(refusal) = script.get(1).copied()
        && side.is_ours()
        && refusal.starts_with('5')
    {
        script.insert(1, refusal);
    }
    let peer = Peer::start("127.0.0.1:0", &[&script]);
    side.control("smtproutes", &format!("route.test:127.0.0.1:{}\n", peer.port()));
    let all = [&["qmail-remote"], words].concat();
    let run = side.command(all).stdin_file(message).run();
    side.write("heard", as_helo(peer.heard()));
    run
}

/// What a host heard, as if ours knew no more of SMTP than the original: HELO where it says EHLO.
fn as_helo(heard: Vec<u8>) -> Vec<u8> {
    if !heard.starts_with(b"EHLO ") {
        return heard;
    }
    let line = heard.iter().position(|&byte| byte == b'\n').map_or(heard.len(), |end| end + 1);
    let (first, rest) = heard.split_at(line);
    let helo = [b"HELO", &first[4..]].concat();
    // Whom EHLO does not please hears both.
    if rest.starts_with(&helo) { rest.to_vec() } else { [&helo, rest].concat() }
}

/// The case on both sides.
fn case(name: &str, script: &Script<'_>) -> Case {
    recorded("qmail-remote", name, |side| send(side, script, &PAIR, MESSAGE.as_bytes()))
}

/// A script that goes well but for what is changed in it.
fn well<'a>(changes: &[(usize, &'a str)]) -> Vec<&'a str> {
    let mut script = vec![
        "220 hi\r\n",
        "250 you\r\n",
        "250 sender\r\n",
        "250 first\r\n",
        "250 second\r\n",
        "354 go\r\n",
        "250 taken\r\n",
    ];
    for (place, reply) in changes {
        script[*place] = reply;
    }
    script
}

#[test]
fn wrong_usage() {
    for (name, words) in [
        ("usage-0", &["qmail-remote"][..]),
        ("usage-1", &["qmail-remote", "h"]),
        ("usage-2", &["qmail-remote", "h", "s"]),
    ] {
        recorded("qmail-remote", name, |side| side.run(words)).same();
    }
}

#[test]
fn control_files_that_cannot_be_read() {
    for name in ["me", "helohost", "smtproutes", "timeoutconnect", "timeoutremote"] {
        recorded("qmail-remote", &format!("unreadable-{name}"), |side| {
            if name != "me" {
                side.control("me", "me.test\n");
            }
            let path = side.home().join("control").join(name);
            std::fs::create_dir(&path).unwrap();
            let run = side.run(["qmail-remote", "[192.0.2.1]", "s", "r"]);
            std::fs::remove_dir(path).unwrap();
            run
        })
        .same();
    }
    recorded("qmail-remote", "no-name", |side| side.run(["qmail-remote", "h", "s", "r"])).same();
}

#[test]
fn without_its_home_it_does_nothing() {
    let side = Side::ours();
    let run = side
        .command(["qmail-remote", "h", "s", "r"])
        .env("QMAILHOME", side.path().join("missing"))
        .run();
    assert_eq!(run.stdout, b"ZUnable to switch to home directory. (#4.3.0)\n\0");
}
