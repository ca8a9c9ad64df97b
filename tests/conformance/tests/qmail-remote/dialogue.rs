//! What hosts reply, and what is reported of it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use harness::{Run, Side, recorded};

use crate::peer::{CLOSE, SILENCE};
use crate::{MESSAGE, PAIR, Peer, case, send, well};

#[test]
fn every_reply_has_its_report() {
    for (name, changes) in [
        ("taken", &[][..]),
        (
            "several-lines",
            &[
                (0, "220-hi\r\n220 there\r\n"),
                (1, "250-you\n250-too\n250 well\n"),
                (6, "250-taken\r\n250-\r\n250 thanks\r\n"),
            ],
        ),
        ("zero", &[(6, "250 a\0b\rc\r\n")]),
        ("greeting-4", &[(0, "421 busy\r\n")]),
        ("greeting-2", &[(0, "250 hm\r\n")]),
        ("helo-5", &[(1, "550 who\r\n")]),
        ("helo-4", &[(1, "450 later\r\n")]),
        ("helo-2", &[(1, "220 hm\r\n")]),
        ("mail-5", &[(2, "553-no\r\n553 never\r\n")]),
        ("mail-4", &[(2, "451 later\r\n")]),
        ("first-5", &[(3, "550 no\r\n")]),
        ("second-4", &[(4, "450 later\r\n")]),
        ("data-5", &[(5, "554 no\r\n")]),
        ("data-4", &[(5, "451 later\r\n")]),
        ("message-5", &[(6, "554 no\r\n")]),
        ("message-4", &[(6, "451 later\r\n")]),
    ] {
        case(name, &well(changes)).same();
    }
    let both = ["220 hi\r\n", "250 a\r\n", "250 b\r\n", "450 no\r\n", "550-no\r\n550 no\r\n"];
    case("nobody", &both).same();
}

#[test]
fn long_replies_are_cut() {
    let long = format!("{}550 end\r\n", "550-0123456789\r\n".repeat(400));
    case("long-reply", &well(&[(2, &long)])).same();
    case("long-rcpt", &well(&[(3, &long)])).same();
    case("long-line", &well(&[(6, &format!("250 {}\r\n", "x".repeat(9000)))])).same();
}

#[test]
fn a_connection_may_be_lost_at_every_step() {
    for step in 0..7 {
        let script = [&well(&[])[..step], &[CLOSE]].concat();
        case(&format!("lost-{step}"), &script).same();
    }
    let partial = [&well(&[])[..2], &["250-half a reply\r\n250", CLOSE]].concat();
    case("lost-in-reply", &partial).same();
}

#[test]
fn a_host_may_be_silent_at_every_step() {
    for step in [0, 1, 4, 6] {
        let script = [&well(&[])[..step], &[SILENCE]].concat();
        recorded("qmail-remote", &format!("silent-{step}"), |side| {
            side.control("timeoutremote", "5\n");
            send(side, &script, &PAIR, MESSAGE.as_bytes())
        })
        .same();
    }
}

/// The original takes a greeting of 5xx for a passing trouble, for as long as the message lives.
#[test]
fn a_host_that_will_never_speak_with_us_is_believed() {
    let rest = "Connected to 127.0.0.1 but greeting failed.\nRemote host said: 554 no\n\0";
    let _ = case("greeting-5", &["554 no\r\n"])
        .differing_stdout(&format!("D{rest}"), &format!("Z{rest}"))
        .same_files();
}

/// A host that takes DATA for done would take the message for commands.
#[test]
fn a_message_is_only_sent_to_who_waits_for_it() {
    let case = case("data-2", &well(&[(5, "250 hm\r\n")]));
    let report = "r\0r\0Z127.0.0.1 failed on DATA command.\nRemote host said: 250 hm\n\0";
    assert_eq!(String::from_utf8_lossy(&case.ours().run.stdout), report);
    assert!(case.ours().files.to_string().contains("DATA\\r\\n\n  QUIT\\r\\n"));
    if let Some(original) = case.original() {
        assert!(original.files.to_string().contains("  Subject: x\\r\\n"));
    }
}

