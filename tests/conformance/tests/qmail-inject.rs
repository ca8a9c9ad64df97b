//! qmail-inject beside the recordings of the original.

use std::fmt::Write;

use harness::{Case, Side, recorded};

/// A host called mail.example.test.
fn host(side: &Side) {
    side.control("me", "mail.example.test\n");
    side.control("defaultdomain", "example.test\n");
    side.control("plusdomain", "example.test\n");
}

/// Prints what becomes of `message`.
fn print(name: &str, message: &str, env: &[(&str, &str)], args: &[&str]) -> Case {
    recorded("qmail-inject", name, |side| {
        host(side);
        let words = [&["qmail-inject", "-n"], args].concat();
        let command = side.command(words).env("USER", "joe").stdin(message);
        env.iter().fold(command, |command, (name, value)| command.env(name, value)).run()
    })
    .normalised(without_ids)
}

/// The text with the day, the time and the process of new fields replaced.
fn without_ids(text: &str) -> String {
    let mut result = String::new();
    for line in text.split_inclusive("\\n") {
        let (line, end) = line.strip_suffix("\\n").map_or((line, ""), |line| (line, "\\n"));
        let line = match line.split_once("Date: ") {
            Some((before, date)) if date.ends_with(" -0000") => format!("{before}Date: DATE"),
            _ => match line.split_once(".qmail@") {
                Some((before, after)) => {
                    let start = before.rfind('<').unwrap_or(before.len());
                    format!("{}<ID.qmail@{after}", &before[..start])
                }
                None => line.to_owned(),
            },
        };
        let _ = write!(result, "{line}{end}"); // into a String, which takes everything
    }
    result
}

#[test]
fn the_shapes_of_addresses() {
    let to = "a b, \"Q. X\" <u@h>, (c) x@y (d), grp: m@n, o;, joe@mac+, z@host, <@r:s@t.u>, \
              foo.bar@[1.2.3.4], <>, \"a b\"@c.d, a.@x.y, b+";
    print("addresses", &format!("To: {to}\nCc: Jörg\n\nx\n"), &[], &[]).same();
}

#[test]
fn what_is_no_header_begins_the_body() {
    print("bad-line", "A: b\nbad line\nC: d\n", &[], &[]).same();
    print("mbox-line", "From x y\nhello there\n", &[], &[]).same();
    print("no-body", "Subject: x\n  folded", &[], &[]).same();
}

#[test]
fn fields_that_are_dropped_or_left_alone() {
    let message = "Bcc: a@b.c\nContent-Length: 5\nReturn-Path: <r@s.t>\nMessage-ID: <1@x>\n\
                   Date: today\nFrom: <me@x.y>\nReceived: x\nTo: a(b\n\nbody\n";
    print("fields", message, &[], &[]).same();
    print("fields-dropped", message, &[("QMAILINJECT", "fis")], &[]).same();
}

#[test]
fn a_message_that_is_sent_again() {
    print("resent", "Resent-To: a@b.c\nTo: d@e.f\nFrom: g@h.i\n\nx\n", &[], &[]).same();
}

#[test]
fn who_the_message_is_from() {
    let named = [("QMAILNAME", "D. J. B \"x\""), ("MAILUSER", "od d"), ("MAILHOST", "h")];
    print("from-name", "To: a@b.c\n", &named, &[]).same();
    let comment = [("NAME", "The Boss"), ("QMAILINJECT", "c")];
    print("from-comment", "To: a@b.c\n", &comment, &[]).same();
    let verp = [("QMAILINJECT", "r"), ("QMAILSUSER", "list")];
    print("sender-verp", "To: a@b.c\n", &verp, &[]).same();
    print("sender-given", "To: a@b.c\n", &[], &["-f", "x y@z"]).same();
    print("sender-empty", "To: a@b.c\n", &[], &["-f", ""]).same();
    print("sender-no-host", "To: a@b.c\n", &[], &["-f", "x-@y-@[]"]).same();
}

#[test]
fn what_cannot_be_read_is_refused() {
    print("bad-from", "From: a(b\n\n", &[], &[]).same();
    print("bad-sender", "To: a@b.c\n", &[], &["-f", "a@b("]).same_exit().differing_stderr(
        "qmail-inject: fatal: unable to parse this line:\na@b(\n",
        "qmail-inject: fatal: unable to parse this line:\na@b(", // no line end
    );
    print("bad-recipient", "To: a@b.c\n", &[], &["a@b)"]).same();
}

#[test]
fn a_followup_goes_to_the_list() {
    recorded("qmail-inject", "followup", |side| {
        host(side);
        side.write("lists", "List@X.Y\n");
        let path = side.path().join("lists");
        side.command(["qmail-inject", "-n"])
            .env("QMAILMFTFILE", path)
            .env("USER", "joe")
            .stdin("To: one@a.b, two@a.b\nCc: list@x.y\n\nx\n")
            .run()
    })
    .normalised(without_ids)
    .same();
}

/// A queue program that shows what it is given.
const SHOW: &str = "#!/bin/sh\nexec 3<&1\ncat > message; tr '\\000' '\\n' <&3 > envelope\n";

/// Queues `message`; the queue program leaves the envelope in a file.
fn queued(name: &str, message: &str, args: &[&str]) -> Case {
    recorded("qmail-inject", name, |side| {
        host(side);
        side.script("show", &SHOW.replace("> ", &format!("> {}/", side.path().display())));
        side.command([&["qmail-inject"], args].concat())
            .env("QMAILQUEUE", side.path().join("show"))
            .env("USER", "joe")
            .stdin(message)
            .run()
    })
    .normalised(without_ids)
}

#[test]
fn recipients_come_from_where_the_options_say() {
    let message = "To: a@b.c, d@e.f\nBcc: g@h.i\n\nx\n";
    queued("recipients-header", message, &[]).same();
    queued("recipients-arguments", message, &["k", "l@m"]).same();
    queued("recipients-both", message, &["-H", "k@l.m"]).same();
    queued("recipients-only-header", message, &["-h", "k@l.m"]).same();
}

#[test]
fn the_queue_programs_verdict_is_passed_on() {
    for (name, exit) in [("verdict-31", 31), ("verdict-53", 53), ("verdict-120", 120)] {
        recorded("qmail-inject", name, |side| {
            host(side);
            side.script("refuse", &format!("#!/bin/sh\nexit {exit}\n"));
            side.command(["qmail-inject", "a@b.c"])
                .env("QMAILQUEUE", side.path().join("refuse"))
                .stdin("Subject: x\n\n")
                .run()
        })
        .same();
    }
}

#[test]
fn a_message_for_nobody_is_refused() {
    queued("no-recipients", "Subject: x\n\n", &[])
        .differing_exit(100, 0)
        .differing_stderr("qmail-inject: fatal: no recipients\n", "");
}

#[test]
fn carriage_returns_before_line_ends_are_dropped() {
    let case = print("crlf", "To: a@b.c\r\n\r\nx\r\n", &[], &[]);
    assert!(case.ours().run.stdout.ends_with(b"To: a@b.c\n\nx\n"));
    let original = case.original().map(|outcome| outcome.run.stdout.clone());
    assert!(original.is_none_or(|stdout| stdout.ends_with(b"To: a@b.c\n\n\r\nx\r\n")));
}
