mod hostile;

use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

/// What a test's server does with one query: it gets the query, and its own answer is sent.
type Step = fn(&[u8]) -> Vec<u8>;

/// A server at a port of its own that does `steps`, one a datagram, while `client` runs.
fn with_server<T>(steps: &[Step], client: impl FnOnce(SocketAddr) -> T) -> T {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in steps {
                let mut query = [0; 512];
                let (length, from) = socket.recv_from(&mut query).unwrap();
                socket.send_to(&step(&query[..length]), from).unwrap();
            }
        });
        client(at)
    })
}

/// The query as a reply without records, with flag bytes and counts as given.
fn reply(query: &[u8], flags: [u8; 2], answers: u8) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
    let mut bytes = query[..end].to_vec();
    bytes[2..4].copy_from_slice(&flags);
    bytes[4..12].copy_from_slice(&[0, 1, 0, answers, 0, 0, 0, 0]);
    bytes
}

/// A reply with one A record, 192.0.2.1, or whatever was asked for of another kind.
fn one(query: &[u8]) -> Vec<u8> {
    let mut bytes = reply(query, [0x81, 0x80], 1);
    let kind = bytes[bytes.len() - 3];
    bytes.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60]);
    match kind {
        1 => bytes.extend([0, 4, 192, 0, 2, 1]),
        28 => bytes.extend([0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        16 => bytes.extend(b"\0\x05\x04text"),
        _ => bytes.extend([0, 2, 0xc0, 12]),
    }
    bytes
}

fn no_name(query: &[u8]) -> Vec<u8> {
    reply(query, [0x81, 0x83], 0)
}

fn failure(query: &[u8]) -> Vec<u8> {
    reply(query, [0x81, 0x82], 0)
}

fn truncated(query: &[u8]) -> Vec<u8> {
    reply(query, [0x83, 0x80], 0)
}

/// FORMERR if the query has an additional record.
fn only_plain(query: &[u8]) -> Vec<u8> {
    if query[11] == 0 {
        return one(query);
    }
    let mut bytes = query[..12].to_vec();
    bytes[2..4].copy_from_slice(&[0x81, 0x81]);
    bytes[4..12].fill(0);
    bytes
}

fn four() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn six() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

#[test]
fn both_families_are_asked_at_once() {
    let found = with_server(&[one, one], |at| Resolver::new(vec![at]).addresses(b"a.b"));
    assert_eq!(found, Ok(vec![four(), six()]));
}

#[test]
fn an_address_needs_no_server() {
    let resolver = Resolver::new(Vec::new());
    assert_eq!(resolver.addresses(b"192.0.2.1"), Ok(vec![four()]));
    assert_eq!(resolver.addresses(b"[IPv6:2001:db8::1]"), Ok(vec![six()]));
    assert_eq!(
        resolver.addresses_of(&[b"2001:db8::1", b"a.b", &[b'a'; 64]]),
        [Ok(vec![six()]), Err(Error::Soft(Errno::ETIMEDOUT)), Err(Error::BadName)]
    );
}

#[test]
fn a_name_that_does_not_exist_is_a_hard_answer() {
    let found = with_server(&[no_name], |at| Resolver::new(vec![at]).mx(b"a.b"));
    assert_eq!(found, Err(Error::NoName));
    assert!(!Error::NoName.is_soft());
}

#[test]
fn a_failing_server_is_followed_by_the_next() {
    let found = with_server(&[failure], |bad| {
        with_server(&[one], |good| Resolver::new(vec![bad, good]).txt(b"a.b"))
    });
    assert_eq!(found, Ok(vec![b"text".to_vec()]));
}

#[test]
fn a_closed_port_is_followed_by_the_next_server() {
    // An address of the loopback that nobody else uses, and so no other test gets that port.
    let closed = UdpSocket::bind("127.9.8.7:0").unwrap().local_addr().unwrap();
    let found = with_server(&[one], |good| Resolver::new(vec![closed, good]).ptr(four()));
    assert_eq!(found, Ok(b"1.2.0.192.in-addr.arpa".to_vec()));
}

#[test]
fn servers_that_cannot_be_reached_are_not_waited_for() {
    // Nothing can be sent there without a socket option for that.
    let broadcast = "255.255.255.255:53".parse().unwrap();
    let before = std::time::Instant::now();
    let found = Resolver::new(vec![broadcast; 2]).txt(b"a.b");
    assert!(matches!(found, Err(Error::Soft(trouble)) if trouble != Errno::ETIMEDOUT), "{found:?}");
    assert!(before.elapsed() < Duration::from_secs(3));
    let found = with_server(&[one], |good| Resolver::new(vec![broadcast, good]).txt(b"a.b"));
    assert_eq!(found, Ok(vec![b"text".to_vec()]));
}

#[test]
fn a_forged_reply_does_not_end_the_wait() {
    let forge: Step = |query| {
        let mut bytes = no_name(query);
        bytes[0] ^= 1;
        bytes
    };
    let resolver = |at| Resolver::new(vec![at]).within(Duration::from_millis(100));
    let found = with_server(&[forge], |at| resolver(at).txt(b"a.b"));
    assert_eq!(found, Err(Error::Soft(Errno::ETIMEDOUT)));
}

#[test]
fn a_budget_covers_all_questions() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = Resolver::new(vec![silent.local_addr().unwrap(); 2]);
    let resolver = resolver.within(Duration::from_millis(50));
    let before = std::time::Instant::now();
    let found = resolver.addresses_of(&[b"a.b", b"c.d"]);
    assert_eq!(found, vec![Err(Error::Soft(Errno::ETIMEDOUT)); 2]);
    // Without it they would take twice eleven seconds and more.
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_server_without_edns_is_asked_without() {
    let found = with_server(&[only_plain, only_plain], |at| Resolver::new(vec![at]).txt(b"a.b"));
    assert_eq!(found, Ok(vec![b"text".to_vec()]));
}

#[test]
fn a_truncated_answer_is_fetched_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let datagrams = UdpSocket::bind(at).unwrap();
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut query = [0; 512];
            let (length, from) = datagrams.recv_from(&mut query).unwrap();
            datagrams.send_to(&truncated(&query[..length]), from).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let answer = one(&query);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream.write_all(&length[..1]).unwrap();
            stream.write_all(&length[1..]).unwrap();
            let (first, second) = answer.split_at(7);
            stream.write_all(first).unwrap();
            stream.write_all(second).unwrap();
        });
        Resolver::new(vec![at]).txt(b"a.b")
    });
    assert_eq!(found, Ok(vec![b"text".to_vec()]));
}

