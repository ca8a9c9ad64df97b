//! The message: dots, line ends, hops, sizes.

use crate::{MESSAGE, NOTHING, Setup, case, same, same_words};

/// A message with these data, and a client that leaves.
fn turns(data: &str) -> Vec<&str> {
    [&MESSAGE[..3], &[data, "QUIT\r\n"]].concat()
}

/// A message with these data, after which the server may have gone.
fn last_turns(data: &str) -> Vec<&str> {
    [&MESSAGE[..3], &[data]].concat()
}

#[test]
fn decoding() {
    let long = format!("{}\r\n.\r\n", "x".repeat(5000));
    for (name, data) in [
        ("data-empty", ".\r\n"),
        ("data-lines", "a\r\n\r\nb\r\n.\r\n"),
        ("data-dots", "..\r\n...a\r\n.b\r\n. \r\nc.\r\n.d.\r\n.\r\n"),
        ("data-long", &long),
        ("data-eight-bits", "\u{e9}\0\x01\x7f\t\r\n.\r\n"),
    ] {
        same(case(name, &NOTHING, &turns(data)));
    }
}

#[test]
fn a_bare_lf_ends_the_session() {
    for (name, data) in [
        ("lf", "\n"),
        ("lf-in-line", "a\nb\r\n.\r\n"),
        ("lf-after-dot", ".\n"),
        ("lf-dot-lf", "a\r\n.\n"),
        ("lf-dot-crlf", "a\n.\r\n"),
        ("lf-after-text", "a\r\n.b\n"),
    ] {
        same_words(case(&format!("data-{name}"), &NOTHING, &last_turns(data)));
    }
}

/// The original stores a bare CR; what it stores can come out of another host as a line end.
#[test]
fn a_bare_cr_ends_the_session() {
    for (name, data) in [
        ("cr", "a\rb\r\n.\r\n"),
        ("cr-cr-lf", "a\r\r\n.\r\n"),
        ("cr-dot-crlf", "a\r.\r\nb\r\n.\r\n"),
        ("crlf-dot-cr", "a\r\n.\rx\r\n.\r\n"),
        ("crlf-dot-cr-crlf", "a\r\n.\r\r\n.\r\n"),
    ] {
        let name = format!("data-{name}");
        let start = "220 mail.test ESMTP\r\n250 ok\r\n250 ok\r\n354 go ahead\r\n";
        let ours = "451 bare CR in message data, RFC 5321 section 2.3.8 (#4.6.0)\r\n";
        let original = "250 ok TIME qp PID\r\n";
        let _ = case(&name, &NOTHING, &last_turns(data))
            .differing_stdout(&format!("{start}{ours}"), &format!("{start}{original}"));
        // For clients of which it is known.
        let env = [("ALLOW_BARECR", "")];
        same(case(&format!("{name}-allowed"), &Setup { env: &env, ..NOTHING }, &turns(data)));
    }
}

#[test]
fn hops() {
    let header = |count: usize, name: &str| format!("{name}: x\r\n").repeat(count) + "\r\n.\r\n";
    same(case("hops-99", &NOTHING, &turns(&header(99, "Received"))));
    same_words(case("hops-100", &NOTHING, &turns(&header(100, "received"))));
    same_words(case("hops-delivered", &NOTHING, &turns(&header(100, "DELIVERED-TO"))));
    let body = format!("A: b\r\n\r\n{}", header(100, "Received"));
    same(case("hops-body", &NOTHING, &turns(&body)));
    // What only begins like it is no hop.
    let start = "220 mail.test ESMTP\r\n250 ok\r\n250 ok\r\n354 go ahead\r\n";
    let end = "221 mail.test\r\n";
    let _ = case("hops-spf", &NOTHING, &turns(&header(100, "Received-SPF"))).differing_stdout(
        &format!("{start}250 ok TIME qp PID\r\n{end}"),
        &format!("{start}554 too many hops, this message is looping (#5.4.6)\r\n{end}"),
    );
}

#[test]
fn databytes() {
    let data = "A: b\r\n\r\n..c\r\n.\r\n"; // 9 bytes as stored
    for (name, controls, env) in [
        ("9", &[("databytes", "9 bytes\n")][..], &[][..]),
        ("8", &[("databytes", "8\n")], &[]),
        ("env", &[("databytes", "8\n")], &[("DATABYTES", "9")]),
        ("env-8", &[], &[("DATABYTES", "8")]),
        ("env-0", &[("databytes", "8\n")], &[("DATABYTES", "0")]),
        ("env-empty", &[("databytes", "8\n")], &[("DATABYTES", "")]),
    ] {
        let name = format!("databytes-{name}");
        same_words(case(&name, &Setup { controls, env }, &turns(data)));
    }
}
