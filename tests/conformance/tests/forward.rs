//! forward beside the recordings of the original.

use harness::{Case, Command, Side, recorded};

/// A queue program that writes down what it gets.
const QUEUE: &str = "#!/bin/sh\ncd \"${0%/*}\"\ncat > queued\ntr '\\000' '\\n' <&1 > envelope\n";

fn command<'a>(side: &'a Side, words: &[&str]) -> Command<'a> {
    side.script("queue", QUEUE);
    side.command([&["forward"], words].concat())
        .env("NEWSENDER", "new@sender")
        .env("DTLINE", "Delivered-To: you@h\n")
        .env("QMAILQUEUE", side.path().join("queue"))
        .stdin("Subject: x\n\nbody")
}

fn case(name: &str, words: &[&str]) -> Case {
    recorded("forward", name, |side| command(side, words).run()).normalised(without_ids)
}

/// Process numbers differ.
fn without_ids(text: &str) -> String {
    match text.split_once(": qp ") {
        Some((name, _)) => format!("{name}: qp N\\n"),
        None => text.to_owned(),
    }
}

#[test]
fn a_message_is_queued_for_all_addresses() {
    case("one", &["a@b"]).same();
    case("several", &["a@b", "-x", "c d@e", "", "no-host"]).same();
    recorded("forward", "empty-message", |side| command(side, &["a@b"]).stdin("").run())
        .normalised(without_ids)
        .same();
    recorded("forward", "empty-variables", |side| {
        command(side, &["a@b"]).env("NEWSENDER", "").env("DTLINE", "").run()
    })
    .normalised(without_ids)
    .same();
}

#[test]
fn a_message_for_nobody_is_wrong_usage() {
    case("none", &[])
        .differing_exit(100, 0)
        .differing_stderr("forward: usage: forward address ...\n", "forward: qp N\n");
}

#[test]
fn what_must_be_set() {
    for name in ["NEWSENDER", "DTLINE"] {
        recorded("forward", &format!("without-{name}"), |side| {
            command(side, &["a@b"]).unset(name).run()
        })
        .same();
    }
}

#[test]
fn what_the_queue_says_is_passed_on() {
    for code in [11, 31, 53, 71] {
        recorded("forward", &format!("refused-{code}"), |side| {
            let command = command(side, &["a@b"]);
            side.script("queue", &format!("#!/bin/sh\nexit {code}\n"));
            command.run()
        })
        .same();
    }
    recorded("forward", "no-queue", |side| {
        command(side, &["a@b"]).env("QMAILQUEUE", "/nonexistent").run()
    })
    .same();
}

#[test]
fn what_cannot_be_read_is_not_queued() {
    recorded("forward", "unreadable", |side| {
        let _ = command(side, &[]); // its queue program
        let mut words = vec!["sh", "-c", "exec forward a@b < ."];
        words.push("sh");
        side.command(words)
            .env("NEWSENDER", "new@sender")
            .env("DTLINE", "Delivered-To: you@h\n")
            .env("QMAILQUEUE", side.path().join("queue"))
            .run()
    })
    .same_exit()
    .same_stdout()
    .same_stderr();
}

#[test]
fn a_large_message_is_whole() {
    let message = "x\n".repeat(500_000);
    let side = Side::ours();
    assert_eq!(command(&side, &["a@b"]).stdin_file(&message).run().exit, 0);
    assert!(side.read("queued") == format!("Delivered-To: you@h\n{message}").into_bytes());
}