#[test]
fn ids_are_not_guessable_from_earlier_ones() {
    let echo: Step = |query| {
        let mut bytes = reply(query, [0x81, 0x80], 1);
        bytes.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 3, 2, query[0], query[1]]);
        bytes
    };
    let ids = with_server(&[echo; 4], |at| {
        let resolver = Resolver::new(vec![at]);
        [(); 4].map(|()| resolver.txt(b"a.b").unwrap())
    });
    assert!(ids.iter().any(|id| *id != ids[0]));
}

#[test]
fn exchangers_are_sorted_and_a_null_one_is_seen() {
    let exchangers: Step = |query| {
        let mut bytes = reply(query, [0x81, 0x80], 2);
        bytes.extend([0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 20, 0xc0, 12]);
        bytes.extend([0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 10, 0xc0, 14]);
        bytes
    };
    let null: Step = |query| {
        let mut bytes = reply(query, [0x81, 0x80], 1);
        bytes.extend([0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 3, 0, 0, 0]);
        bytes
    };
    let found = with_server(&[exchangers], |at| Resolver::new(vec![at]).mx(b"a.b")).unwrap();
    let shown: Vec<_> = found.iter().map(|one| (one.preference, one.host.as_slice())).collect();
    assert_eq!(shown, [(10, &b"b"[..]), (20, b"a.b")]);
    assert!(!is_null_mx(&found));
    let found = with_server(&[null], |at| Resolver::new(vec![at]).mx(b"a.b")).unwrap();
    assert!(is_null_mx(&found));
}

#[test]
fn an_alias_alone_is_asked_for_again() {
    let alias: Step = |query| {
        let mut bytes = reply(query, [0x81, 0x80], 1);
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 14]);
        bytes
    };
    let found = with_server(&[alias, one], |at| Resolver::new(vec![at]).txt(b"a.b"));
    assert_eq!(found, Ok(vec![b"text".to_vec()]));
}
