//! A host that says what its script says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What is said, first and then after each line or message heard (or at once, where what was said has
/// no line end). `CLOSE` ends the conversation, as the end of the script does; `SILENCE` waits for
/// the client to go.
pub type Script<'a> = [&'a str];

pub const CLOSE: &str = "close";
pub const SILENCE: &str = "silence";

/// A listening host. Each connection has the next of its scripts.
pub struct Peer {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    is_over: Arc<AtomicBool>,
    at: String,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub fn start(at: &str, scripts: &[&Script<'_>]) -> Peer {
        let listener = TcpListener::bind(at).expect("a loopback address");
        let port = listener.local_addr().expect("a bound socket").port();
        let scripts: Vec<Vec<String>> = scripts
            .iter()
            .map(|script| script.iter().map(|&reply| reply.to_owned()).collect())
            .collect();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (hearing, over) = (Arc::clone(&heard), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let Ok((stream, _)) = listener.accept() else { return };
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let said = converse(&stream, &script);
                hearing.lock().expect("no panic").extend(said);
            }
        });
        let host = at.rsplit_once(':').expect("an address and a port").0;
        let at = format!("{host}:{port}");
        Peer { port, heard, is_over, at, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that was heard; no more is accepted.
    pub fn heard(mut self) -> Vec<u8> {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.at); // it may have ended already
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
        self.heard.lock().expect("no panic").clone()
    }
}

fn converse(mut stream: &TcpStream, script: &[String]) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut heard = Vec::new();
    for reply in script {
        match reply.as_str() {
            CLOSE => {
                heard.extend_from_slice(b"<closed>\n");
                return heard;
            }
            SILENCE => {
                let _ = reader.read_until(0, &mut heard); // up to the end, whatever that is
                heard.extend_from_slice(b"<gone>\n");
                return heard;
            }
            text => {
                if stream.write_all(text.as_bytes()).is_err() {
                    return heard;
                }
            }
        }
        if !reply.ends_with('\n') {
            continue;
        }
        let begins = heard.len();
        let is_message = reply.starts_with("354");
        loop {
            let line = heard.len();
            if reader.read_until(b'\n', &mut heard).unwrap_or(0) == 0 {
                heard.extend_from_slice(b"<gone>\n");
                return heard;
            }
            if !is_message || heard[line..] == *b".\r\n" {
                break;
            }
            assert!(heard.len() - begins < 1 << 24, "a message without end");
        }
    }
    heard
}
