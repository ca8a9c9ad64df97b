//! Hosts that do not answer.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use harness::{Run, Side, recorded};
use unix::{clock, socket};

use crate::peer::Peer;
use crate::{MESSAGE, PAIR, well};

const LATER: &str = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0";

/// A host that neither takes nor refuses connections: whoever is in its backlog stays there.
struct Deaf {
    at: SocketAddr,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

fn deaf(host: &str) -> Deaf {
    let listener = socket::listen(format!("{host}:0").parse().unwrap(), 0, true).unwrap();
    let at = socket::local_address(&listener).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&at, std::time::Duration::from_millis(500)) {
        waiting.push(stream);
    }
    Deaf { at, _listener: listener, _waiting: waiting }
}

fn table(side: &Side, name: &str, contents: &[u8]) {
    side.host_file(&format!("queue/lock/{name}"), contents);
}

fn try_host(side: &Side, at: SocketAddr) -> Run {
    side.control("me", "me.test\n");
    side.control("timeoutconnect", "1\n");
    let (host, port) = (at.ip(), at.port());
    side.control("smtproutes", &format!("route.test:[{host}]:{port}\n"));
    side.command([&["qmail-remote"], &PAIR[..]].concat()).stdin_file(MESSAGE).run()
}

/// Address, count and age of a table's first record, and whether the rest is zero.
fn record(side: &Side, name: &str) -> String {
    let bytes = fs::read(side.home().join("queue/lock").join(name)).unwrap();
    if bytes.is_empty() {
        return "empty".into();
    }
    let now = u64::try_from(clock::wall().seconds).unwrap();
    let (count, time, end) = match name {
        "tcpto" => (bytes[4], u64::from(u32::from_le_bytes(bytes[8..12].try_into().unwrap())), 16),
        _ => (bytes[16], u64::from_le_bytes(bytes[24..32].try_into().unwrap()), 32),
    };
    let age = if time == 0 {
        "never"
    } else if now - time < 100 {
        "now"
    } else {
        "before"
    };
    let rest = bytes[end..].iter().all(|&byte| byte == 0);
    format!("{:?} {count} {age} {rest} {}\n", &bytes[..4], bytes.len())
}

/// A record as the original writes it, of a host that did not answer `count` times.
fn known(address: [u8; 4], count: u8, age: u64) -> Vec<u8> {
    let time = u64::try_from(clock::wall().seconds).unwrap() - age;
    let time = u32::try_from(time).unwrap().to_le_bytes();
    let mut bytes = [&address[..], &[count, 0, 0, 0], &time, &[0; 4]].concat();
    bytes.resize(1024, 0);
    bytes
}

/// The run, and what is known of the host after it.
fn after(name: &str, before: impl Fn() -> Vec<u8>, answers: bool) {
    recorded("qmail-remote", name, |side| {
        table(side, "tcpto", &before());
        let (run, record) = if answers {
            let peer = Peer::start("127.0.0.1:0", &[&well(&[])]);
            let run = try_host(side, SocketAddr::from(([127, 0, 0, 1], peer.port())));
            drop(peer.heard());
            (run, record(side, "tcpto"))
        } else {
            (try_host(side, deaf("127.0.0.1").at), record(side, "tcpto"))
        };
        table(side, "tcpto", &[0; 1024]);
        side.write("record", record);
        run
    })
    .same();
}

const US: [u8; 4] = [127, 0, 0, 1];

#[test]
fn a_host_that_does_not_answer_is_remembered() {
    after("tcpto-first", || vec![0; 1024], false);
    after("tcpto-again", || known(US, 1, 300), false);
    after("tcpto-at-once", || known(US, 1, 10), false);
    after("tcpto-tenth", || known(US, 10, 30_000), false);
}

#[test]
fn a_host_that_is_dead_is_not_tried() {
    after("tcpto-dead", || known(US, 2, 300), true);
    after("tcpto-dead-long", || known(US, 9, 3000), true);
    after("tcpto-late", || known(US, 2, 6000), true);
    after("tcpto-once", || known(US, 1, 10), true);
    after("tcpto-other", || known([127, 0, 0, 9], 2, 10), true);
}

#[test]
fn without_a_table_every_host_is_tried() {
    after("tcpto-short", Vec::new, true);
}

#[test]
fn hosts_of_ipv6_have_a_table_of_their_own() {
    let side = Side::ours();
    table(&side, "tcpto", &[0; 1024]);
    table(&side, "tcpto6", &[0; 2048]);
    let host = deaf("[::1]");
    assert_eq!(try_host(&side, host.at).stdout, LATER.as_bytes());
    assert_eq!(record(&side, "tcpto6"), "[0, 0, 0, 0] 1 now true 2048\n");
    assert_eq!(fs::read(side.home().join("queue/lock/tcpto")).unwrap(), [0; 1024]);

    let peer = Peer::start("[::1]:0", &[&well(&[])]);
    let at = SocketAddr::new(host.at.ip(), peer.port());
    assert!(try_host(&side, at).stdout.starts_with(b"r\0r\0K::1 accepted"));
    assert_eq!(record(&side, "tcpto6"), "[0, 0, 0, 0] 0 now true 2048\n");
    drop(peer.heard());
}
