//! Names and users, which others are asked for.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::{Answer, Asked, Dns, Record, Run, Side, Together, case, sometime};

use super::{Server, is_root};

fn pointer(name: &str) -> Answer {
    Answer::Records(vec![Record::Pointer(name.into())])
}

fn address(text: &str) -> Answer {
    Answer::Records(vec![Record::Address(text.parse().unwrap())])
}

const SHOW: [&str; 3] =
    ["sh", "-c", "env | grep -E '^TCP(LOCALHOST|REMOTEHOST|REMOTEINFO)=' | sort"];

/// What the program is told when DNS is at `dns`.
fn told(side: &Side, options: &[&str], dns: &str, from: &str) -> Run {
    let variables = [("DNSCACHEIP", dns), ("TCPREMOTEHOST", "leak"), ("TCPREMOTEINFO", "leak")];
    let mut server = Server::start_with(side, options, "127.0.0.1", &SHOW, &variables);
    let got = server.get("127.0.0.1", from);
    server.ended(1);
    server.stop(got)
}

/// A world in which 127.0.0.1 is `local.example`, 127.7.0.2 says to be `Peer.Example`, which is so,
/// 127.7.0.3 says the same, which is not so, and 127.7.0.4 has an odd name.
fn world(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("1.0.0.127.in-addr.arpa", "PTR") => pointer("local.example"),
        ("2.0.7.127.in-addr.arpa" | "3.0.7.127.in-addr.arpa", "PTR") => pointer("Peer.Example"),
        ("4.0.7.127.in-addr.arpa", "PTR") => pointer("a b%.\u{7}x"),
        ("5.0.7.127.in-addr.arpa", "PTR") | ("peer.example", "AAAA") => Answer::NoData,
        ("6.0.7.127.in-addr.arpa", "PTR") => pointer("nowhere.example"),
        ("peer.example", "A") => address("127.7.0.2"),
        _ => Answer::NoName,
    }
}

#[test]
fn names_are_looked_up() {
    if !is_root() {
        return;
    }
    let Some(dns) = Dns::start_at("127.53.1.1", world) else { return };
    for from in ["127.7.0.2", "127.7.0.3", "127.7.0.4", "127.7.0.5", "127.7.0.9"] {
        for options in [&["-v", "-R"][..], &["-v", "-RH"], &["-v", "-R", "-l0"], &["-v", "-Rp"]] {
            case(|side| told(side, options, &dns.place(), from)).same();
        }
    }
    case(|side| told(side, &["-v", "-Rp"], &dns.place(), "127.7.0.6")).same();
}

#[test]
fn names_come_from_a_server_at_any_port() {
    let dns = Dns::start(world);
    let side = Side::ours();
    let run = told(&side, &["-v", "-Rp"], &dns.place(), "127.7.0.2");
    assert_eq!(run.stdout, b"TCPLOCALHOST=local.example\nTCPREMOTEHOST=peer.example\n");
    let log = String::from_utf8(run.stderr).unwrap();
    assert!(
        log.contains(" local.example:127.0.0.1:PORT peer.example:127.7.0.2::CLIENT\n"),
        "{log}"
    );
}

#[test]
fn both_names_are_asked_for_at_once_with_ids_and_ports_of_their_own() {
    // A server that is slow to answer is asked again.
    sometime(|| {
        let together = Together::new(2);
        let dns = Dns::start(move |name, kind| together.answer(name, world(name, kind)));
        let side = Side::ours();
        let both = b"TCPLOCALHOST=local.example\nTCPREMOTEHOST=peer.example\n";
        for _ in 0..2 {
            assert_eq!(told(&side, &["-v", "-R"], &dns.place(), "127.7.0.2").stdout, both);
        }
        let asked = dns.asked();
        let ports: BTreeSet<u16> = asked.iter().map(|asked| asked.port).collect();
        if asked.len() != 4 || ports.len() != 4 {
            return Err(asked);
        }
        // What one process has asked tells nothing about the next.
        let ids = |asked: &[Asked]| asked.iter().map(|asked| asked.id).collect::<BTreeSet<_>>();
        assert_ne!(ids(&asked[..2]), ids(&asked[2..]), "{asked:?}");
        Ok(())
    });
}

