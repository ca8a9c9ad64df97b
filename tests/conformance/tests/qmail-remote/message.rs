//! The message and the addresses as they are sent.

use harness::{Case, Side, recorded};

use crate::{PAIR, send, well};

fn message(name: &str, message: impl AsRef<[u8]>) -> Case {
    recorded("qmail-remote", name, |side| send(side, &well(&[]), &PAIR, message.as_ref()))
}

#[test]
fn lines_and_dots() {
    message("message-empty", "").same();
    message("message-lines", "a\n\n\nb\n").same();
    message("message-dots", ".\n..\n.a\nb.\n.\n").same();
    message("message-bytes", b"\0\x01\x7f\x80\xff\n").same();
    message("message-crlf", "a\r\n\r\n.b\r\n").same();
    message("message-long", "x".repeat(5000) + "\n").same();
}

#[test]
fn a_long_message_is_sent_whole() {
    let side = Side::ours();
    let text = "0123456789\n.\n".repeat(100_000);
    let run = send(&side, &well(&[]), &PAIR, text.as_bytes());
    assert!(run.stdout.starts_with(b"r\0r\0K"));
    let heard = String::from_utf8(side.read("heard")).unwrap();
    let (_, sent) = heard.split_once("DATA\r\n").unwrap();
    assert!(sent == "0123456789\r\n..\r\n".repeat(100_000) + ".\r\nQUIT\r\n");
}

/// What came out of `files`, as it was heard.
fn heard(case: &harness::Outcome) -> String {
    case.files.to_string()
}

/// The original makes a line end of a bare CR and does not double the dot after it, so that a stored
/// message can end early and go on as commands.
#[test]
fn a_bare_cr_is_no_line_end() {
    let case = message("message-cr", "a\r.\r\nMAIL FROM:<evil@b.test>\nend\n");
    let ours = heard(case.ours());
    assert!(ours.contains("  a.\\r\\n\n  MAIL FROM:<evil@b.test>\\r\\n\n"), "{ours}");
    if let Some(original) = case.original() {
        let original = heard(original);
        assert!(original.contains("  a\\r\\n\n  .\\r\\n\n"), "{original}");
    }
    for (name, text, sent) in [
        ("message-cr-dot", "a\n\r.\nb\n", "  a\\r\\n\n  ..\\r\\n\n  b\\r\\n\n  .\\r\\n\n"),
        ("message-cr-cr", "a\r\r\n\r\r.b\n", "  a\\r\\n\n  ..b\\r\\n\n  .\\r\\n\n"),
        ("message-cr-last", "a\n\r", "  a\\r\\n\n  .\\r\\n\n"),
    ] {
        let ours = heard(message(name, text).ours());
        assert!(ours.contains(sent), "{name}: {ours}");
    }
}

#[test]
fn a_last_line_without_end_gets_one() {
    let case = message("message-partial", "a\nb").differing_stdout(
        "r\0r\0K127.0.0.1 accepted message.\nRemote host said: 250 taken\n\0",
        "r\0r\0DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n\0",
    );
    assert!(heard(case.ours()).contains("  b\\r\\n\n  .\\r\\n\n  QUIT\\r\\n\n"));
}

#[test]
fn a_message_that_cannot_be_read() {
    recorded("qmail-remote", "message-unreadable", |side| {
        side.control("me", "me.test\n");
        let peer = crate::Peer::start("127.0.0.1:0", &[&well(&[])]);
        side.control("smtproutes", &format!("route.test:127.0.0.1:{}\n", peer.port()));
        let words = ["sh", "-c", "exec qmail-remote \"$@\" < /", "x"];
        let run = side.run([&words[..], &PAIR].concat());
        side.write("heard", crate::as_helo(peer.heard()));
        run
    })
    .same();
}

#[test]
fn addresses_are_quoted() {
    for (name, address) in [
        ("empty", ""),
        ("space", "a b@c.test"),
        ("at", "a@b@c.test"),
        ("quote", "a\"b\\c@c.test"),
        ("dots", ".a..b.@c.test"),
        ("special", "a(b),c:;<d>[e]@c.test"),
        ("eight-bit", "\u{e9}@c.test"),
        ("control", "a\x01\x7fb@c.test"),
        ("no-local", "@c.test"),
        ("no-domain", "a b"),
        ("plain", "a!#$%&'*+-/=?^_`{|}~.b@c.test"),
    ] {
        recorded("qmail-remote", &format!("address-{name}"), |side| {
            send(side, &well(&[]), &["route.test", address, "x@c.test", "y@c.test"], b"\n")
        })
        .same();
    }
}

/// The original sends the mark of a bounce that cannot be returned to whom it means nothing.
#[test]
fn a_double_bounce_has_no_sender() {
    let words = ["route.test", "#@[]", "x@c.test", "y@c.test"];
    let case =
        recorded("qmail-remote", "address-mark", |side| send(side, &well(&[]), &words, b"\n"));
    assert!(heard(case.ours()).contains("  MAIL FROM:<>\\r\\n\n"));
    if let Some(original) = case.original() {
        assert!(heard(original).contains("  MAIL FROM:<#@[]>\\r\\n\n"));
    }
}

#[test]
fn an_address_with_a_line_end_is_not_sent() {
    let side = Side::ours();
    let words = ["route.test", "a@b.test", "x\r\nRSET@c.test", "y@c.test"];
    let script = ["220 a\r\n", "250 a\r\n", "250 a\r\n", "250 a\r\n", "354 a\r\n", "250 a\r\n"];
    let run = send(&side, &script, &words, b"\n");
    let report = "hSMTP cannot transfer an address with a line end in it. (#5.1.3)\n\0r\0\
        K127.0.0.1 accepted message.\nRemote host said: 250 a\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
    assert!(!String::from_utf8_lossy(&side.read("heard")).contains("RSET"));

    let words = ["route.test", "a\n@b.test", "x@c.test"];
    let run = send(&side, &script, &words, b"\n");
    let report = "DSMTP cannot transfer a sender with a line end in it. (#5.1.7)\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
}
