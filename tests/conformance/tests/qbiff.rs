//! qbiff beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// A record of utmp(5), as it is on machines that once had 32 bits.
fn login(line: &str, user: &str) -> Vec<u8> {
    let mut record = vec![0; if cfg!(target_arch = "aarch64") { 400 } else { 384 }];
    record[..2].copy_from_slice(&7u16.to_ne_bytes());
    record[8..8 + line.len()].copy_from_slice(line.as_bytes());
    record[44..44 + user.len()].copy_from_slice(user.as_bytes());
    record
}

/// Puts tables of its own into the places of the system's: files stand for terminals.
const ROOM: &str = "mount -t tmpfs none /run; cp utmp /run/utmp; mount -t tmpfs none /dev/shm
    for tty in tty deaf theirs; do > /dev/shm/$tty; chmod 700 /dev/shm/$tty; done
    chmod 600 /dev/shm/deaf; chown 1 /dev/shm/theirs
    \"$@\"; code=$?
    for tty in tty deaf theirs; do cp /dev/shm/$tty .; done
    exit $code";

fn biff(side: &Side, message: &[u8], user: &str, sender: &str, local: &str) -> Run {
    let logins = [
        login("shm/tty", "joe"),
        login("shm/deaf", "joe"),
        login("shm/theirs", "joe"),
        login("shm/tty", "ann"),
        login("shm/none", "joe"),
        login("/dev/shm/deaf", "joe"),
    ];
    side.write("utmp", logins.concat());
    let command = side.command(["unshare", "-m", "sh", "-c", ROOM, "sh", "qbiff"]);
    let command = command.env("USER", user).env("SENDER", sender).env("LOCAL", local);
    let run = command.stdin(message).run();
    std::fs::remove_file(side.path().join("utmp")).unwrap();
    run
}

fn is_root() -> bool {
    let is_root = unix::Uid::current().is_root();
    if !is_root {
        harness::skipped_for("only root can put a table of logins in the place of the system's");
    }
    is_root
}

fn case(name: &str, message: &[u8]) -> Case {
    recorded("qbiff", name, |side| biff(side, message, "joe", "s@x.y", "joe-list"))
}

#[test]
fn a_notice_is_the_subject_and_the_beginning_of_the_body() {
    if !is_root() {
        return;
    }
    case("short", b"From: a\nSubject: hello\n\nfirst line\nsecond line\n").same();
    case("folded", b"Subject: one\n two\nsubject:\t three\nTo: x\n\nbody").same();
    case("long", &[b"Subject: hi\n\n", &vec![b'x'; 500][..]].concat()).same();
    case("odd-bytes", b"Subject: \x1b[2J\x80\n\n\x07\n").same();
    case("no-body", b"Subject: only\n").same();
    case("empty", b"").same();
    case("no-header", b"just text\nmore\n").same();
}

#[test]
fn odd_bytes_of_addresses_are_shown_harmlessly() {
    if !is_root() {
        return;
    }
    recorded("qbiff", "odd-address", |side| biff(side, b"\n", "joe", "a\x1bb@\u{e9}", "j\n"))
        .same();
}

#[test]
fn who_is_not_logged_in_is_not_told() {
    if !is_root() {
        return;
    }
    let nobody = |side: &Side| biff(side, b"Subject: x\n\n", "nobody", "s@x.y", "nobody");
    recorded("qbiff", "not-logged-in", nobody).same();
}

#[test]
fn it_never_fails() {
    for variable in ["USER", "SENDER", "LOCAL"] {
        let run = |side: &Side| {
            let command = side.command(["qbiff"]).env("USER", "joe").env("SENDER", "s");
            command.env("LOCAL", "joe").unset(variable).stdin("Subject: x\n\n").run()
        };
        recorded("qbiff", &format!("without-{variable}"), run).same();
    }
}
