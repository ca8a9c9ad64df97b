//! The nine ways of a message that qmail's own documents draw (PIC.*), each by its steps in the log.

use harness::{ADDRESS, Host, Peer, Smtp, until};

const MESSAGE: &str = "From: you@daisychain.example\nSubject: s\n\nbody\n";

fn send(host: &Host, to: &str) {
    host.sends(MESSAGE, &["-f", ADDRESS, to]);
}

/// The lines of the log appear, in this order.
fn walks(host: &Host, steps: &[&str]) {
    let walked = || {
        let log = host.log("qmail");
        let mut rest = log.as_str();
        steps.iter().all(|step| match rest.find(step) {
            Some(at) => {
                rest = &rest[at + step.len()..];
                true
            }
            None => false,
        })
    };
    assert!(until(walked), "not {steps:?}:\n{}", host.said());
}

#[test]
fn local_to_local() {
    let host = Host::start();
    send(&host, "you@daisychain.example");
    walks(
        &host,
        &[
            "new msg",
            "info msg",
            " to local you@daisychain.example\n",
            ": success: did_1+0+0/\n",
            "end msg",
        ],
    );
    let mail = host.receives(1);
    assert!(mail[0].starts_with(
        "Return-Path: <you@daisychain.example>\nDelivered-To: you@daisychain.example\nReceived: (qmail "
    ));
}

/// The alias forwards, and that is a second message.
#[test]
fn local_to_alias() {
    let host = Host::start();
    host.write("qmail/alias/.qmail-help", "&you@daisychain.example\n");
    send(&host, "help@daisychain.example");
    walks(&host, &[" to local help@daisychain.example\n", ": success: did_0+1+0/qp_"]);
    // The second may begin before the first is known to have succeeded.
    walks(&host, &[" to local you@daisychain.example\n", ": success: did_1+0+0/\n"]);
    let mail = host.receives(1);
    assert!(mail[0].contains("\nDelivered-To: you@daisychain.example\n"), "{}", mail[0]);
    assert!(mail[0].contains("\nDelivered-To: help@daisychain.example\n"), "{}", mail[0]);
    host.drains();
}

#[test]
fn local_to_extension() {
    let host = Host::start();
    host.write("you/.qmail-sos", "./sos\n");
    send(&host, "you-sos@daisychain.example");
    walks(&host, &[" to local you-sos@daisychain.example\n", ": success: did_1+0+0/\n", "end msg"]);
    host.arrives("you/sos", "\nDelivered-To: you-sos@daisychain.example\n");
}

#[test]
fn local_to_remote() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write("qmail/control/smtproutes", format!("far.example:127.0.0.1:{}\n", peer.port()));
    send(&host, "bill@far.example");
    walks(
        &host,
        &[" to remote bill@far.example\n", ": success: 127.0.0.1_accepted_message./", "end msg"],
    );
    let heard = peer.hears(1).concat();
    assert!(heard.starts_with("EHLO daisychain.example\r\nMAIL FROM:<you@daisychain.example>\r\n"));
}

#[test]
fn local_to_virtual() {
    let host = Host::start();
    host.write("qmail/control/virtualdomains", "tommy.example:you-tommy\n");
    host.write("you/.qmail-tommy-info", "./tommy\n");
    host.rereads();
    send(&host, "info@tommy.example");
    walks(&host, &[" to local you-tommy-info@tommy.example\n", ": success: did_1+0+0/\n"]);
    host.arrives("you/tommy", "\nDelivered-To: you-tommy-info@tommy.example\n");
}

#[test]
fn null_client() {
    let host = Host::start();
    let hub = Peer::start(Peer::agree);
    host.write("qmail/control/smtproutes", format!(":127.0.0.1:{}\n", hub.port()));
    host.write("qmail/control/locals", "");
    host.rereads();
    send(&host, "you@daisychain.example");
    walks(
        &host,
        &[" to remote you@daisychain.example\n", ": success: 127.0.0.1_accepted_message./"],
    );
}

/// A client that is not the host's, and what it is told of a recipient elsewhere.
fn stranger(host: &Host, rules: &str) -> String {
    host.write("tcp.smtp", rules);
    let (cdb, tmp) = (host.path("tcp.smtp.cdb"), host.path("tcp.smtp.tmp"));
    let words = ["tcprules".as_ref(), cdb.as_os_str(), tmp.as_os_str()];
    assert_eq!(host.command(words).stdin(rules).run().exit, 0);
    let mut smtp = Smtp::connect(host.port());
    let _ = smtp.reply();
    smtp.ok("HELO client.example", "250 ");
    smtp.ok("MAIL FROM:<bill@far.example>", "250 ");
    let reply = smtp.say("RCPT TO:<ann@elsewhere.example>");
    if reply.starts_with("250 ") {
        smtp.ok("DATA", "354 ");
        smtp.ok("Subject: x\r\n\r\nx\r\n.", "250 ");
    }
    reply
}

#[test]
fn a_relay_that_is_not_allowed() {
    let host = Host::start();
    let reply = stranger(&host, ":allow\n");
    let refused = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n";
    assert_eq!(reply, refused);
    assert!(!host.log("qmail").contains("new msg"));
}

#[test]
fn a_relay_that_is_allowed() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", peer.port()),
    );
    let reply = stranger(&host, "127.:allow,RELAYCLIENT=\"\"\n:allow\n");
    assert!(reply.starts_with("250 "), "{reply}");
    walks(
        &host,
        &[" to remote ann@elsewhere.example\n", ": success: 127.0.0.1_accepted_message./"],
    );
    assert!(peer.hears(1)[0].contains("MAIL FROM:<bill@far.example>\r\n"));
}

#[test]
fn remote_to_local() {
    let host = Host::start();
    Smtp::connect(host.port()).deliver("bill@far.example", ADDRESS, MESSAGE);
    walks(
        &host,
        &[
            "from <bill@far.example>",
            " to local you@daisychain.example\n",
            ": success: did_1+0+0/\n",
        ],
    );
    let mail = host.receives(1);
    assert!(mail[0].starts_with("Return-Path: <bill@far.example>\n"), "{}", mail[0]);
    assert!(mail[0].contains("\nReceived: from "), "{}", mail[0]);
}
