//! Names and users, which others are asked for.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use harness::{Answer, Dns, Record, Run, Side, Together, case};

use super::{Server, is_root, named};

const SHOW: [&str; 3] =
    ["sh", "-c", "env | grep -E '^TCP(LOCALHOST|REMOTEHOST|REMOTEINFO)=' | sort"];

fn world(name: &str, kind: &str) -> Answer {
    let pointer = |name: &str| Answer::Records(vec![Record::Pointer(name.into())]);
    match (name, kind) {
        ("1.0.0.127.in-addr.arpa", "PTR") => pointer("Local.Example"),
        ("2.0.9.127.in-addr.arpa", "PTR") => pointer("Peer.Example"),
        ("3.0.9.127.in-addr.arpa", "PTR") => pointer("a b%.\u{7}x"),
        ("4.0.9.127.in-addr.arpa", "PTR") => Answer::NoData,
        _ => Answer::NoName,
    }
}

/// What the program is told of a connection from 127.0.0.1 to `to`.
fn told(side: &Side, options: &[&str], to: &str, dns: &str) -> Run {
    let server = Server::start(to);
    let port = server.port.to_string();
    let words = [&["tcpclient"], options, &["-i127.0.0.1", to, &port], &SHOW].concat();
    let run = side.command(words).env("DNSCACHEIP", dns);
    named(run.env("TCPREMOTEHOST", "leak").env("TCPREMOTEINFO", "leak").run(), server.port)
}

#[test]
fn names_are_looked_up() {
    if !is_root() {
        return;
    }
    let Some(dns) = Dns::start_at("127.53.3.1", world) else { return };
    for to in ["127.9.0.2", "127.9.0.3"] {
        for options in [&["-R"][..], &["-RH"], &["-Rl0"], &["-RHh", "-l", "a b"]] {
            case(|side| told(side, options, to, &dns.place())).same();
        }
    }
    // An address that has no name has an empty one with the original.
    for to in ["127.9.0.4", "127.9.0.5"] {
        let _ = case(|side| told(side, &["-Rl0"], to, &dns.place()))
            .differing_stdout("TCPLOCALHOST=0\n", "TCPLOCALHOST=0\nTCPREMOTEHOST=\n");
        case(|side| told(side, &["-RHl0"], to, &dns.place())).same();
    }
}

#[test]
fn names_come_from_a_server_at_any_port() {
    // Both are asked for at once.
    let together = Together::new(2);
    let dns = Dns::start(move |name, kind| together.answer(name, world(name, kind)));
    let run = told(&Side::ours(), &["-R"], "127.9.0.2", &dns.place());
    let expected = "TCPLOCALHOST=local.example\nTCPREMOTEHOST=peer.example\n";
    assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    let names: BTreeSet<String> = dns.asked().into_iter().map(|asked| asked.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn etc_hosts_goes_before_dns() {
    let dns = Dns::start(|_, _| Answer::Records(vec![Record::Address([127, 9, 0, 9].into())]));
    let server = Server::start("127.9.0.1");
    let port = server.port.to_string();
    let side = Side::ours();
    side.write("hosts", "127.9.0.1 other.example chain.example\n");
    let Some(over) = harness::laid_over(&side, "hosts", "/etc/hosts") else { return };
    let words = ["tcpclient", "-v", "-HRl0", "Chain.Example", &port, "echo", "ok"];
    let words = over.iter().map(String::as_str).chain(words);
    let run = named(side.command(words).env("DNSCACHEIP", dns.place()).run(), server.port);
    assert_eq!(run.stderr, b"tcpclient: connected to 127.9.0.1 port SERVER\n");
    assert_eq!((run.stdout, dns.asked()), (b"ok\n".to_vec(), vec![]));
}

/// Both sides ask the ident server of `to`.
fn identified(to: &'static str, reply: &'static [u8]) -> Option<harness::Case> {
    let listener = TcpListener::bind((to, 113)).ok()?;
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let mut line = String::new();
            client.read_line(&mut line).unwrap();
            let ports: Vec<&str> = line.trim_end_matches("\r\n").split(" , ").collect();
            // The server's port comes first: it is asked about its own end.
            let is_question = matches!(ports[..], [_, "4567"]) && line.ends_with("\r\n");
            let reply = if is_question { reply } else { b"1,2:USERID:UNIX:asked otherwise\r\n" };
            let _ = client.get_mut().write_all(reply); // it may be gone
        }
    });
    Some(case(|side| told(side, &["-Hl0", "-p4567"], to, "127.0.0.1")))
}

#[test]
fn the_server_s_user_is_asked_for() {
    if !is_root() {
        return;
    }
    // One after the other: the client's port is the same.
    let replies: [(&str, &[u8]); 3] = [
        ("127.113.1.1", b"1 , 2 : USERID : UNIX : joe\r\n"),
        ("127.113.1.2", b"1,2:USERID:OTHER,UTF-8: a b:c%\n"),
        ("127.113.1.3", b"1 , 2 : USERID : UNIX : no end"),
    ];
    for (to, reply) in replies {
        if let Some(case) = identified(to, reply) {
            case.same();
        }
    }
    if let Some(case) = identified("127.113.1.4", b"1 , 2 : ERROR : NO-USER\r\n") {
        let _ = case.differing_stdout("TCPLOCALHOST=0\n", "TCPLOCALHOST=0\nTCPREMOTEINFO=\n");
    }
}

#[test]
fn the_ident_server_is_asked_while_names_are_looked_up() {
    if !is_root() {
        return;
    }
    let Ok(ident) = TcpListener::bind("127.113.1.8:113") else { return };
    let (told_of, connected) = std::sync::mpsc::channel();
    let connected = std::sync::Mutex::new(connected);
    // No name is told before the ident server has its connection.
    let dns = Dns::start(move |_, _| {
        let limit = std::time::Duration::from_secs(20);
        match connected.lock().unwrap().recv_timeout(limit) {
            Ok(()) => Answer::Records(vec![Record::Pointer("peer.example".into())]),
            Err(_) => Answer::NoName,
        }
    });
    let answers = std::thread::spawn(move || {
        let (mut client, _) = ident.accept().unwrap();
        told_of.send(()).unwrap();
        let _ = client.write_all(b"1 , 2 : USERID : UNIX : joe\r\n"); // it may be gone
    });
    let run = told(&Side::ours(), &["-l0"], "127.113.1.8", &dns.place());
    let expected = "TCPLOCALHOST=0\nTCPREMOTEHOST=peer.example\nTCPREMOTEINFO=joe\n";
    assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    answers.join().unwrap();
}

#[test]
fn nobody_who_answers_is_no_user() {
    case(|side| told(side, &["-Hl0"], "127.113.1.9", "127.0.0.1")).same();
    case(|side| told(side, &["-Hl0", "-r", "-t0"], "127.113.1.9", "127.0.0.1")).same();
}
