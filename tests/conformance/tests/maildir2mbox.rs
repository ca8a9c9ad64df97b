//! maildir2mbox beside the recordings of the original.

use harness::{Case, Command, Run, Side, recorded};

/// A maildir with messages, given with their times.
fn maildir(side: &Side, messages: &[(&str, u32, &str)]) {
    for folder in ["tmp", "new", "cur"] {
        side.directory(&format!("maildir/{folder}"));
    }
    for (name, seconds, text) in messages {
        side.write(&format!("maildir/{name}"), text);
        let path = side.path().join("maildir").join(name).display().to_string();
        let time = format!("@{}", 1_795_220_491 - 1_000_000 + seconds);
        assert_eq!(side.run(["touch", "-d", &time, &path]).exit, 0);
    }
}

fn command(side: &Side) -> Command<'_> {
    let command = side.command(["maildir2mbox"]).env("MAILDIR", "maildir");
    command.env("MAIL", "../mbox").env("MAILTMP", "../mbox.tmp")
}

fn moved(name: &str, messages: &[(&str, u32, &str)], mbox: &str) -> Case {
    recorded("maildir2mbox", name, |side| {
        maildir(side, messages);
        if !mbox.is_empty() {
            side.write("mbox", mbox);
        }
        command(side).run()
    })
}

#[test]
fn messages_are_moved_the_oldest_first() {
    moved(
        "several",
        &[
            ("new/1", 3, "Return-Path: <s@x.y>\nSubject: third\n\nx\n"),
            ("cur/2:2,S", 1, "Return-Path: <>\nSubject: first\n\nx\n"),
            ("new/3", 2, "Subject: second\n\n"),
        ],
        "From old Sat Nov 21 00:25:34 2020\n\nold\n\n",
    )
    .same();
}

#[test]
fn lines_that_look_like_a_beginning_are_quoted() {
    let text = "Return-Path: <a b\tc@x.y>\n\nFrom me\n>From you\n>>From all\nFrom\n From x\n";
    moved("quoted", &[("new/1", 1, text)], "").same();
}

#[test]
fn nothing_new_touches_nothing() {
    moved("nothing", &[], "").same();
    moved("hidden", &[("new/.x", 1, "x\n")], "").same();
    moved("empty", &[("new/1", 1, "")], "").same();
}

#[test]
fn a_last_line_without_its_end_is_kept() {
    let case = moved("cut", &[("new/1", 1, "X: y\n\nq")], "");
    let mbox = &case.ours().files.0["mbox"].contents;
    assert!(mbox.ends_with(b"2026\nX: y\n\nq\n\n"), "{}", mbox.escape_ascii());
    let original = case.original().map(|original| &original.files.0["mbox"].contents);
    assert!(original.is_none_or(|mbox| mbox.ends_with(b"2026\nX: y\n\n\n")));
    let _ = case.same_exit().same_stderr();
}

#[test]
fn what_was_abandoned_is_removed() {
    recorded("maildir2mbox", "abandoned", |side| {
        maildir(side, &[("tmp/old", 1, "x\n")]);
        side.write("maildir/tmp/young", "x\n");
        command(side).run()
    })
    .same();
}

fn without(name: &str, change: impl Fn(Command<'_>) -> Command<'_>) {
    recorded("maildir2mbox", name, |side| -> Run {
        maildir(side, &[("new/1", 1, "x\n")]);
        change(command(side)).run()
    })
    .same();
}

#[test]
fn what_is_missing_is_told() {
    for name in ["MAIL", "MAILTMP", "MAILDIR"] {
        without(name, |command| command.unset(name));
    }
    without("no-maildir", |command| command.env("MAILDIR", "missing"));
    without("no-mbox", |command| command.env("MAIL", "missing/mbox"));
    without("no-tmp", |command| command.env("MAILTMP", "missing/tmp"));
    without("no-folder", |command| command.env("MAILDIR", "."));
}
