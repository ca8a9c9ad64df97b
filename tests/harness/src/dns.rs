//! A DNS server that says what a test wants to hear.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use crate::wait::DEADLINE;

/// What is answered to one question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Another response code: 2 is SERVFAIL, 5 REFUSED.
    Code(u8),
    /// The name exists, without such records.
    NoData,
    /// The name does not exist.
    NoName,
    /// These records.
    Records(Vec<Record>),
    /// Nothing at all.
    Silence,
    /// These records, but only over TCP.
    Truncated(Vec<Record>),
}

/// The data of a record of the name that was asked for.
#[derive(Clone, Debug)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME.
    Alias(String),
    /// MX.
    Exchanger(u16, String),
    /// PTR.
    Pointer(String),
    /// TXT, of one string.
    Text(Vec<u8>),
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name, in lower case, without a dot at the end.
    pub name: String,
    /// The type: `A`, `AAAA`, `CNAME`, `MX`, `PTR`, `TXT`, or a number.
    pub kind: String,
    /// The id of the query.
    pub id: u16,
    /// The port it came from.
    pub port: u16,
}

/// Answers that wait for one another: to show that several names are asked for at the same time.
#[derive(Debug)]
pub struct Together {
    count: usize,
    names: Mutex<BTreeSet<String>>,
    more: Condvar,
}

impl Together {
    /// Waits for so many names.
    #[must_use]
    pub fn new(count: usize) -> Together {
        Together { count, names: Mutex::default(), more: Condvar::new() }
    }

    /// The `answer` to a question for `name`, once all names have been asked for; that there is no such name
    /// if they are not for a minute.
    pub fn answer(&self, name: &str, answer: Answer) -> Answer {
        let mut names = self.names.lock().expect("no panic");
        names.insert(name.to_owned());
        self.more.notify_all();
        let limit = DEADLINE;
        let is_short = |names: &mut BTreeSet<String>| names.len() < self.count;
        let waited = self.more.wait_timeout_while(names, limit, is_short);
        if waited.is_ok_and(|(_, waited)| !waited.timed_out()) { answer } else { Answer::NoName }
    }
}

type Oracle = dyn Fn(&str, &str) -> Answer + Send + Sync;

