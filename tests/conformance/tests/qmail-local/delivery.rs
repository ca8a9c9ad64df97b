//! Deliveries to maildirs and mboxes, and forwarding.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Case, Side, recorded};

use crate::program::SHOW;
use crate::{Delivery, Several, without_ids};

/// A queue program that writes down what it gets.
const QUEUE: &str = "#!/bin/sh\ncd \"${0%/*}\"\ncat > queued\ntr '\\000' '\\n' <&1 > envelope\n";

fn maildir(side: &Side, name: &str) {
    for part in ["tmp", "new", "cur"] {
        side.directory(&format!("home/{name}/{part}"));
    }
}

/// Delivers as a .qmail file with this text says.
fn follow(name: &str, text: &str, delivery: Delivery<'_>) -> Case {
    recorded("qmail-local", name, |side| {
        side.write("home/.qmail", text);
        maildir(side, "Maildir");
        delivery.run(side)
    })
    .normalised(without_ids)
}

#[test]
fn a_message_lies_in_a_maildir() {
    follow("maildir", "./Maildir/\n", Delivery::default()).same();
    let empty = Delivery { message: "", sender: "", ..Delivery::default() };
    follow("maildir-empty", "./Maildir/\n", empty).same();
    let odd = Delivery { sender: "S nder@x.y", host: "a\nb", ..Delivery::default() };
    follow("maildir-odd-addresses", "./Maildir/\n", odd).same();
}

#[test]
fn a_message_is_appended_to_an_mbox() {
    follow("mbox", "./Mailbox\n", Delivery::default()).same();
    let empty = Delivery { message: "", sender: "", ..Delivery::default() };
    follow("mbox-empty", "./Mailbox\n", empty).same();
    let odd = Delivery { sender: "S\tnder@x.y", ..Delivery::default() };
    follow("mbox-odd-sender", "./Mailbox\n", odd).same();
    let froms = "From a\n>From b\n>>From c\nFrom\n From d\n>\nFrom:\n\n\nFrom ";
    follow("mbox-quoting", "./Mailbox\n", Delivery { message: froms, ..Delivery::default() })
        .same();
}

#[test]
fn messages_in_an_mbox_follow_one_another() {
    recorded("qmail-local", "mbox-twice", |side| {
        side.write("home/Mailbox", "before\n");
        side.mode("home/Mailbox", 0o640);
        let mut several = Several::default();
        for _ in 0..2 {
            several.add("delivery", &Delivery::default().run(side));
        }
        several.run()
    })
    .normalised(without_ids)
    .same();
}

#[test]
fn large_messages_are_whole() {
    // Lines that straddle every block of 64 KiB, some of them to be quoted.
    let message = "From me\n>From you\nx\n".repeat(20_000);
    let side = Side::ours();
    side.write("home/.qmail", "./Maildir/\n./Mailbox\n");
    maildir(&side, "Maildir");
    let run = Delivery { message: &message, ..Delivery::default() }.run(&side);
    assert_eq!((run.exit, run.stdout), (0, b"did 2+0+0\n".to_vec()));
    let head = "Return-Path: <s@x.y>\nDelivered-To: spec@h.test\n";
    let name = fs::read_dir(side.path().join("home/Maildir/new")).unwrap().next().unwrap().unwrap();
    assert!(fs::read_to_string(name.path()).unwrap() == format!("{head}{message}"));
    let mbox = String::from_utf8(side.read("home/Mailbox")).unwrap();
    let (from, rest) = mbox.split_once('\n').unwrap();
    assert!(from.starts_with("From s@x.y "));
    let quoted = message.replace("From me", ">From me").replace(">From you", ">>From you");
    assert!(rest == format!("{head}{quoted}\n"));
}

