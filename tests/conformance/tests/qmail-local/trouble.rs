//! What is refused, and what fails.

use std::ffi::OsString;
use std::fs::File;

use harness::{Case, Side, recorded, skipped_for, strace};

use crate::{Delivery, Several, without_ids};

/// Delivers after `prepare`, with an empty home to begin with.
fn case(name: &str, delivery: Delivery<'_>, prepare: impl Fn(&Side)) -> Case {
    recorded("qmail-local", name, |side| {
        side.directory("home");
        prepare(side);
        delivery.run(side)
    })
    .normalised(without_ids)
}

#[test]
fn a_message_that_was_here_before_is_looping() {
    for (name, message) in [
        ("loop", "A: b\nDelivered-To: spec@h.test\nC: d\n\nbody\n"),
        ("loop-first", "Delivered-To: spec@h.test\n"),
        ("no-loop-case", "delivered-to: spec@h.test\nDelivered-To: Spec@h.test\n\nbody\n"),
        ("no-loop-other", "Delivered-To: spec@h.test2\nDelivered-To: spec@h.tes\n\n"),
        ("no-loop-body", "A: b\n\nDelivered-To: spec@h.test\n"),
        ("no-loop-partial", "Delivered-To: spec@h.test"),
        ("no-loop-folded", " Delivered-To: spec@h.test\n\n"),
    ] {
        case(name, Delivery { message, ..Delivery::default() }, |_| ()).same();
    }
    let long = format!("{}Delivered-To: spec@h.test\n\n", "X-Long: line\n".repeat(9000));
    case("loop-late", Delivery { message: &long, ..Delivery::default() }, |_| ()).same();
}

#[test]
fn a_home_that_is_not_to_be_trusted() {
    recorded("qmail-local", "home-missing", |side| {
        let home = side.path().join("missing").display().to_string();
        Delivery::default().command_at(side, &[], &home).as_user().run()
    })
    .same();
    case("home-writable", Delivery::default(), |side| side.mode("home", 0o757)).same();
    let writable = "Uh-oh: home directory is writable. (#4.7.0)\n";
    let _ = case("home-group-writable", Delivery::default(), |side| side.mode("home", 0o775))
        .differing_exit(111, 0)
        .differing_stderr(writable, "");
    case("home-sticky", Delivery::default(), |side| side.mode("home", 0o1755)).same();
}

#[test]
fn a_group_of_the_user_s_own_may_write() {
    if !unix::Uid::effective().is_root() {
        return skipped_for("only root has a group of its own everywhere");
    }
    let side = Side::ours();
    side.directory("home");
    side.write("home/.qmail", "./Mailbox\n");
    side.mode("home/.qmail", 0o664);
    side.mode("home", 0o775);
    let home = side.path().join("home").display().to_string();
    let show = |user: &str| {
        let words = ["qmail-local", "-n", "--", user, &home, user, "", "", "h.test", "s@x.y", ""];
        side.run(words)
    };
    assert_eq!(show("root").stdout, b"mbox ./Mailbox\ndid 1+0+0\n");
    assert_eq!((show("joe").exit, show("joe").stdout), (111, Vec::new()));
}

