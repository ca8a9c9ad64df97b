//! Name servers that say much, nothing or lies, and exchangers that are aliases.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use harness::{Answer, Dns, Record, Side};

use crate::hosts::{address, exchangers};
use crate::peer::Peer;
use crate::{MESSAGE, well};

const ONE: [&str; 3] = ["a@b.test", "c@d.test", "e@d.test"];
const TAKEN: &str = "r\0r\0K127.0.0.81 accepted message.\nRemote host said: 250 taken\n\0";
const SOFT: &str = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n\0";

/// Sends a message to `host` while there is an SMTP server at 127.0.0.81; by the name servers at `places`.
fn send(host: &str, places: &[&str]) -> String {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let peer = Peer::start("127.0.0.81:0", &[&well(&[])]);
    side.control("smtproutes", &format!("::{}\n", peer.port()));
    let words = [&["qmail-remote", host], &ONE[..]].concat();
    let run = side.command(words).env("DNSCACHEIP", places.join(" ")).stdin_file(MESSAGE).run();
    drop(peer.heard());
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn exchangers_may_be_aliases() {
    let dns = Dns::start(|name, kind| match (name, kind) {
        ("h.test", "MX") => exchangers(&[(10, "alias.test")]),
        ("alias.test" | "next.test", _) => Answer::Records(vec![Record::Alias(
            if name == "alias.test" { "next.test" } else { "host.test" }.into(),
        )]),
        ("host.test", "A") => address("127.0.0.81"),
        _ => Answer::NoData,
    });
    assert_eq!(send("h.test", &[&dns.place()]), TAKEN);
}

#[test]
fn a_domain_may_be_an_alias() {
    let dns = Dns::start(|name, kind| match (name, kind) {
        ("h.test", _) => Answer::Records(vec![Record::Alias("real.test".into())]),
        ("real.test", "MX") => exchangers(&[(10, "host.test")]),
        ("host.test", "A") => address("127.0.0.81"),
        _ => Answer::NoData,
    });
    assert_eq!(send("h.test", &[&dns.place()]), TAKEN);
}

#[test]
fn aliases_in_a_circle_are_no_host() {
    let dns = Dns::start(|name, _| match name {
        "h.test" => Answer::Records(vec![Record::Alias("g.test".into())]),
        "g.test" => Answer::Records(vec![Record::Alias("h.test".into())]),
        _ => Answer::NoData,
    });
    let report = send("h.test", &[&dns.place()]);
    assert!(report.starts_with("DSorry, I couldn't find") || report == SOFT, "{report}");
}

/// Beyond 512 bytes, and beyond what fits a datagram.
#[test]
fn an_answer_may_be_long() {
    let dns = Dns::start(|name, kind| match (name, kind) {
        ("h.test", "MX") => {
            let name = |number: u16| format!("{}{number}.test", "x".repeat(50));
            let mut records: Vec<Record> =
                (0..90).map(|number| Record::Exchanger(number + 20, name(number))).collect();
            records.push(Record::Exchanger(10, "host.test".into()));
            Answer::Truncated(records)
        }
        ("host.test", "A") => {
            let mut records = vec![Record::Address([127, 0, 0, 81].into())];
            records.resize(200, Record::Address([127, 0, 0, 81].into()));
            Answer::Truncated(records)
        }
        _ => Answer::NoName,
    });
    assert_eq!(send("h.test", &[&dns.place()]), TAKEN);
}

#[test]
fn a_silent_name_server_is_followed_by_the_next() {
    let silent = Dns::start(|_, _| Answer::Silence);
    let dns = Dns::start(good);
    assert_eq!(send("h.test", &[&silent.place(), &dns.place()]), TAKEN);
    assert!(!silent.asked().is_empty());
}

fn good(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("h.test", "A") => address("127.0.0.81"),
        _ => Answer::NoData,
    }
}

/// A name server that sends these datagrams in reply to each query.
struct Liar {
    place: String,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    asked: Arc<Mutex<usize>>,
}

impl Liar {
    fn start(lie: fn(&[u8]) -> Vec<Vec<u8>>) -> Liar {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let place = socket.local_addr().unwrap().to_string();
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                *count.lock().unwrap() += 1;
                for lie in lie(&query[..length]) {
                    let _ = socket.send_to(&lie, from); // who asked may be gone
                }
            }
        });
        Liar { place, is_over, thread: Some(thread), asked }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let wake = UdpSocket::bind("127.0.0.1:0").unwrap();
        wake.send_to(&[], &self.place).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The query as a reply: nothing but its question, with one record behind it.
fn answered(query: &[u8], record: &[u8]) -> Vec<u8> {
    let name = query[12..].iter().position(|&byte| byte == 0).unwrap();
    let mut reply = query[..12 + name + 5].to_vec();
    reply[2..4].copy_from_slice(&[0x85, 0x80]);
    reply[6..12].copy_from_slice(&[0, u8::from(!record.is_empty()), 0, 0, 0, 0]);
    reply.extend_from_slice(record);
    reply
}

/// The address 127.0.0.66, where nobody is, for the name in the question.
const WRONG: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 66];

/// Whatever it says, the truth of the next server counts.
fn is_not_believed(lie: fn(&[u8]) -> Vec<Vec<u8>>) {
    let liar = Liar::start(lie);
    let dns = Dns::start(good);
    assert_eq!(send("h.test", &[&liar.place, &dns.place()]), TAKEN);
    assert!(*liar.asked.lock().unwrap() > 0);
}

#[test]
fn a_reply_with_another_id_is_not_believed() {
    is_not_believed(|query| {
        let mut reply = answered(query, &WRONG);
        reply[1] ^= 1;
        vec![reply]
    });
}

#[test]
fn a_reply_to_another_question_is_not_believed() {
    is_not_believed(|query| {
        let mut reply = answered(query, &WRONG);
        reply[13] ^= 1; // the first letter of the name
        vec![reply]
    });
}

#[test]
fn what_is_no_reply_is_not_believed() {
    is_not_believed(|query| vec![query.to_vec()]);
    is_not_believed(|query| vec![Vec::new(), query[..2].to_vec(), vec![0xff; 700]]);
}

#[test]
fn a_name_without_end_is_not_believed() {
    // A name that begins with itself.
    is_not_believed(|query| {
        let mut reply = answered(query, &WRONG);
        let at = u8::try_from(reply.len() - WRONG.len()).unwrap();
        let record = usize::from(at);
        reply[record + 1] = at;
        vec![reply]
    });
    // More records than there are.
    is_not_believed(|query| {
        let mut reply = answered(query, &WRONG);
        reply[6] = 0xff;
        vec![reply]
    });
    // A record longer than the message.
    is_not_believed(|query| {
        let mut reply = answered(query, &WRONG);
        let at = reply.len() - 5;
        reply[at] = 200;
        vec![reply]
    });
}

/// Records of other names are nobody's business here.
#[test]
fn an_answer_about_another_name_is_none() {
    let liar = Liar::start(|query| {
        let other = [&b"\x05other\x04test\0"[..], &WRONG[2..]].concat();
        vec![answered(query, &other)]
    });
    let report = send("h.test", &[&liar.place]);
    assert!(report.starts_with("DSorry, I couldn't find") || report == SOFT, "{report}");
}