/// The original goes by the first.
#[test]
fn lines_that_disagree_are_temporary() {
    let case = case("first-code", &well(&[(2, "250-a\r\n550 b\r\n"), (3, "550-c\r\n250 d\r\n")]));
    let ours = String::from_utf8_lossy(&case.ours().run.stdout).into_owned();
    assert!(ours.starts_with("ZConnected to 127.0.0.1 but sender was rejected.\n"), "{ours}");
    if let Some(original) = case.original() {
        assert!(original.run.stdout.starts_with(b"h127.0.0.1 does not like recipient.\n"));
    }
}

#[test]
fn extensions_are_used_where_they_are_offered() {
    let ehlo = "250-mx.test\r\n250-SIZE 1000\r\n250 8BITMIME\r\n";
    let side = Side::ours();
    let run = send(&side, &well(&[(1, ehlo)]), &PAIR, MESSAGE.as_bytes());
    assert!(run.stdout.starts_with(b"r\0r\0K"));
    let heard = String::from_utf8_lossy(&side.read("heard")).into_owned();
    assert!(heard.contains("\nMAIL FROM:<a@b.test> SIZE=17 BODY=8BITMIME\r\n"), "{heard}");

    let run = send(&side, &well(&[(1, ehlo)]), &PAIR, &[b'x'; 1001]);
    let report = "D127.0.0.1 takes at most 1000 bytes, and the message has 1001 (#5.3.4).\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
}

/// The message has a length and no bytes.
#[test]
fn a_size_may_have_more_than_32_bits() {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let message = File::create(side.path().join("message")).unwrap();
    message.set_len(5_000_000_000).unwrap();
    let send = |offer: &str| {
        let offer = format!("250-mx.test\r\n250 SIZE {offer}\r\n");
        let peer = Peer::start("127.0.0.1:0", &[&well(&[(1, &offer), (2, "552 too much\r\n")])]);
        side.control("smtproutes", &format!("route.test:127.0.0.1:{}\n", peer.port()));
        let words = ["sh", "-c", "exec qmail-remote \"$@\" < message", "x"];
        let run = side.run([&words[..], &PAIR].concat());
        let heard = String::from_utf8_lossy(&peer.heard()).into_owned();
        (String::from_utf8_lossy(&run.stdout).into_owned(), heard)
    };
    let (report, _) = send("4999999999");
    let text = " takes at most 4999999999 bytes, and the message has 5000000000 (#5.3.4).\n\0";
    assert_eq!(report, format!("D127.0.0.1{text}"));
    let (report, heard) = send("5000000000");
    assert!(report.starts_with("DConnected to 127.0.0.1 but sender was rejected.\n"), "{report}");
    assert!(heard.contains("\nMAIL FROM:<a@b.test> SIZE=5000000000\r\n"), "{heard}");
}

#[test]
fn what_is_no_reply_is_temporary() {
    for (step, report) in [
        (0, "ZConnected to 127.0.0.1 but greeting failed.\nRemote host said: hello\n\0"),
        (1, "ZConnected to 127.0.0.1 but my name was rejected.\nRemote host said: hello\n\0"),
        (2, "ZConnected to 127.0.0.1 but sender was rejected.\nRemote host said: hello\n\0"),
        (
            3,
            "s127.0.0.1 does not like recipient.\nRemote host said: hello\n\0r\0\
             K127.0.0.1 accepted message.\nRemote host said: 250 taken\n\0",
        ),
        (5, "r\0r\0Z127.0.0.1 failed on DATA command.\nRemote host said: hello\n\0"),
        (6, "r\0r\0Z127.0.0.1 failed after I sent the message.\nRemote host said: hello\n\0"),
    ] {
        let script = well(&[(step, "hello\r\n")]);
        let Run { stdout, .. } = send(&Side::ours(), &script, &PAIR, MESSAGE.as_bytes());
        assert_eq!(String::from_utf8_lossy(&stdout), report);
    }
}

