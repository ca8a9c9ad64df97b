//! maildirwatch beside the recordings of the original, which is that of qmail 1.03.

use harness::{Background, Run, Side, recorded, until};

fn watch(side: &Side) -> Background {
    side.command(["maildirwatch"]).env("MAILDIR", "Maildir").start_in_background()
}

/// What is shown at first of a maildir with these messages, the oldest first.
fn shown(side: &Side, messages: &[&[u8]]) -> Run {
    for folder in ["tmp", "new", "cur"] {
        side.directory(&format!("Maildir/{folder}"));
    }
    for (number, message) in messages.iter().enumerate() {
        let name = format!("Maildir/new/{}", 9 - number);
        side.write(&name, message);
        let old = format!("2001-01-01 00:00:0{number}");
        assert_eq!(side.run(["touch", "-d", &old, &name]).exit, 0);
    }
    let watch = watch(side);
    let is_whole = || {
        let text = String::from_utf8_lossy(&watch.stdout()).into_owned();
        let end = if messages.is_empty() { "\x1b[;J" } else { "\n\n" };
        text.matches("FROM ").count() == messages.len() && text.ends_with(end)
    };
    assert!(until(is_whole), "{:?}", watch.stdout());
    Run { stdout: watch.stdout(), stderr: watch.stderr(), exit: 0 }
}

#[test]
fn new_mail_is_shown_the_oldest_first() {
    let first = b"Return-Path: <a@b.test>\nDelivered-To: joe@c.test\nFrom: Ann <a@b.test>\n\
        Subject: one\n\nfirst line\nsecond line\n";
    recorded("maildirwatch", "two", |side| shown(side, &[first, b"Subject: two\n\n"])).same();
    recorded("maildirwatch", "none", |side| shown(side, &[])).same();
}

#[test]
fn a_message_may_be_anything() {
    let long = [b"Subject: long\n\n", &vec![b'x'; 500][..]].concat();
    recorded("maildirwatch", "long", |side| shown(side, &[&long])).same();
    let odd = b"Return-Path: <\x1b@\xe9>\nDelivered-To: \x07\nFrom: \x1b[2J\n\n\x1b[2J\n";
    recorded("maildirwatch", "odd-bytes", |side| shown(side, &[odd])).same();
    recorded("maildirwatch", "no-header", |side| shown(side, &[b"just text"])).same();
    recorded("maildirwatch", "empty", |side| shown(side, &[b""])).same();
}

/// The original looks twice a minute.
#[test]
fn mail_is_shown_when_it_comes() {
    let side = Side::ours();
    for folder in ["tmp", "new", "cur"] {
        side.directory(&format!("Maildir/{folder}"));
    }
    let watch = watch(&side);
    assert!(until(|| watch.stdout() == b"\x1b[;H\x1b[;J"));
    side.write("Maildir/tmp/1", "Subject: here\n\n");
    let path = |name: &str| side.path().join(name);
    std::fs::rename(path("Maildir/tmp/1"), path("Maildir/new/1")).unwrap();
    assert!(until(|| watch.stdout().ends_with(b"FROM ? TO <?>\nhere//\n\n")));
    std::fs::rename(path("Maildir/new/1"), path("Maildir/cur/1:2,S")).unwrap();
    assert!(until(|| watch.stdout().ends_with(b"\x1b[;H\x1b[;J")));
}

#[test]
fn what_is_left_in_tmp_is_removed() {
    let side = Side::ours();
    side.write("Maildir/tmp/old", "");
    assert_eq!(side.run(["touch", "-d", "2001-01-01", "Maildir/tmp/old"]).exit, 0);
    let watch = watch_of(&side);
    assert!(until(|| !side.path().join("Maildir/tmp/old").exists()), "{:?}", watch.stderr());
}

fn watch_of(side: &Side) -> Background {
    side.directory("Maildir/new");
    watch(side)
}

#[test]
fn what_is_no_maildir_is_told() {
    recorded("maildirwatch", "no-variable", |side| side.run(["maildirwatch"])).same();
    let run = |side: &Side| side.command(["maildirwatch"]).env("MAILDIR", "missing").run();
    recorded("maildirwatch", "missing", run).same();
    recorded("maildirwatch", "no-new", |side| {
        side.directory("Maildir");
        side.command(["maildirwatch"]).env("MAILDIR", "Maildir").run()
    })
    .same();
}
