//! Servers that lie, loop, tear off, or say nothing.

use std::net::TcpStream;

use super::*;

/// A server by datagrams and by streams at one port. The first query is truncated; `talk` is what
/// happens in the connection that is made for the answer, if one is accepted at all.
struct Truncating {
    datagrams: UdpSocket,
    listener: Option<TcpListener>,
}

impl Truncating {
    fn start() -> Truncating {
        let pair = (0..64).find_map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let datagrams = UdpSocket::bind(listener.local_addr().unwrap()).ok()?;
            Some(Truncating { datagrams, listener: Some(listener) })
        });
        pair.expect("a port that is free for both")
    }

    /// One that takes no streams.
    fn deaf() -> Truncating {
        Truncating { listener: None, ..Truncating::start() }
    }

    fn at(&self) -> SocketAddr {
        self.datagrams.local_addr().unwrap()
    }

    /// Answers one datagram with nothing but that there is more.
    fn truncate(&self) {
        let mut query = [0; 512];
        let (length, from) = self.datagrams.recv_from(&mut query).unwrap();
        self.datagrams.send_to(&truncated(&query[..length]), from).unwrap();
    }

    /// A connection, and the query that has come by it.
    fn accept(&self) -> (TcpStream, Vec<u8>) {
        let (mut stream, _) = self.listener.as_ref().unwrap().accept().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        (stream, query)
    }
}

/// An answer with its length in front.
fn framed(answer: &[u8]) -> Vec<u8> {
    [&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], answer].concat()
}

type Found = Result<Vec<Vec<u8>>, Error>;

/// What is found when the first server, as `start` makes it, truncates and does `talk` by TCP, and the
/// second, which is asked by TCP only, answers; and then without the second.
fn after(start: fn() -> Truncating, talk: impl Fn(&Truncating) + Sync) -> [Found; 2] {
    [true, false].map(|has_second| {
        let (first, second) = (start(), Truncating::start());
        let mut servers = vec![first.at()];
        servers.extend(has_second.then(|| second.at()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                first.truncate();
                talk(&first);
            });
            if has_second {
                scope.spawn(|| {
                    let (mut stream, query) = second.accept();
                    stream.write_all(&framed(&one(&query))).unwrap();
                });
            }
            Resolver::new(servers).txt(b"a.b")
        })
    })
}

/// What the servers answer who do.
fn text() -> Vec<Vec<u8>> {
    vec![b"text".to_vec()]
}

#[test]
fn a_reply_from_another_address_or_port_is_not_heard() {
    let pair = (0..64).find_map(|_| {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let elsewhere = UdpSocket::bind(("127.0.0.2", server.local_addr().unwrap().port()));
        Some((server, elsewhere.ok()?))
    });
    let (server, elsewhere) = pair.expect("a port that is free at both addresses");
    let at = server.local_addr().unwrap();
    let other_port = UdpSocket::bind("127.0.0.1:0").unwrap();
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut query = [0; 512];
            let (length, from) = server.recv_from(&mut query).unwrap();
            let query = &query[..length];
            // Right in everything, and earlier than the server's.
            for forger in [&elsewhere, &other_port] {
                forger.send_to(&no_name(query), from).unwrap();
            }
            server.send_to(&one(query), from).unwrap();
        });
        Resolver::new(vec![at]).txt(b"a.b")
    });
    assert_eq!(found, Ok(text()));
}

/// A reply that `a.x` is an alias of `b.x`, `b.x` of `c.x`, and so on to `last`, which has records.
fn chain(query: &[u8], last: u8) -> Vec<u8> {
    let letter = query[13];
    if letter == last {
        return one(query);
    }
    let mut bytes = reply(query, [0x81, 0x80], 1);
    bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, letter + 1, 0xc0, 14]);
    bytes
}

#[test]
fn eight_aliases_are_followed_over_as_many_replies() {
    let eight: Step = |query| chain(query, b'i');
    let found = with_server(&[eight; 9], |at| Resolver::new(vec![at]).txt(b"a.x"));
    assert_eq!(found, Ok(text()));
}

#[test]
fn a_ninth_alias_is_one_too_many() {
    let nine: Step = |query| chain(query, b'j');
    let found = with_server(&[nine; 9], |at| Resolver::new(vec![at]).txt(b"a.x"));
    assert_eq!(found, Err(Error::Soft(Errno::ELOOP)));
}

#[test]
fn aliases_that_go_round_over_several_replies_end() {
    let round: Step = |query| {
        let mut bytes = reply(query, [0x81, 0x80], 1);
        let other = if query[13] == b'a' { b'b' } else { b'a' };
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, other, 0xc0, 14]);
        bytes
    };
    let found = with_server(&[round; 9], |at| Resolver::new(vec![at]).txt(b"a.x"));
    assert_eq!(found, Err(Error::Soft(Errno::ELOOP)));
}

#[test]
fn a_stream_that_is_refused_is_followed_by_the_next_server() {
    let found = after(Truncating::deaf, |_| ());
    assert_eq!(found, [Ok(text()), Err(Error::Soft(Errno::ECONNREFUSED))]);
}

#[test]
fn a_stream_that_ends_too_early_is_followed_by_the_next_server() {
    for length in [0, 1, 2, 20] {
        let talk = move |server: &Truncating| {
            let (mut stream, query) = server.accept();
            stream.write_all(&framed(&one(&query))[..length]).unwrap();
        };
        assert_eq!(
            after(Truncating::start, talk),
            [Ok(text()), Err(Error::Soft(Errno::EPROTO))],
            "{length}"
        );
    }
}

#[test]
fn a_stream_that_answers_something_else_is_followed_by_the_next_server() {
    let talk = |server: &Truncating| {
        let (mut stream, query) = server.accept();
        let mut answer = no_name(&query);
        answer[0] ^= 1;
        stream.write_all(&framed(&answer)).unwrap();
    };
    assert_eq!(after(Truncating::start, talk), [Ok(text()), Err(Error::Soft(Errno::EPROTO))]);
    let truncating_again = |server: &Truncating| {
        let (mut stream, query) = server.accept();
        stream.write_all(&framed(&truncated(&query))).unwrap();
    };
    assert_eq!(after(Truncating::start, truncating_again)[0], Ok(text()));
}

#[test]
fn a_stream_that_stalls_has_ten_seconds() {
    // Both wait at the same time, and so do the other tests.
    let silent = |server: &Truncating| {
        let (mut stream, _) = server.accept();
        let _ = stream.read(&mut [0]); // until the client has had enough
    };
    let byte_by_byte = |server: &Truncating| {
        let (mut stream, query) = server.accept();
        stream.write_all(&framed(&one(&query))[..2]).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // A byte each half second, which would go on for a minute.
        for byte in framed(&[0; 120]) {
            let is_over = matches!(stream.read(&mut [0]), Ok(0)) || stream.write(&[byte]).is_err();
            if is_over {
                return;
            }
        }
    };
    let before = std::time::Instant::now();
    let stalled = Err(Error::Soft(Errno::ETIMEDOUT));
    std::thread::scope(|scope| {
        for found in [scope.spawn(|| stalls(silent)), scope.spawn(|| stalls(byte_by_byte))] {
            assert_eq!(found.join().unwrap(), stalled);
        }
    });
    let waited = before.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(30)).contains(&waited), "{waited:?}");
}

/// What is found where the only server truncates, and does `talk` by TCP.
fn stalls(talk: impl Fn(&Truncating) + Sync) -> Found {
    let server = Truncating::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.truncate();
            talk(&server);
        });
        Resolver::new(vec![server.at()]).txt(b"a.b")
    })
}
