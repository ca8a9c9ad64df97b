//! Mail for other hosts: routes, deferrals, bounces, dead hosts.

mod mta;

use std::net::TcpStream;

use harness::{ADDRESS, Host, Peer, Turn, client, free_port, until};
use mta::Mta;

fn refusing(line: &str) -> Turn {
    match line.split(' ').next() {
        Some("RCPT") => Turn::from("550 no such user here"),
        _ => Peer::agree(line),
    }
}

fn busy(line: &str) -> Turn {
    match line.split(' ').next() {
        Some("RCPT") => Turn::from("450 come back later"),
        _ => Peer::agree(line),
    }
}

fn routed(host: &Host, port: u16) {
    host.write("qmail/control/smtproutes", format!("elsewhere.example:127.0.0.1:{port}\n"));
}

const MESSAGE: &str = "From: you@daisychain.example\nTo: friend@elsewhere.example\nSubject: out\n\n\
                       .dot\nlast line without end";

#[test]
fn a_message_goes_to_the_host_that_the_routes_name() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    routed(&host, peer.port());
    host.sends(MESSAGE, &["friend@elsewhere.example"]);
    let session = peer.hears(1).concat().replace("\r\n", "\n");
    assert!(session.starts_with("EHLO daisychain.example\nMAIL FROM:<"), "{session}");
    assert!(
        session.contains("\nRCPT TO:<friend@elsewhere.example>\nDATA\nReceived: (qmail "),
        "{session}"
    );
    assert!(session.ends_with("\n\n..dot\nlast line without end\n.\nQUIT\n"), "{session}");
    host.logs("qmail", "success: 127.0.0.1_accepted_message./Remote_host_said:_250_ok/");
    host.drains();
}

#[test]
fn smtp_sink_takes_mail() {
    let host = Host::start();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    // It gives up root only if told whom to become.
    let whom: &[&str] = if unix::Uid::current().is_root() { &["-u", "nobody"] } else { &[] };
    let args = [whom, &["-h", "sink.example", &address, "20"]].concat();
    let Some(command) = client("smtp-sink", args) else { return };
    let _sink = harness::start(command);
    assert!(until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()), "smtp-sink does not listen");
    routed(&host, port);
    for _ in 0..5 {
        host.sends(MESSAGE, &["friend@elsewhere.example"]);
    }
    host.logs("qmail", "success: 127.0.0.1_accepted_message.");
    host.drains();
}

#[test]
fn a_refusal_comes_back_as_a_bounce() {
    let host = Host::start();
    let peer = Peer::start(refusing);
    routed(&host, peer.port());
    host.sends(MESSAGE, &["-f", ADDRESS, "friend@elsewhere.example"]);
    let mail = host.receives(1);
    let bounce = mail.first().expect("one");
    for part in [
        "Return-Path: <>\n",
        "\nFrom: MAILER-DAEMON@daisychain.example\n",
        "\nTo: you@daisychain.example\n",
        "\nSubject: failure notice\n",
        "\n\nHi. This is the qmail-send program at daisychain.example.\n",
        "\n\n<friend@elsewhere.example>:\n127.0.0.1 does not like recipient.\n\
         Remote host said: 550 no such user here\nGiving up on 127.0.0.1.\n\n",
        "\n--- Below this line is a copy of the message.\n\nReturn-Path: <you@daisychain.example>\n",
        "\nlast line without end\n",
    ] {
        assert!(bounce.contains(part), "no {part:?} in {bounce}");
    }
    host.logs("qmail", "bounce msg ");
    host.drains();
}

#[test]
fn a_deferral_stays_in_the_queue_until_it_is_tried_again() {
    let host = Host::start();
    let peer = Peer::start(busy);
    routed(&host, peer.port());
    host.sends(MESSAGE, &["friend@elsewhere.example"]);
    host.logs(
        "qmail",
        "deferral: 127.0.0.1_does_not_like_recipient./Remote_host_said:_450_come_back_later/",
    );
    let peer = Peer::start(Peer::agree);
    routed(&host, peer.port());
    host.svc("-a", "qmail");
    assert_eq!(peer.hears(1).len(), 1, "{}", host.said());
    host.drains();
}

#[test]
fn a_host_that_refuses_connections_is_tried_later() {
    let host = Host::start();
    routed(&host, free_port());
    host.sends(MESSAGE, &["friend@elsewhere.example"]);
    let sorry = "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/";
    host.logs("qmail", sorry);
}

#[test]
fn postfix_takes_mail() {
    let host = Host::start();
    let Some(postfix) = Mta::postfix(&host, &[]) else { return };
    let mailbox = postfix.folder.join("mailbox");
    routed(&host, postfix.port);
    host.sends(MESSAGE, &["friend@elsewhere.example"]);
    host.logs("qmail", "success: 127.0.0.1_accepted_message.");
    let text = || std::fs::read_to_string(&mailbox).unwrap_or_default();
    assert!(until(|| text().contains("last line without end")), "{}", text());
    assert!(text().contains("\nX-Original-To: friend@elsewhere.example\n"), "{}", text());
}
