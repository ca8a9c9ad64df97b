//! condredirect beside the recordings of the original.

use harness::{Case, Command, Side, recorded};

/// A queue program that writes down what it gets.
const QUEUE: &str = "#!/bin/sh\ncd \"${0%/*}\"\ncat > queued\ntr '\\000' '\\n' <&1 > envelope\n";

fn command<'a>(side: &'a Side, words: &[&str]) -> Command<'a> {
    side.script("queue", QUEUE);
    side.command([&["condredirect"], words].concat())
        .env("SENDER", "the@sender")
        .env("NEWSENDER", "new@sender")
        .env("DTLINE", "Delivered-To: you@h\n")
        .env("QMAILQUEUE", side.path().join("queue"))
        .stdin_file("Subject: x\n\nbody")
}

fn case(name: &str, words: &[&str]) -> Case {
    recorded("condredirect", name, |side| command(side, words).run()).normalised(without_ids)
}

/// Process numbers differ.
fn without_ids(text: &str) -> String {
    match text.split_once(": qp ") {
        Some((name, _)) => format!("{name}: qp N\\n"),
        None => text.to_owned(),
    }
}

#[test]
fn wrong_usage() {
    case("usage", &[]).same();
    case("no-program", &["a@b"]).same();
}

#[test]
fn success_redirects_the_whole_message_and_ends_the_delivery() {
    case("redirected", &["a@b", "sh", "-c", "head -c 5; exit 0"]).same();
    case("odd-address", &["", "true"]).same();
}

#[test]
fn anything_else_lets_the_delivery_go_on() {
    for code in ["1", "99", "100", "111", "255"] {
        case(&format!("exit-{code}"), &["a@b", "sh", "-c", &format!("exit {code}")]).same();
    }
    case("missing", &["a@b", "./no/such/program"]).same();
    case("crash", &["a@b", "sh", "-c", "kill -9 $$"]).same();
}

#[test]
fn what_must_be_set() {
    for name in ["SENDER", "DTLINE"] {
        recorded("condredirect", &format!("without-{name}"), |side| {
            command(side, &["a@b", "true"]).unset(name).run()
        })
        .same();
    }
}

#[test]
fn what_the_queue_says_is_passed_on() {
    for code in [11, 31, 53, 71] {
        recorded("condredirect", &format!("refused-{code}"), |side| {
            let command = command(side, &["a@b", "true"]);
            side.script("queue", &format!("#!/bin/sh\nexit {code}\n"));
            command.run()
        })
        .same();
    }
}

#[test]
fn a_message_that_cannot_be_read_again_is_deferred() {
    recorded("condredirect", "unseekable", |side| {
        command(side, &["a@b", "true"]).stdin("from a pipe\n").run()
    })
    .same();
}
