//! Hosts that stop: between replies, within one, and while the message comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use harness::Side;

use crate::peer::{CLOSE, SILENCE};
use crate::{MESSAGE, PAIR, send, well};

const STEPS: usize = 7;

/// What is reported of a host that is lost at a step: the recipients that it had taken, and how far it was.
fn lost(step: usize) -> String {
    let taken = "r\0".repeat(step.saturating_sub(3).min(2));
    let duplicate = if step == 6 { " Possible duplicate!" } else { "" };
    format!("{taken}ZConnected to 127.0.0.1 but connection died.{duplicate} (#4.4.2)\n\0")
}

/// Seconds that a host may be silent. The hosts of the test are slow where the machine is.
const TIMEOUT: &str = "6\n";

/// Sends a message to a host that ends at each step in this way; all at the same time, for they wait.
fn at_each_step(end: &[&str]) {
    std::thread::scope(|scope| {
        for step in 0..STEPS {
            scope.spawn(move || {
                let script = [&well(&[])[..step], end].concat();
                let side = Side::ours();
                side.control("timeoutremote", TIMEOUT);
                let run = send(&side, &script, &PAIR, MESSAGE.as_bytes());
                assert_eq!(
                    (run.exit, String::from_utf8_lossy(&run.stdout).as_ref()),
                    (0, &*lost(step))
                );
            });
        }
    });
}

#[test]
fn a_host_may_be_silent_at_any_step() {
    at_each_step(&[SILENCE]);
}

#[test]
fn a_host_may_be_silent_within_any_reply() {
    at_each_step(&["250-half a reply\r\n250", SILENCE]);
}

#[test]
fn a_host_may_close_within_any_reply() {
    at_each_step(&["250-half a reply\r\n25", CLOSE]);
    at_each_step(&["2", CLOSE]);
}

/// More than any buffer between two processes holds.
fn long() -> Vec<u8> {
    let mut message = b"Subject: long\n\n".to_vec();
    message.resize(16 << 20, b'x');
    message.push(b'\n');
    message
}

/// A host that goes on up to 354, and then does `this` with the connection; it is told when qmail-remote has
/// ended.
fn in_the_message(this: impl FnOnce(TcpStream, Receiver<()>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (over, ended) = channel();
    let host = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        for reply in &well(&[])[..6] {
            (&stream).write_all(reply.as_bytes()).unwrap();
            if !reply.starts_with("354") {
                lines.read_until(b'\n', &mut Vec::new()).unwrap();
            }
        }
        drop(lines);
        this(stream, ended);
    });
    let side = Side::ours();
    side.control("me", "me.test\n");
    side.control("timeoutremote", TIMEOUT);
    side.control("smtproutes", &format!("route.test:127.0.0.1:{port}\n"));
    let words = [&["qmail-remote"], &PAIR[..]].concat();
    let run = side.command(words).stdin_file(long()).run();
    drop(over);
    host.join().unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Before the end is sent, nothing can have been taken.
#[test]
fn a_host_may_go_while_the_message_comes() {
    let lost = lost(5);
    assert_eq!(in_the_message(|stream, _| drop(stream)), lost);
    let after_a_piece =
        |mut stream: TcpStream, _| stream.read_exact(&mut vec![0; 100_000]).unwrap();
    assert_eq!(in_the_message(after_a_piece), lost);
}

#[test]
fn a_host_may_stop_reading_while_the_message_comes() {
    let keep = |stream: TcpStream, ended: Receiver<()>| {
        let _ = ended.recv(); // nothing is ever sent
        drop(stream);
    };
    assert_eq!(in_the_message(keep), lost(5));
}

/// What a host says in the middle of a message is a reply to it, even if it has not all of it.
#[test]
fn a_host_may_refuse_while_the_message_comes() {
    let refuse = |mut stream: TcpStream, _: Receiver<()>| {
        stream.read_exact(&mut vec![0; 100_000]).unwrap();
        stream.write_all(b"552 too much\r\n").unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    };
    let report = in_the_message(refuse);
    let refused =
        "r\0r\0D127.0.0.1 failed after I sent the message.\nRemote host said: 552 too much\n\0";
    assert_eq!(report, refused);
}
