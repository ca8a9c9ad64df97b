//! Messages on their way.

use harness::Side;
use unix::signal::Signal;

use super::daemon::Daemon;
use super::send;

#[test]
fn a_local_message() {
    send("local", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tjoe@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.note_queue();
        daemon.report("local", 0, "Kdid 1+0+0\n");
        daemon.clean();
        daemon.leave()
    })
    .same();
}

#[test]
fn every_kind_of_recipient() {
    let recipients = [
        "joe@mail.test",
        "Joe@MAIL.test",
        "nohost",
        "",
        "x@virt.test",
        "one@single.test",
        "two@single.test",
        "a@b.wild.test",
        "a@wild.test",
        "user%x.remote@ph.test",
        "user%mail.test@ph.test",
        "a%b@remote.test",
        "far@remote.test",
    ];
    send("recipients", |daemon| {
        daemon.begin();
        let list: String = recipients.map(|recipient| format!("T{recipient}|")).concat();
        daemon.put(31, &format!("u7|p99|Flist-@mail.test-@[]|{list}"));
        daemon.pull();
        daemon.clean();
        for _ in 0..8 {
            daemon.command("local");
        }
        for _ in 0..5 {
            daemon.command("remote");
        }
        daemon.note_queue();
        for number in 0..8 {
            daemon.report("local", number, "K");
            daemon.logs_last(&format!("status: local {}/10 remote 5/20\n", 7 - number));
        }
        for number in 0..5 {
            daemon.report("remote", number, "K");
            if number < 4 {
                daemon.logs_last(&format!("status: local 0/10 remote {}/20\n", 4 - number));
            }
        }
        daemon.clean();
        daemon.leave()
    })
    .same();
}

#[test]
fn a_deferral_and_then_a_success() {
    send("deferral", |daemon| {
        daemon.begin();
        daemon.put(32, "u7|p99|Fa@b|Tx@remote.test|Ty@remote.test|Tz@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("remote");
        daemon.command("remote");
        daemon.report("local", 0, "Znot yet\n");
        daemon.logs_last("status: local 0/10 remote 2/20\n");
        daemon.report("remote", 1, "Kok\n");
        daemon.logs_last("status: local 0/10 remote 1/20\n");
        daemon.report("remote", 0, "Znot\nyet\n");
        daemon.logs_last("status: local 0/10 remote 0/20\n");
        daemon.note_queue();
        daemon.signal(Signal::SIGALRM);
        daemon.command("local");
        daemon.command("remote");
        daemon.report("local", 0, "Kok\n");
        daemon.logs("delivery 4: success: ok/\n");
        daemon.report("remote", 0, "Kok\n");
        daemon.clean();
        daemon.leave()
    })
    .same();
}

#[test]
fn what_is_left_is_due_on_the_parabola() {
    send("due", |daemon| {
        daemon.notes_due = true;
        daemon.put_preprocessed(30, 150, "a@b", "local", "Tx@mail.test|Dy@mail.test|");
        daemon.put_preprocessed(31, 150, "a@b", "remote", "Tx@remote.test|");
        daemon.begin();
        daemon.command("local");
        daemon.command("remote");
        daemon.report("local", 0, "Znot yet\n");
        daemon.logs_last("status: local 0/10 remote 1/20\n");
        daemon.report("remote", 0, "Znot yet\n");
        daemon.logs_last("status: local 0/10 remote 0/20\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn a_message_that_has_been_queued_too_long() {
    send("dying", |daemon| {
        daemon.put_preprocessed(30, 604_900, "a@b", "remote", "Tx@remote.test|Ty@remote.test|");
        daemon.begin();
        daemon.command("remote");
        daemon.command("remote");
        daemon.report("remote", 0, "ZI couldn't.\n");
        daemon.logs_last("status: local 0/10 remote 1/20\n");
        daemon.report("remote", 1, "Zneither\n");
        daemon.clean();
        daemon.leave()
    })
    .normalised(super::without_numbers)
    .same();
}

/// A message from `sender` to two recipients of whom one fails.
fn bounce(name: &str, sender: &str) {
    send(name, |daemon| {
        daemon.side.control("bouncefrom", "Mail Daemon\n");
        daemon.side.control("bouncehost", "bounce.test\n");
        daemon.side.control("doublebounceto", "boss\n");
        daemon.side.control("doublebouncehost", "double.test\n");
        daemon.begin();
        daemon.put(30, &format!("u7|p99|F{sender}|Tx@virt.test|Ty@mail.test|"));
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("local");
        daemon.report("local", 0, "DSorry.\n\n\nReally. (#5.1.1)");
        daemon.logs_last("status: local 1/10 remote 0/20\n");
        daemon.note_queue();
        daemon.report("local", 1, "Kok\n");
        daemon.clean();
        daemon.leave()
    })
    .normalised(super::without_numbers)
    .same();
}

#[test]
fn bounces_single_double_and_triple() {
    bounce("bounce", "a b\"c@remote.test");
    bounce("bounce-verp", "list-@mail.test-@[]");
    bounce("bounce-double", "");
    bounce("bounce-triple", "#@[]");
    bounce("bounce-verp-empty", "-@[]");
}

#[test]
fn a_long_message_comes_back_in_part() {
    let line = "--- Below this line are the first 13 of the 15 bytes of the message.";
    for (most, line, copy) in [
        ("13", line, "Subject: 30\n\n"),
        ("15", "--- Below this line is a copy of the message.", "Subject: 30\n\nx\n"),
        ("0", "--- Below this line is a copy of the message.", "Subject: 30\n\nx\n"),
    ] {
        let side = Side::ours();
        let mut daemon = Daemon::new(&side);
        side.control("bouncemaxbytes", most);
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.report("local", 0, "Dno\n");
        daemon.clean();
        daemon.leave();
        let bounce = String::from_utf8(side.read("bounce")).unwrap();
        let end = format!("\n\n<x@mail.test>:\nno\n\n{line}\n\nReturn-Path: <a@b>\n{copy}");
        assert!(bounce.ends_with(&end), "{bounce}");
    }
}

#[test]
fn a_message_to_nobody() {
    send("nobody", |daemon| {
        daemon.begin();
        daemon.put(33, "u7|p99|Fa@b|");
        daemon.pull();
        daemon.clean();
        daemon.clean();
        daemon.logs("end msg 33\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn strange_bytes_in_addresses() {
    send("bytes", |daemon| {
        daemon.begin();
        daemon.put(34, "u7|p99|Fa b%\x7f\u{e9}\t@c|Tjo e\n%\u{e9}@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.report("local", 0, "Dso%\tso\r\n\nx\u{e9}");
        daemon.logs("end msg 34\n");
        daemon.clean();
        daemon.leave()
    })
    .normalised(super::without_numbers)
    .same();
}