#[test]
fn aliases_are_followed_and_those_that_go_round_name_nobody() {
    let alias = |name: &str| Answer::Records(vec![Record::Alias(name.into())]);
    let dns = Dns::start(move |name, _| match name {
        "2.0.7.127.in-addr.arpa" => alias("2.delegated.example"),
        "2.delegated.example" => pointer("Peer.Example"),
        "3.0.7.127.in-addr.arpa" | "b.example" => alias("a.example"),
        "a.example" => alias("b.example"),
        _ => Answer::NoName,
    });
    let side = Side::ours();
    let named = |from: &str| told(&side, &["-v", "-R", "-l0"], &dns.place(), from).stdout;
    assert_eq!(named("127.7.0.2"), b"TCPLOCALHOST=0\nTCPREMOTEHOST=peer.example\n");
    // A server that is slow to answer is asked again.
    sometime(|| {
        let before = dns.asked().len();
        assert_eq!(named("127.7.0.3"), b"TCPLOCALHOST=0\n");
        let count = dns.asked().len() - before;
        if count == 9 { Ok(()) } else { Err(count) }
    });
}

#[test]
fn rules_see_the_name() {
    let dns = Dns::start(world);
    let side = Side::ours();
    super::compile(&side, "=peer.example:deny\n=:allow\n:deny\n");
    let options = ["-v", "-R", "-x", "cdb"];
    let refused = told(&side, &options, &dns.place(), "127.7.0.2");
    assert_eq!(refused.stdout, b"");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("tcpserver: deny PID "));
    let nameless = told(&side, &options, &dns.place(), "127.7.0.5");
    assert_eq!(nameless.stdout, b"");
}

/// An ident server at port 113 of `at` that answers each question with `reply`; its questions.
fn ident(
    at: &str,
    reply: &'static [u8],
    count: usize,
) -> Option<std::thread::JoinHandle<Vec<String>>> {
    let server = TcpListener::bind((at, 113)).ok()?;
    Some(std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..count {
            let (client, _) = server.accept().unwrap();
            let mut client = BufReader::new(client);
            let mut line = String::new();
            client.read_line(&mut line).unwrap();
            asked.push(line);
            let _ = client.get_mut().write_all(reply);
        }
        asked
    }))
}

/// Both sides ask the ident server of `from`.
fn identified(from: &str, reply: &'static [u8]) -> Option<harness::Case> {
    let sides = 1 + usize::from(Side::debian().is_some());
    let server = ident(from, reply, sides)?;
    let case = case(|side| told(side, &["-v", "-H", "-l0"], "127.0.0.1", from));
    for line in server.join().unwrap() {
        let ports: Vec<&str> = line.trim_end_matches("\r\n").split(" , ").collect();
        assert!(matches!(ports[..], [_, _]) && line.ends_with("\r\n"), "{line:?}");
    }
    Some(case)
}

#[test]
fn the_peer_s_user_is_asked_for() {
    if !is_root() {
        return;
    }
    let replies: [(&str, &[u8]); 3] = [
        ("127.113.0.1", b"1 , 2 : USERID : UNIX : joe\r\n"),
        ("127.113.0.2", b"1,2:USERID:OTHER,UTF-8: a b:c%\n"),
        ("127.113.0.3", b"1 , 2 : USERID : UNIX : no end"),
    ];
    for (from, reply) in replies {
        if let Some(case) = identified(from, reply) {
            case.same();
        }
    }
}

#[test]
fn an_error_is_no_user() {
    if !is_root() {
        return;
    }
    if let Some(case) = identified("127.113.0.4", b"\r\n") {
        let _ = case.differing_stdout("TCPLOCALHOST=0\n", "TCPLOCALHOST=0\nTCPREMOTEINFO=\n");
    }
    if let Some(case) = identified("127.113.0.5", b"1 , 2 : ERROR : NO-USER\r\n") {
        let _ = case.differing_stdout("TCPLOCALHOST=0\n", "TCPLOCALHOST=0\nTCPREMOTEINFO=\n");
    }
    if let Some(case) = identified("127.113.0.6", b"1 , 2 : ERROR : X : liar\r\n") {
        let _ = case.differing_stdout("TCPLOCALHOST=0\n", "TCPLOCALHOST=0\nTCPREMOTEINFO=liar\n");
    }
}

