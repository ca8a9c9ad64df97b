//! Servers of a case: the two ends of an SMTP dialogue, and DNS.

use std::net::{Ipv4Addr, UdpSocket};

use harness::{Answer, Dns, Peer, Record, Smtp, Turn};

#[test]
fn a_peer_hears_a_message_exactly() {
    let peer = Peer::start(Peer::agree);
    let mut client = Smtp::connect(peer.port());
    let reply = client.deliver("a@b", "c@d", "Subject: x\n\nQUIT\n..\nbody\n");
    assert_eq!(reply, "250 ok\r\n");
    assert_eq!(client.say("QUIT"), "221 bye\r\n");
    drop(client);
    assert_eq!(
        peer.hears(1),
        ["HELO client.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
          Subject: x\r\n\r\nQUIT\r\n..\r\nbody\r\n.\r\nQUIT\r\n"]
    );
}

#[test]
fn a_peer_may_refuse_stall_say_anything_and_close() {
    let peer = Peer::start(|line| match line {
        "CONNECT" => Turn::from("220-first\n220 second"),
        "RAW" => Turn::Raw(b"999\n".to_vec()),
        "LAST" => Turn::Last("421 gone".to_owned()),
        "SILENCE" => Turn::Silence,
        "CLOSE" => Turn::Close,
        line => Peer::agree(line),
    });
    let mut first = Smtp::connect(peer.port());
    assert_eq!(first.reply(), "220-first\r\n220 second\r\n");
    assert_eq!(first.say("RAW"), "999\n");
    first.send("SILENCE\r\n");
    assert_eq!(first.say("LAST"), "421 gone\r\n");
    assert_eq!(first.rest(), "");
    let mut second = Smtp::connect(peer.port());
    second.reply();
    assert_eq!(second.say("CLOSE"), "");
    assert_eq!(peer.hears(2), ["RAW\r\nSILENCE\r\nLAST\r\n", "CLOSE\r\n"]);
}

#[test]
fn a_peer_that_is_dropped_closes_everything() {
    let peer = Peer::start(Peer::agree);
    let mut client = Smtp::connect(peer.port());
    client.reply();
    drop(peer);
    assert_eq!(client.rest(), "");
}

/// A question for the A records of `a.test`.
const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

#[test]
fn a_name_server_answers_what_the_test_says() {
    let dns = Dns::start(|name, kind| match (name, kind) {
        ("a.test", "A") => {
            Answer::Records(vec![Record::Address(Ipv4Addr::new(192, 0, 2, 1).into())])
        }
        _ => Answer::NoName,
    });
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(QUESTION, dns.place()).unwrap();
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).unwrap();
    let reply = &reply[..length];
    assert_eq!((&reply[..2], reply[3] & 15, reply[7]), (&QUESTION[..2], 0, 1));
    assert!(reply.ends_with(&[0, 4, 192, 0, 2, 1]));
    let asked = dns.asked();
    assert_eq!(asked.len(), 1);
    let question = asked.first().unwrap();
    assert_eq!(
        (question.name.as_str(), question.kind.as_str(), question.id),
        ("a.test", "A", 0x1234)
    );
}
