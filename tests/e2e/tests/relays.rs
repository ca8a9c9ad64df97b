//! Between two of our hosts stands a server of others: what we send, it understands, and the other way.

mod mta;

use harness::{ADDRESS, Host, until};
use mta::{Mta, Start};

/// One host sends by way of the server, the other receives for elsewhere.example.
struct Path {
    from: Host,
    to: Host,
    mta: Mta,
}

impl Path {
    fn by(start: Start) -> Option<Path> {
        let mut to = Host::made();
        to.write("tcp.smtp", ":allow\n");
        to.resume();
        for file in ["locals", "rcpthosts"] {
            to.write(&format!("qmail/control/{file}"), "elsewhere.example\n");
        }
        to.rereads();
        let from = Host::start();
        let routes = [
            ("elsewhere.example", to.port()),
            ("stranger.example", to.port()),
            ("daisychain.example", from.port()),
        ];
        let mta = start(&from, &routes)?;
        from.write("qmail/control/smtproutes", format!(":127.0.0.1:{}\n", mta.port));
        Some(Path { from, to, mta })
    }

    fn said(&self) -> String {
        format!("{}\n-- relay:\n{}\n-- to:\n{}", self.from.said(), self.mta.said(), self.to.said())
    }

    fn send(&self, message: &[u8], recipients: &[&str]) {
        let words = [&["sendmail", "-f", ADDRESS], recipients].concat();
        let run = self.from.command(words).stdin(message).run();
        assert_eq!((run.exit, run.stderr), (0, Vec::new()));
    }

    /// The messages that have arrived, when there are `count`.
    fn arrived(&self, count: usize) -> Vec<Vec<u8>> {
        assert!(until(|| self.to.mail().len() >= count), "{}", self.said());
        self.to.mail()
    }
}

/// What follows the header.
fn body(message: &[u8]) -> &[u8] {
    let end = message.windows(2).position(|two| two == b"\n\n").expect("a header");
    &message[end + 2..]
}

fn message(body: &[u8]) -> Vec<u8> {
    [b"From: you@daisychain.example\nTo: you@elsewhere.example\nSubject: x\n\n", body].concat()
}

/// Bodies that a careless transport changes.
fn bodies() -> Vec<Vec<u8>> {
    let eight: Vec<u8> = (1..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    vec![
        b".\n..\n.x\n\n.\n \n.\n".to_vec(),
        [b"bytes ", &eight[..], b"\n"].concat(),
        [&vec![b'l'; 1500][..], b"\n.\n"].concat(),
        b"From here\n>From there\n\n\n".to_vec(),
        b"one line\n".repeat(400_000),
    ]
}

/// Each body arrives as it was sent, byte by byte.
fn bodies_arrive_whole(start: Start) {
    let Some(path) = Path::by(start) else { return };
    let bodies = bodies();
    for body in &bodies {
        path.send(&message(body), &["you@elsewhere.example"]);
    }
    let arrived = path.arrived(bodies.len());
    for sent in &bodies {
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(60)]).into_owned();
        assert!(arrived.iter().any(|mail| body(mail) == sent), "{shown:?} has changed");
    }
    path.from.drains();
    path.to.drains();
}

#[test]
fn bodies_arrive_whole_by_way_of_postfix() {
    bodies_arrive_whole(Mta::postfix);
}

#[test]
fn bodies_arrive_whole_by_way_of_opensmtpd() {
    bodies_arrive_whole(Mta::opensmtpd);
}

/// Several recipients of one message; each has its copy, and nobody a second.
fn each_recipient_has_a_copy(start: Start) {
    let Some(path) = Path::by(start) else { return };
    for name in ["one", "two", "three"] {
        path.to.write(&format!("you/.qmail-{name}"), "./Maildir/\n");
    }
    let recipients =
        ["you-one@elsewhere.example", "you-two@elsewhere.example", "you-three@elsewhere.example"];
    path.send(&message(b"several\n"), &recipients);
    let mut to: Vec<String> = path
        .arrived(3)
        .iter()
        .map(|mail| {
            let mail = String::from_utf8_lossy(mail);
            mail.lines().nth(1).unwrap_or_default().to_owned()
        })
        .collect();
    to.sort();
    let expected =
        ["one", "three", "two"].map(|name| format!("Delivered-To: you-{name}@elsewhere.example"));
    assert_eq!(to, expected);
    path.from.drains();
    path.to.drains();
}

#[test]
fn each_recipient_has_a_copy_by_way_of_postfix() {
    each_recipient_has_a_copy(Mta::postfix);
}

#[test]
fn each_recipient_has_a_copy_by_way_of_opensmtpd() {
    each_recipient_has_a_copy(Mta::opensmtpd);
}

/// The server refuses one of two recipients: the other has the message, and the sender a bounce of ours.
fn what_it_refuses_comes_back(start: Start) {
    let Some(path) = Path::by(start) else { return };
    path.send(&message(b"half\n"), &["refused@elsewhere.example", "you@elsewhere.example"]);
    assert_eq!(body(&path.arrived(1)[0]), b"half\n");
    let bounce = path.from.receives(1).concat();
    for text in [
        "\nHi. This is the qmail-send program at daisychain.example.\n",
        "<refused@elsewhere.example>:\n127.0.0.1 does not like recipient.\nRemote host said: 55",
    ] {
        assert!(bounce.contains(text), "{bounce}");
    }
    assert!(!bounce.contains("<you@elsewhere.example>:"), "{bounce}");
}

#[test]
fn what_postfix_refuses_comes_back() {
    what_it_refuses_comes_back(Mta::postfix);
}

#[test]
fn what_opensmtpd_refuses_comes_back() {
    what_it_refuses_comes_back(Mta::opensmtpd);
}

/// We refuse what the server brings: it tells the sender, by SMTP to us.
fn what_we_refuse_it_sends_back(start: Start) {
    let Some(path) = Path::by(start) else { return };
    path.send(&message(b"nobody\n"), &["who@stranger.example"]);
    let came = until(|| !path.from.mail().is_empty());
    assert!(came, "{}", path.said());
    let bounce = path.from.receives(1).concat();
    assert!(bounce.starts_with("Return-Path: <>\n"), "{bounce}");
    let text = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
    let whole = bounce.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(whole.contains(text), "{bounce}");
    assert!(path.to.mail().is_empty());
}

#[test]
fn what_we_refuse_postfix_sends_back() {
    what_we_refuse_it_sends_back(Mta::postfix);
}

#[test]
fn what_we_refuse_opensmtpd_sends_back() {
    what_we_refuse_it_sends_back(Mta::opensmtpd);
}
