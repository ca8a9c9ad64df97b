//! qreceipt beside the recordings of the original.

use harness::{Case, Command, Side, recorded};

/// A queue program that writes down what it gets.
const QUEUE: &str = "#!/bin/sh\ncd \"${0%/*}\"\ncat > queued\ntr '\\000' '\\n' <&1 > envelope\n";

fn command<'a>(side: &'a Side, message: &str) -> Command<'a> {
    side.script("queue", QUEUE);
    side.command(["qreceipt", "me@h"])
        .env("SENDER", "s@x.y")
        .env("QMAILQUEUE", side.path().join("queue"))
        .stdin(message)
}

fn case(name: &str, message: &str) -> Case {
    recorded("qreceipt", name, |side| command(side, message).run())
}

const ASKED: &str = "Notice-Requested-Upon-Delivery-To: me@h\n";

#[test]
fn who_asks_gets_a_receipt() {
    case("asked", &format!("Message-ID: <1@x>\n{ASKED}\nbody\n")).same();
    case("no-id", &format!("Subject: x\n{ASKED}\nMessage-ID: <2@x>\n")).same();
    case("no-body", &format!("Subject: x\n{ASKED}")).same();
    case("folded-id", &format!("{ASKED}Message-ID:\n  <1@x>\n\n")).same();
    case("two-ids", &format!("{ASKED}Message-Id: <1@x>\nmessage-id: <2@x>\n\n")).same();
    let several = "notice-requested-upon-delivery-to: a@b,\n (hello) Me <me@h>, c@d\n\n";
    case("several", several).same();
}

#[test]
fn the_sender_is_quoted() {
    recorded("qreceipt", "quoted", |side| command(side, ASKED).env("SENDER", "a b@x.y").run())
        .same();
}

#[test]
fn without_being_asked_nothing_is_sent() {
    case("not-asked", "Subject: x\n\nbody\n").same();
    case("empty", "").same();
    case("other-case", "Notice-Requested-Upon-Delivery-To: ME@h\n\n").same();
    case("other", "Notice-Requested-Upon-Delivery-To: you@h\n\n").same();
    case("in-the-body", &format!("Subject: x\n\n{ASKED}")).same();
}

#[test]
fn nobody_gets_no_receipt() {
    for (name, sender) in [("bounce", ""), ("double-bounce", "#@[]")] {
        recorded("qreceipt", name, |side| command(side, ASKED).env("SENDER", sender).run()).same();
    }
}

#[test]
fn what_cannot_be_understood_is_told() {
    case("unparsable", "Notice-Requested-Upon-Delivery-To: (me@h\n\n").same();
}

#[test]
fn trouble_with_the_queue_is_told() {
    for (name, code) in [("refused", 31), ("deferred", 53)] {
        recorded("qreceipt", name, |side| {
            let command = command(side, ASKED);
            side.script("queue", &format!("#!/bin/sh\ncat > queued\nexit {code}\n"));
            command.run()
        })
        .same_exit()
        .same_stderr()
        .same_stdout();
    }
}

#[test]
fn wrong_usage_is_told() {
    recorded("qreceipt", "no-address", |side| side.command(["qreceipt"]).env("SENDER", "a").run())
        .same();
    recorded("qreceipt", "no-sender", |side| command(side, ASKED).unset("SENDER").run()).same();
}
