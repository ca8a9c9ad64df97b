//! The remote user's name, if the remote host says.
//!
//! Source: RFC 1413, and the ident client of the original tcpserver.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use unix::fd::Direct;
use unix::{clock, poll, socket};
use wire::{decimal, text};

/// The port of ident servers.
pub const PORT: u16 = 113;
/// Longest name that is taken over.
const LONGEST: usize = 257;
/// Longest reply that is read: names come behind a few short fields.
const REPLY: usize = 1024;

/// A question on its way.
#[derive(Debug)]
pub struct Query {
    socket: OwnedFd,
    request: Vec<u8>,
    deadline: Instant,
}

impl Query {
    /// Begins to ask the host of `remote`, at its `port`, whose connection that from `remote` to
    /// `local` is. All of it may take `limit`.
    ///
    /// `None` if it cannot be asked.
    #[must_use]
    pub fn begin(
        local: SocketAddr,
        remote: SocketAddr,
        port: u16,
        limit: Duration,
    ) -> Option<Query> {
        let deadline = clock::monotonic() + limit;
        let (mut server, mut from) = (remote, local);
        server.set_port(port);
        from.set_port(0);
        let socket = socket::begin_connect(server, Some(from)).ok()?;
        let mut request = Vec::with_capacity(16);
        decimal::push(&mut request, remote.port().into());
        request.extend_from_slice(b" , ");
        decimal::push(&mut request, local.port().into());
        request.extend_from_slice(b"\r\n");
        Some(Query { socket, request, deadline })
    }

    /// Waits for the answer. `None` if there is none, or none that names a user.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        let mut rest = self.request.as_slice();
        while !rest.is_empty() {
            self.wait(true)?;
            socket::error(&self.socket).ok()?;
            let sent = Direct(&self.socket).write(rest).ok()?;
            rest = rest.get(sent..)?;
        }
        let mut reply = Vec::new();
        loop {
            self.wait(false)?;
            let mut buffer = [0; 256];
            let count = Direct(&self.socket).read(&mut buffer).ok()?;
            reply.extend_from_slice(buffer.get(..count)?);
            if reply.contains(&b'\n') || reply.len() >= REPLY {
                return user(&reply);
            }
            if count == 0 {
                return None;
            }
        }
    }

    fn wait(&self, write: bool) -> Option<()> {
        poll::until(&self.socket, write, Some(self.deadline)).ok()?.then_some(())
    }
}

/// The user that a reply names: `PORT , PORT : USERID : SYSTEM : NAME`.
///
/// `None` for a reply that is not of this kind. The name ends at the line's end or a zero byte, is
/// free of blanks and control characters, and has at most 257 bytes; it may be empty.
#[must_use]
pub fn user(reply: &[u8]) -> Option<Vec<u8>> {
    let line = text::lines(reply).next()?;
    let mut fields = line.splitn(4, |&byte| byte == b':');
    let (_ports, kind, _system) = (fields.next()?, fields.next()?, fields.next()?);
    if !text::trim(kind).eq_ignore_ascii_case(b"USERID") {
        return None;
    }
    let name = fields.next()?.iter().copied().take_while(|&byte| byte != 0);
    Some(name.filter(|&byte| byte > b' ' && byte != 0x7f).take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(5);

    fn addresses() -> (SocketAddr, SocketAddr) {
        ("127.0.0.1:25".parse().unwrap(), "127.0.0.1:40000".parse().unwrap())
    }

    /// What is found out from a server that sends `reply`, and what that was asked.
    fn asked(reply: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let (local, remote) = addresses();
        std::thread::scope(|scope| {
            let serve = scope.spawn(|| {
                let (mut client, _) = server.accept().unwrap();
                let mut request = [0; 64];
                let count = client.read(&mut request).unwrap();
                // The client need not read it all.
                let _ = client.write_all(reply);
                request[..count].to_vec()
            });
            let found = Query::begin(local, remote, port, LIMIT).unwrap().finish();
            (found, serve.join().unwrap())
        })
    }

    #[test]
    fn the_peer_s_port_is_asked_for_first() {
        let (found, request) = asked(b"40000 , 25 : USERID : UNIX : joe\r\n");
        assert_eq!(request, b"40000 , 25\r\n");
        assert_eq!(found.unwrap(), b"joe");
    }

    #[test]
    fn a_reply_without_an_end_or_without_one_in_time_is_none() {
        assert_eq!(asked(b"40000 , 25 : USERID : UNIX : joe").0, None);
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let (local, remote) = addresses();
        let port = server.local_addr().unwrap().port();
        let query = Query::begin(local, remote, port, Duration::from_millis(20)).unwrap();
        assert_eq!(query.finish(), None);
    }

    #[test]
    fn nobody_listening_is_none() {
        // An address that no other test uses, and so none gets that port.
        let server = TcpListener::bind("127.9.8.7:0").unwrap();
        let port = server.local_addr().unwrap().port();
        drop(server);
        let (local, mut remote) = addresses();
        remote.set_ip([127, 9, 8, 7].into());
        assert_eq!(Query::begin(local, remote, port, LIMIT).and_then(Query::finish), None);
    }

    #[test]
    fn megabytes_are_not_read() {
        assert_eq!(asked(&vec![b'x'; 1 << 20]).0, None);
        let long = [&b"1,2:USERID:UNIX:"[..], &vec![b'x'; 1 << 20]].concat();
        assert_eq!(asked(&long).0.unwrap(), [b'x'; 257]);
    }

    #[test]
    fn only_a_name_counts() {
        assert_eq!(user(b"1,2:USERID:UNIX:a b\tc\r\n").unwrap(), b"abc");
        assert_eq!(user(b"1 , 2 : userid : OTHER,UTF-8 : a:b\x07\0c\n").unwrap(), b"a:b");
        assert_eq!(user(b"1,2:USERID:UNIX:\n").unwrap(), b"");
        assert_eq!(user(b"1,2:ERROR:NO-USER\n"), None);
        assert_eq!(user(b"1,2:ERROR:NO-USER:x:y\n"), None);
        assert_eq!(user(b"1,2:USERID:UNIX\n"), None);
        assert_eq!(user(b"\n1,2:USERID:UNIX:joe\n"), None);
    }

    proptest! {
        #[test]
        fn any_reply_is_safe(reply: Vec<u8>) {
            if let Some(name) = user(&reply) {
                prop_assert!(name.len() <= LONGEST);
            }
        }
    }
}
