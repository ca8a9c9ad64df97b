//! A mail server that says what a test wants it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::wait::until;

/// What is answered to one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The connection is closed.
    Close,
    /// This reply, and the connection is closed.
    Last(String),
    /// Exactly these bytes.
    Raw(Vec<u8>),
    /// This reply, to which the end of the line is added; several lines are parted by newlines.
    Say(String),
    /// Nothing; the client waits.
    Silence,
}

impl From<&str> for Turn {
    fn from(reply: &str) -> Turn {
        Turn::Say(reply.to_owned())
    }
}

impl Turn {
    /// True for a reply after which a message comes.
    fn goes_on(&self) -> bool {
        match self {
            Turn::Raw(bytes) => bytes.starts_with(b"3"),
            Turn::Say(reply) => reply.starts_with('3'),
            Turn::Close | Turn::Last(_) | Turn::Silence => false,
        }
    }
}

/// Everything that was heard in each connection.
type Heard = Arc<Mutex<Vec<String>>>;
type Script = dyn Fn(&str) -> Turn + Send + Sync;

/// A running server; it ends when dropped.
///
/// ```
/// use harness::{Peer, Turn};
///
/// let peer = Peer::start(|line| match line {
///     "QUIT" => Turn::Close,
///     line if line.starts_with("RCPT") => Turn::from("550 no such user"),
///     line => Peer::agree(line),
/// });
/// assert!(peer.port() > 0);
/// ```
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    heard: Heard,
    ended: Arc<Mutex<usize>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// A server at a free port of 127.0.0.1 that answers by `script`, which gets one line at a time:
    /// `CONNECT` for the connection itself, then what the client says. The lines of a message are only
    /// heard; the dot that ends it is answered. Connections are served at the same time.
    #[must_use]
    pub fn start(script: impl Fn(&str) -> Turn + Send + Sync + 'static) -> Peer {
        Peer::start_at("127.0.0.1", 0, script).expect("a loopback address")
    }

    /// A server at another address or port; `None` if that cannot be had.
    #[must_use]
    pub fn start_at(
        address: &str,
        port: u16,
        script: impl Fn(&str) -> Turn + Send + Sync + 'static,
    ) -> Option<Peer> {
        let address: IpAddr = address.parse().expect("an address");
        let listener = TcpListener::bind((address, port)).ok()?;
        let address = listener.local_addr().expect("a bound socket");
        let (heard, ended) = (Heard::default(), Arc::<Mutex<usize>>::default());
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let script: Arc<Script> = Arc::new(script);
        let server = Server {
            listener,
            heard: Arc::clone(&heard),
            ended: Arc::clone(&ended),
            open: Arc::clone(&open),
            is_over: Arc::clone(&is_over),
            script,
        };
        let thread = Some(std::thread::spawn(move || server.run()));
        Some(Peer { address, heard, ended, open, is_over, thread })
    }

    /// What a server says that takes everything.
    #[must_use]
    pub fn agree(line: &str) -> Turn {
        Turn::from(match line.split(' ').next() {
            Some("CONNECT") => "220 peer.example",
            Some("DATA") => "354 go ahead",
            Some("QUIT") => "221 bye",
            _ => "250 ok",
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was heard so far, a text for each connection in the order they came; lines end as the client
    /// ended them.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().map(|heard| heard.clone()).unwrap_or_default()
    }

    /// Waits until `count` connections have ended; gives what was heard in each connection.
    #[must_use]
    pub fn hears(&self, count: usize) -> Vec<String> {
        let ended = || self.ended.lock().map(|ended| *ended).unwrap_or_default();
        assert!(
            until(|| ended() >= count),
            "{} of {count} connections: {:?}",
            ended(),
            self.heard()
        );
        self.heard()
    }
}

impl Peer {
    /// Waits until every connection that has come, and there must be one, has ended; gives what was heard in
    /// each.
    #[must_use]
    pub fn rests(&self) -> Vec<String> {
        let is_quiet = || {
            let ended = self.ended.lock().map(|ended| *ended).unwrap_or_default();
            ended > 0 && ended == self.heard().len()
        };
        assert!(until(is_quiet), "connections go on: {:?}", self.heard());
        self.heard()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes it
        if let Ok(open) = self.open.lock() {
            for stream in open.iter() {
                let _ = stream.shutdown(Shutdown::Both); // it may be closed
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // whether it panicked does not matter any more
        }
    }
}

struct Server {
    listener: TcpListener,
    heard: Heard,
    ended: Arc<Mutex<usize>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
    script: Arc<Script>,
}

impl Server {
    fn run(self) {
        let server = Arc::new(self);
        let mut sessions = Vec::new();
        while let Ok((stream, _)) = server.listener.accept() {
            if server.is_over.load(Ordering::SeqCst) {
                break;
            }
            let (Ok(copy), Ok(mut open)) = (stream.try_clone(), server.open.lock()) else { break };
            open.push(copy);
            let server = Arc::clone(&server);
            let number = server.heard.lock().map_or(0, |mut heard| {
                heard.push(String::new());
                heard.len() - 1
            });
            sessions.push(std::thread::spawn(move || {
                server.converse(&stream, number);
                let _ = stream.shutdown(Shutdown::Both); // the copy would keep it open
                if let Ok(mut ended) = server.ended.lock() {
                    *ended += 1;
                }
            }));
        }
        for session in sessions {
            let _ = session.join(); // as for the server
        }
    }

    fn note(&self, number: usize, line: &str) {
        let mut heard = self.heard.lock();
        if let Some(text) = heard.as_mut().ok().and_then(|heard| heard.get_mut(number)) {
            text.push_str(line);
        }
    }

    fn converse(&self, mut stream: &TcpStream, number: usize) {
        let mut turn = (self.script)("CONNECT");
        let mut lines = BufReader::new(stream);
        let mut in_message = false;
        loop {
            let (bytes, is_last) = match turn {
                Turn::Close => return,
                Turn::Last(reply) => (said(&reply), true),
                Turn::Raw(bytes) => (bytes, false),
                Turn::Say(reply) => (said(&reply), false),
                Turn::Silence => (Vec::new(), false),
            };
            if stream.write_all(&bytes).is_err() || is_last {
                return;
            }
            loop {
                let mut line = Vec::new();
                if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                    return;
                }
                let line = String::from_utf8_lossy(&line);
                self.note(number, &line);
                let line = line.trim_end_matches(['\r', '\n']);
                if !in_message || line == "." {
                    turn = (self.script)(line);
                    in_message = !in_message && line.eq_ignore_ascii_case("DATA") && turn.goes_on();
                    break;
                }
            }
        }
    }
}

fn said(reply: &str) -> Vec<u8> {
    format!("{}\r\n", reply.replace('\n', "\r\n")).into_bytes()
}