#[test]
fn the_name_in_a_maildir_holds_time_process_and_host() {
    let side = Side::ours();
    side.write("home/.qmail", "./Maildir/\n./Maildir/\n");
    maildir(&side, "Maildir");
    assert_eq!(Delivery::default().run(&side).exit, 0);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut names: Vec<String> = fs::read_dir(side.path().join("home/Maildir/new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_by_key(|name| name.find("Q2").is_some());
    for (name, sequence) in names.iter().zip(["Q1", "Q2"]) {
        let (unique, machine) = name.split_once(&format!("{sequence}.")).expect("a sequence");
        assert_eq!(machine, host.trim_end());
        let (seconds, rest) = unique.split_once(".M").expect("microseconds");
        let (micros, pid) = rest.split_once('P').expect("a process");
        for number in [seconds, micros, pid] {
            assert!(!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()), "{name}");
        }
    }
    assert_eq!(fs::read_dir(side.path().join("home/Maildir/tmp")).unwrap().count(), 0);
}

#[test]
fn files_are_for_their_owner_alone() {
    let side = Side::ours();
    side.write("home/.qmail", "./Maildir/\n./Mailbox\n|umask > mask\n");
    maildir(&side, "Maildir");
    assert_eq!(Delivery::default().run(&side).exit, 0);
    let new = fs::read_dir(side.path().join("home/Maildir/new")).unwrap().next().unwrap().unwrap();
    for path in [new.path(), side.path().join("home/Mailbox"), side.path().join("home/mask")] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(side.read("home/mask"), b"0077\n");
}

/// Forwards as a .qmail file with this text says, which lies beside `files`.
fn forward(name: &str, text: &str, files: &[&str], delivery: Delivery<'_>) -> Case {
    recorded("qmail-local", name, |side| {
        let file = format!("home/.qmail{}{}", delivery.dash, delivery.ext);
        side.write(&file, text);
        for file in files {
            side.write(&format!("home/{file}"), "#\n");
        }
        side.script("home/queue", QUEUE);
        delivery
            .command(side, &[])
            .as_user()
            .env("QMAILQUEUE", side.path().join("home/queue"))
            .run()
    })
    .normalised(without_ids)
}

#[test]
fn all_addresses_are_forwarded_to_at_once() {
    forward("forward", "a@b\n&c@d\n# no\n&\nno-host\n", &[], Delivery::default()).same();
    let bounce = Delivery { sender: "", message: "", ..Delivery::default() };
    forward("forward-bounce", "&a@b\n", &[], bounce).same();
    forward("forward-after-program", "&a@b\n|echo said\n&c@d\n", &[], Delivery::default()).same();
    forward("forward-after-99", "&a@b\n|exit 99\n&c@d\n", &[], Delivery::default()).same();
    forward("no-forward-after-100", "&a@b\n|exit 100\n&c@d\n", &[], Delivery::default()).same();
}

#[test]
fn the_owner_is_the_sender() {
    let list = Delivery::to("list");
    let (owner, each) = (".qmail-list-owner", ".qmail-list-owner-default");
    forward("owner", "&a@b\n", &[owner], list).same();
    forward("owner-each", "&a@b\n", &[owner, each], list).same();
    forward("owner-each-alone", "&a@b\n", &[each], list).same();
    forward("owner-of-bounce", "&a@b\n", &[owner, each], Delivery { sender: "", ..list }).same();
    let double = Delivery { sender: "#@[]", ..list };
    forward("owner-of-double-bounce", "&a@b\n", &[owner, each], double).same();
    // The whole extension counts, not the file that was found.
    recorded("qmail-local", "owner-of-default", |side| {
        side.write("home/.qmail-default", "|echo \"$NEWSENDER\"\n");
        side.write("home/.qmail-default-owner", "#\n");
        let mut several = Several::default();
        several.add("other", &Delivery::to("l.x").run(side));
        side.write("home/.qmail-l:x-owner", "#\n");
        several.add("own", &Delivery::to("l.x").run(side));
        several.run()
    })
    .same();
}

#[test]
fn a_queue_program_of_the_user_s_knows_the_delivery() {
    recorded("qmail-local", "forward-filter", |side| {
        side.write("home/.qmail-default", "&a@b\n");
        side.write("home/.qmail-list-x-owner", "#\n");
        let show = SHOW.strip_prefix('|').unwrap_or(SHOW);
        let text =
            format!("#!/bin/sh\n{{ {show}}} > $HOME/shown; cat > /dev/null; cat <&1 > $HOME/to\n");
        side.script("home/queue", &text);
        let delivery = Delivery { sender: "S nder@x.y", ..Delivery::to("list-X") };
        let command = delivery.command(side, &[]).as_user();
        command.env("QMAILQUEUE", side.path().join("home/queue")).run()
    })
    .normalised(without_ids)
    .same();
}

#[test]
fn what_the_queue_says_is_passed_on() {
    recorded("qmail-local", "forward-refused", |side| {
        side.write("home/.qmail", "&a@b\n");
        let mut several = Several::default();
        for code in (10..=41).chain(50..=92).chain([100, 111, 114, 115, 116, 120, 255]) {
            side.script("home/queue", &format!("#!/bin/sh\nexit {code}\n"));
            let queue = side.path().join("home/queue");
            let command = Delivery::default().command(side, &[]).as_user();
            several.add(&code.to_string(), &command.env("QMAILQUEUE", queue).run());
        }
        let command = Delivery::default().command(side, &[]).as_user();
        several.add("none", &command.env("QMAILQUEUE", "/nonexistent").run());
        several.run()
    })
    .same();
}