/// A running server; it ends when dropped.
pub struct Dns {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Dns {
    /// A server at a free port of 127.0.0.1 that answers by `answer`, which gets name and type. Its
    /// place is what `$DNSCACHEIP` takes, [`Dns::place`]; the originals take no port.
    #[must_use]
    pub fn start(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Dns {
        let found = (0..64).find_map(|_| Dns::bind(([127, 0, 0, 1], crate::free_port()).into()));
        Dns::run(found.expect("a free port"), Arc::new(answer))
    }

    /// A server at port 53 of any address of the loopback: for who is root, else `None`.
    #[must_use]
    pub fn start_at(
        address: &str,
        answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
    ) -> Option<Dns> {
        let address: IpAddr = address.parse().expect("an address");
        Some(Dns::run(Dns::bind((address, 53).into())?, Arc::new(answer)))
    }

    fn bind(at: SocketAddr) -> Option<(UdpSocket, TcpListener)> {
        Some((UdpSocket::bind(at).ok()?, TcpListener::bind(at).ok()?))
    }

    fn run((socket, listener): (UdpSocket, TcpListener), oracle: Arc<Oracle>) -> Dns {
        let address = socket.local_addr().expect("a bound socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (by_udp, by_tcp) = (Arc::clone(&oracle), oracle);
        let (udp_asked, tcp_asked) = (Arc::clone(&asked), Arc::clone(&asked));
        let (udp_over, tcp_over) = (Arc::clone(&is_over), Arc::clone(&is_over));
        let threads = vec![
            std::thread::spawn(move || datagrams(&socket, &*by_udp, &udp_asked, &udp_over)),
            std::thread::spawn(move || streams(&listener, &*by_tcp, &tcp_asked, &tcp_over)),
        ];
        Dns { address, asked, is_over, threads }
    }

    /// What `$DNSCACHEIP` has to be.
    #[must_use]
    pub fn place(&self) -> String {
        match self.address.port() {
            53 => self.address.ip().to_string(),
            _ => self.address.to_string(),
        }
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Whatever comes wakes them.
        if let Ok(socket) = UdpSocket::bind((self.address.ip(), 0)) {
            let _ = socket.send_to(&[], self.address);
        }
        let _ = TcpStream::connect(self.address);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn datagrams(socket: &UdpSocket, oracle: &Oracle, asked: &Mutex<Vec<Asked>>, over: &AtomicBool) {
    let mut buffer = [0; 512];
    // An answer may wait for another question.
    std::thread::scope(|scope| {
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if over.load(Ordering::SeqCst) {
                return;
            }
            let query = buffer[..length].to_vec();
            let Some(question) = noted(&query, asked, from.port()) else { continue };
            scope.spawn(move || {
                if let Some(reply) = reply(&query, &question, oracle, false) {
                    let _ = socket.send_to(&reply, from); // the client may be gone
                }
            });
        }
    });
}

fn streams(listener: &TcpListener, oracle: &Oracle, asked: &Mutex<Vec<Asked>>, over: &AtomicBool) {
    while let Ok((mut stream, from)) = listener.accept() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let _ = stream.set_read_timeout(Some(DEADLINE));
        let mut length = [0; 2];
        if stream.read_exact(&mut length).is_err() {
            continue;
        }
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut query).is_err() {
            continue;
        }
        let Some(question) = noted(&query, asked, from.port()) else { continue };
        if let Some(reply) = reply(&query, &question, oracle, true) {
            let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
            let _ = stream.write_all(&length.to_be_bytes()); // the client may be gone
            let _ = stream.write_all(&reply);
        }
    }
}

const KINDS: [(u16, &str); 6] =
    [(1, "A"), (5, "CNAME"), (12, "PTR"), (15, "MX"), (16, "TXT"), (28, "AAAA")];

/// The question of a query, which is added to those that were asked.
fn noted(query: &[u8], asked: &Mutex<Vec<Asked>>, port: u16) -> Option<Asked> {
    let (name, end) = name_at(query, 12)?;
    let number = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
    let known = KINDS.iter().find(|(known, _)| *known == number);
    let kind = known.map_or_else(|| number.to_string(), |(_, kind)| (*kind).to_owned());
    let question = Asked { name, kind, id: u16::from_be_bytes([query[0], query[1]]), port };
    if let Ok(mut asked) = asked.lock() {
        asked.push(question.clone());
    }
    Some(question)
}

fn reply(query: &[u8], question: &Asked, oracle: &Oracle, by_tcp: bool) -> Option<Vec<u8>> {
    let (_, end) = name_at(query, 12)?;
    let answer = oracle(&question.name, &question.kind);
    let (code, records, truncated) = match answer {
        Answer::Silence => return None,
        Answer::Code(code) => (code, Vec::new(), false),
        Answer::NoData => (0, Vec::new(), false),
        Answer::NoName => (3, Vec::new(), false),
        Answer::Records(records) => (0, records, false),
        Answer::Truncated(records) if by_tcp => (0, records, false),
        Answer::Truncated(_) => (0, Vec::new(), true),
    };
    let mut out = query[..end + 4].to_vec();
    out[2] = 0x85 | if truncated { 2 } else { 0 };
    out[3] = 0x80 | code;
    let count = u8::try_from(records.len()).unwrap_or(u8::MAX);
    out[4..12].copy_from_slice(&[0, 1, 0, count, 0, 0, 0, 0]);
    for record in records {
        push(&mut out, &record);
    }
    Some(out)
}

/// The name at `at`, in lower case, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = message.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
}

fn push(out: &mut Vec<u8>, record: &Record) {
    let (kind, data): (u16, Vec<u8>) = match record {
        Record::Address(IpAddr::V4(four)) => (1, four.octets().to_vec()),
        Record::Address(IpAddr::V6(six)) => (28, six.octets().to_vec()),
        Record::Alias(name) => (5, wire(name)),
        Record::Exchanger(preference, name) => {
            (15, [&preference.to_be_bytes()[..], &wire(name)].concat())
        }
        Record::Pointer(name) => (12, wire(name)),
        Record::Text(text) => {
            let pieces = text.chunks(255);
            let string = |piece: &[u8]| {
                [&[u8::try_from(piece.len()).unwrap_or(u8::MAX)][..], piece].concat()
            };
            (16, if text.is_empty() { vec![0] } else { pieces.flat_map(string).collect() })
        }
    };
    out.extend([0xc0, 12]);
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 60]);
    out.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(data);
}

fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        out.extend(label.bytes());
    }
    out.push(0);
    out
}