/// What a delivery to an extension says while `call` on `path`, in the home, fails as on a file server that
/// is away.
fn away(strace: &[OsString], path: &str, call: &str) -> String {
    let side = Side::ours();
    side.write("home/.qmail-default", "./Mailbox\n");
    let home = side.path().join("home");
    let whole = home.join(path);
    let inject = format!("inject={call}:error=ESTALE");
    let mut words = strace.to_vec();
    words.extend(["-o".into(), home.join("trace").into(), "-e".into(), inject.into()]);
    words.extend(["-P".into(), path.into(), "-P".into(), whole.into()]);
    words.push(side.program("qmail-local").into());
    words.extend(["--", "spec"].map(OsString::from));
    words.push(home.into());
    words.extend(["spec-x", "-", "x", "h.test", "s@x.y", "./Mailbox"].map(OsString::from));
    let run = side.command(words).as_user().stdin_file(crate::MESSAGE).run();
    assert_eq!((run.exit, side.read("home/Mailbox")), (111, Vec::new()), "{call} {path}");
    let said = String::from_utf8(run.stderr).unwrap();
    // Before it strace says which paths it looks for.
    said.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_file_server_that_is_away_is_a_deferral() {
    let Some(strace) = strace() else { return };
    let stale = "stale NFS file handle. (#4.3.0)";
    let home = away(&strace, "", "chdir");
    assert!(home.starts_with("Unable to switch to ") && home.ends_with(stale), "{home}");
    for (path, call) in [(".qmail-x", "open,openat"), (".qmail-default", "open,openat")] {
        assert_eq!(away(&strace, path, call), format!("Unable to open {path}: {stale}"));
    }
    let mbox = "Unable to open ./Mailbox: stale NFS file handle. (#4.2.1)";
    assert_eq!(away(&strace, "./Mailbox", "open,openat"), mbox);
}

#[test]
fn a_maildir_that_is_not_there_or_not_whole() {
    let deliver = Delivery { default: "./Maildir/", ..Delivery::default() };
    case("maildir-missing", deliver, |_| ()).same();
    case("maildir-is-file", deliver, |side| side.write("home/Maildir", "")).same();
    case("maildir-without-tmp", deliver, |side| side.directory("home/Maildir/new")).same();
    let without_new = |side: &Side| side.directory("home/Maildir/tmp");
    case("maildir-without-new", deliver, without_new).same();
    let closed = |side: &Side| {
        side.directory("home/Maildir/tmp");
        side.directory("home/Maildir/new");
        side.mode("home/Maildir", 0o000);
    };
    case("maildir-closed", deliver, closed).same_exit().same_stderr().same_stdout();
}

#[test]
fn an_mbox_that_cannot_be_opened_or_written() {
    let in_directory = |side: &Side| side.directory("home/Mailbox");
    case("mbox-is-directory", Delivery::default(), in_directory).same();
    let nowhere = Delivery { default: "./no/Mailbox", ..Delivery::default() };
    case("mbox-nowhere", nowhere, |_| ()).same();
    let read_only = |side: &Side| {
        side.write("home/Mailbox", "before\n");
        side.mode("home/Mailbox", 0o444);
    };
    case("mbox-read-only", Delivery::default(), read_only).same();
    let null = Delivery { default: "/dev/null", ..Delivery::default() };
    case("mbox-null", null, |_| ()).same();
}

/// Delivers where files cannot grow beyond 4 KiB: SIGXFSZ is ignored, writing fails.
fn full(name: &str, default: &str, message: &str) -> Case {
    recorded("qmail-local", name, |side| {
        side.write("home/Mailbox", "x\n".repeat(100));
        for part in ["tmp", "new", "cur"] {
            side.directory(&format!("home/Maildir/{part}"));
        }
        let program = side.program("qmail-local").display().to_string();
        let home = side.path().join("home").display().to_string();
        let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let words = ["spec", &home, "spec", "", "", "h.test", "s@x.y", default];
        side.command([&["sh", "-c", script, "sh", &program], &words[..]].concat())
            .stdin_file(message)
            .as_user()
            .run()
    })
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    let message = "x\n".repeat(3000);
    full("full-mbox", "./Mailbox", &message).same();
    full("full-maildir", "./Maildir/", &message).same();
}

#[test]
fn a_message_that_cannot_be_read_again_is_deferred() {
    recorded("qmail-local", "unseekable", |side| {
        side.directory("home");
        let mut several = Several::default();
        for default in ["./Mailbox", "|cat"] {
            let delivery = Delivery { default, ..Delivery::default() };
            several.add(default, &delivery.command(side, &[]).stdin("a: b\n").as_user().run());
        }
        several.run()
    })
    .normalised(without_ids)
    .same_exit()
    .same_stdout();
}

#[test]
fn what_was_done_before_a_failure_stays_done() {
    case("partly", Delivery::default(), |side| {
        side.write("home/.qmail", "./one\n|exit 111\n./two\n");
    })
    .same();
    case("partly-blocked", Delivery::default(), |side| {
        side.write("home/.qmail", "./one\n+list\n&a@b\n./two\n");
    })
    .same();
}

#[test]
fn a_file_that_another_holds_is_given_up_after_thirty_seconds() {
    let side = Side::ours();
    side.write("home/Mailbox", "before\n");
    let held = File::open(side.path().join("home/Mailbox")).unwrap();
    held.lock().unwrap();
    let run = Delivery::default().run(&side);
    assert_eq!((run.exit, run.stdout), (111, vec![]));
    assert_eq!(run.stderr, b"File has been locked for 30 seconds straight. (#4.3.0)\n");
    assert_eq!(side.read("home/Mailbox"), b"before\n");
}

#[test]
fn a_file_that_another_lets_go_is_appended_to() {
    let side = Side::ours();
    side.write("home/Mailbox", "before\n");
    let held = File::open(side.path().join("home/Mailbox")).unwrap();
    held.lock().unwrap();
    let mut running = Delivery::default().command(&side, &[]).as_user().start_in_background();
    let pid = format!(" {} ", running.pid());
    let waits = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&pid))
    };
    assert!(harness::until(waits));
    drop(held);
    assert_eq!(running.ends(), 0);
    assert!(side.read("home/Mailbox").starts_with(b"before\nFrom s@x.y "));
}