#[test]
fn a_reply_of_100_megabytes_takes_bounded_memory() {
    let line = format!("250-{}\r\n", "x".repeat(9_994));
    let long = line.repeat(10_000) + "250 end\r\n";
    let side = Side::ours();
    side.control("me", "me.test\n");
    let script = well(&[(2, &long)]);
    let peer = crate::Peer::start("127.0.0.1:0", &[&script]);
    side.control("smtproutes", &format!(":127.0.0.1:{}\n", peer.port()));
    let words = ["sh", "-c", "ulimit -v 60000; exec qmail-remote \"$@\"", "x"];
    let run = side.command([&words[..], &PAIR].concat()).stdin_file(MESSAGE).run();
    let report = "r\0r\0K127.0.0.1 accepted message.\nRemote host said: 250 taken\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
    drop(peer.heard());
}

/// Each piece comes in time, and the end never: the original would read for ever.
#[test]
fn a_reply_that_never_ends_is_given_up() {
    let side = Side::ours();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dripping = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(b"220-hi\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100)); // the pace of the host, not a wait
        }
    });
    side.control("me", "me.test\n");
    side.control("timeoutremote", "1\n");
    side.control("smtproutes", &format!("route.test:127.0.0.1:{port}\n"));
    let words = [&["qmail-remote"], &PAIR[..]].concat();
    let run = side.command(words).stdin_file(MESSAGE).run();
    dripping.join().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&run.stdout),
        "ZConnected to 127.0.0.1 but connection died. (#4.4.2)\n\0"
    );
}

/// The host replies to none before it has heard of both.
#[test]
fn recipients_are_named_together_to_a_host_that_reads_on() {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    side.control("smtproutes", &format!("route.test:127.0.0.1:{port}\n"));
    let host = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let mut heard = |reply: &str, count: usize| {
            (&stream).write_all(reply.as_bytes()).unwrap();
            lines.by_ref().take(count).collect::<Vec<_>>()
        };
        let _ = heard("220 mx.test\r\n", 1);
        let _ = heard("250-mx.test\r\n250 PIPELINING\r\n", 1);
        let together = heard("250 sender\r\n", 2);
        assert_eq!(heard("250 yes\r\n550 no\r\n", 1), ["DATA"]);
        let _ = heard("354 go\r\n", MESSAGE.lines().count() + 1);
        let _ = heard("250 taken\r\n", 1);
        together
    });
    let words = [&["qmail-remote"], &PAIR[..]].concat();
    let run = side.command(words).stdin_file(MESSAGE).run();
    assert_eq!(host.join().unwrap(), ["RCPT TO:<c@route.test>", "RCPT TO:<d@route.test>"]);
    let report = "r\0h127.0.0.1 does not like recipient.\nRemote host said: 550 no\n\0\
                  K127.0.0.1 accepted message.\nRemote host said: 250 taken\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
}

#[test]
fn recipients_that_are_too_many_get_the_message_behind_the_others() {
    let more = ["250 sender\r\n", "250 second\r\n", "354 go\r\n", "250 taken too\r\n"];
    let script = [well(&[(4, "452 too many\r\n")]), more.to_vec()].concat();
    let case = case("too-many", &script);
    let said = "127.0.0.1 accepted message.\nRemote host said: 250 taken";
    let ours = format!("r{said}\n\0r{said} too\n\0K\0");
    let theirs = "r\0s127.0.0.1 does not like recipient.\nRemote host said: 452 too many\n\0";
    let _ = case.same_exit().differing_stdout(&ours, &format!("{theirs}K{said}\n\0"));
    let side = Side::ours();
    let _ = send(&side, &script, &PAIR, MESSAGE.as_bytes());
    let heard = String::from_utf8(side.read("heard")).unwrap();
    assert_eq!(heard.matches("Subject: x\r\n\r\nbody\r\n.\r\n").count(), 2, "{heard}");
    let second = "MAIL FROM:<a@b.test>\r\nRCPT TO:<d@route.test>\r\nDATA\r\n";
    assert!(heard.contains(second), "{heard}");
}