#[test]
fn megabytes_of_ident_are_cut() {
    if !is_root() {
        return;
    }
    let long = [b"1 , 2 : USERID : UNIX : ".to_vec(), vec![b'x'; 8 << 20]].concat().leak();
    if let Some(case) = identified("127.113.0.8", long) {
        case.same();
    }
    // Without a name and without an end it is no answer.
    if let Some(case) = identified("127.113.0.9", vec![b'x'; 8 << 20].leak()) {
        case.same();
    }
}

#[test]
fn an_ident_server_that_says_nothing_is_given_up_in_time() {
    if !is_root() {
        return;
    }
    // The kernel takes the connection, and nobody takes it from there.
    let Ok(_silent) = TcpListener::bind("127.113.0.10:113") else { return };
    let before = Instant::now();
    case(|side| told(side, &["-v", "-H", "-l0", "-t1"], "127.0.0.1", "127.113.0.10")).same();
    assert!(before.elapsed() >= Duration::from_secs(1));
    // It has not been waited for as long as without the option.
    assert!(before.elapsed() < Duration::from_secs(26));
}

#[test]
fn the_ident_server_is_asked_while_names_are_looked_up() {
    if !is_root() {
        return;
    }
    let Ok(ident) = TcpListener::bind("127.113.0.11:113") else { return };
    let (told_of, connected) = std::sync::mpsc::channel();
    let connected = Mutex::new(connected);
    // No name is told before the ident server has its connection.
    let dns = Dns::start(move |_, _| {
        let is_connected = connected.lock().unwrap().recv_timeout(super::LIMIT).is_ok();
        if is_connected { pointer("peer.example") } else { Answer::NoName }
    });
    let answers = std::thread::spawn(move || {
        let (mut client, _) = ident.accept().unwrap();
        told_of.send(()).unwrap();
        let _ = client.write_all(b"1 , 2 : USERID : UNIX : joe\r\n"); // it may be gone
    });
    let run = told(&Side::ours(), &["-v", "-l0"], &dns.place(), "127.113.0.11");
    let expected = "TCPLOCALHOST=0\nTCPREMOTEHOST=peer.example\nTCPREMOTEINFO=joe\n";
    assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    answers.join().unwrap();
}

#[test]
fn all_names_together_have_26_seconds() {
    // The first answer takes until the second round, and there is none to the questions after it.
    sometime(|| {
        let asked = Mutex::new(0);
        let dns = Dns::start(move |_, kind| {
            let mut asked = asked.lock().unwrap();
            *asked += i32::from(kind == "PTR");
            match (kind, *asked) {
                ("PTR", 1) | ("A" | "AAAA", _) => Answer::Silence,
                _ => {
                    std::thread::sleep(Duration::from_secs(8));
                    pointer("peer.example")
                }
            }
        });
        let place = dns.place();
        let variables = [("DNSCACHEIP", &*place)];
        let side = Side::ours();
        let mut server = Server::start_with(&side, &["-Rp", "-l0"], "127.0.0.1", &SHOW, &variables);
        let before = Instant::now();
        let mut client = server.connect("127.0.0.1", "127.0.0.1");
        client.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let mut got = String::new();
        std::io::Read::read_to_string(&mut client, &mut got).unwrap();
        let waited = before.elapsed();
        assert_eq!(got, "TCPLOCALHOST=0\n");
        let has_come = dns.asked().iter().any(|asked| asked.kind == "A");
        let is_so = has_come && (26..35).contains(&waited.as_secs());
        if is_so { Ok(()) } else { Err((waited, dns.asked())) }
    });
}

#[test]
fn nobody_who_answers_is_no_user() {
    case(|side| told(side, &["-v", "-H", "-l0"], "127.0.0.1", "127.113.0.7")).same();
}
