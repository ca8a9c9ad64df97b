//! Several addresses, and those that do not answer.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use harness::{Answer, Case, Dns, Record, Run, Side, case};
use unix::socket;

use super::{Server, is_root, named};

/// A port at which nothing answers: it listens, and its backlog is full.
pub(super) struct Full {
    pub(super) port: u16,
    _listener: OwnedFd,
    _clients: Vec<TcpStream>,
}

impl Full {
    pub(super) fn start() -> Full {
        Full::at("127.0.0.1:0".parse().unwrap())
    }

    pub(super) fn at(address: SocketAddr) -> Full {
        let listener = socket::listen(address, 0, false).unwrap();
        let address = socket::local_address(&listener).unwrap();
        let mut clients = Vec::new();
        // One fits, sometimes two; the one that does not waits in vain.
        while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
            clients.push(client);
        }
        Full { port: address.port(), _listener: listener, _clients: clients }
    }
}

/// The hosts of a domain with the addresses of `world`, for who asks DNS.
fn world(name: &str, kind: &str) -> Answer {
    let address = |text: &str| Record::Address(text.parse().unwrap());
    let all = |list: &[&str]| Answer::Records(list.iter().map(|text| address(text)).collect());
    match (name, kind) {
        ("three.example", "A") => all(&["127.8.0.1", "127.8.0.2", "127.8.0.3"]),
        ("two.example", "A") => all(&["127.8.0.1", "127.8.0.2"]),
        ("one.example" | "both.example", "A") => all(&["127.8.0.1"]),
        ("both.example" | "six.example", "AAAA") => all(&["::1"]),
        ("broken.example", _) => Answer::Code(2),
        (name, _) if name.split('.').count() == 2 && name.ends_with(".example") => Answer::NoData,
        _ => Answer::NoName,
    }
}

/// A case with a DNS server that the originals can ask, too; for who is root.
fn with_dns(at: &str, run: impl Fn(&Side, &str) -> Run) -> Option<Case> {
    if !is_root() {
        return None;
    }
    let dns = Dns::start_at(at, world)?;
    Some(case(|side| run(side, &dns.place())))
}

/// Lines in a fixed order: that of the addresses is random.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive("\\n").collect();
    lines.sort_unstable();
    lines.concat()
}

fn client(side: &Side, dns: &str, words: &[&str]) -> Run {
    let words = [&["tcpclient", "-v", "-HRl0"], words].concat();
    side.command(words).env("DNSCACHEIP", dns).run()
}

#[test]
fn every_address_is_tried() {
    let listener = TcpListener::bind("127.8.0.2:0").unwrap();
    let server = Server::at(listener);
    let port = server.port.to_string();
    let Some(case) = with_dns("127.53.2.1", |side, dns| {
        // Which comes first is chance: until the one that is there was not the first.
        let again = |_| client(side, dns, &["three.example", &port, "echo", "ok"]);
        (0..64).map(again).find(|run| run.stderr.len() > 120).expect("three lines in one of many")
    }) else {
        return;
    };
    case.normalised(sorted).same();
}

#[test]
fn every_address_that_fails_is_told() {
    let port = harness::free_port().to_string();
    for host in ["one.example", "two.example", "three.example"] {
        let client = |side: &Side, dns: &str| client(side, dns, &[host, &port, "echo", "wrong"]);
        if let Some(case) = with_dns("127.53.2.2", client) {
            case.normalised(sorted).same();
        }
    }
}

#[test]
fn the_order_of_the_addresses_is_chance() {
    let dns = Dns::start(world);
    let side = Side::ours();
    let port = harness::free_port().to_string();
    let first = |_| {
        let run = client(&side, &dns.place(), &["three.example", &port, "x"]);
        String::from_utf8(run.stderr).unwrap().lines().next().unwrap().to_owned()
    };
    let firsts: std::collections::BTreeSet<String> = (0..64).map(first).collect();
    assert_eq!(firsts.len(), 3, "{firsts:?}");
}

#[test]
fn hosts_that_are_not_to_be_found_are_fatal() {
    let long = "thislabelistoolongbecausednshasalimitof63charactersinasinglelabel.";
    for host in ["nodata.example", "no.such.example", long] {
        let client = |side: &Side, dns: &str| client(side, dns, &[host, "1", "echo", "wrong"]);
        if let Some(case) = with_dns("127.53.2.3", client) {
            case.same();
        }
    }
    let dns = Dns::start(world);
    let run = client(&Side::ours(), &dns.place(), &["broken.example", "1", "x"]);
    let message = "tcpclient: fatal: temporarily unable to figure out IP address for \
        broken.example: ";
    assert!(String::from_utf8(run.stderr).unwrap().starts_with(message));
    assert_eq!(run.exit, 111);
}

#[test]
fn ipv4_is_tried_before_ipv6() {
    let dns = Dns::start(world);
    let port = harness::free_port();
    let words = ["both.example", &port.to_string(), "x"];
    let run = named(client(&Side::ours(), &dns.place(), &words), port);
    let ipv6 = if super::ipv6::has_ipv6() { "connection refused" } else { "address not available" };
    let expected = format!(
        "tcpclient: unable to connect to 127.8.0.1 port SERVER: connection refused\n\
         tcpclient: unable to connect to ::1 port SERVER: {ipv6}\n"
    );
    assert_eq!(String::from_utf8(run.stderr).unwrap(), expected);
}

#[test]
fn the_family_can_be_chosen() {
    let dns = Dns::start(world);
    let port = harness::free_port();
    for option in ["-4", "-i127.0.0.1"] {
        let words = [option, "both.example", &port.to_string(), "x"];
        let run = named(client(&Side::ours(), &dns.place(), &words), port);
        let line = "tcpclient: unable to connect to 127.8.0.1 port SERVER: connection refused\n";
        assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
        let words = [option, "six.example", &port.to_string(), "x"];
        let run = client(&Side::ours(), &dns.place(), &words);
        assert_eq!(run.stderr, b"tcpclient: fatal: no IP address for six.example\n");
        assert_eq!(run.exit, 111);
    }
}

#[test]
fn who_does_not_answer_in_time_is_told() {
    for limits in ["1", "0+1", "1+0"] {
        case(|side| {
            let full = Full::start();
            let port = full.port.to_string();
            let words = ["tcpclient", "-T", limits, "-HRl0", "127.0.0.1", &port, "echo", "wrong"];
            named(side.run(words), full.port)
        })
        .same();
    }
}

#[test]
fn who_was_silent_is_tried_again_when_all_others_were() {
    let full = Full::at("127.8.0.1:0".parse().unwrap());
    let port = full.port.to_string();
    let client = |side: &Side, dns: &str| client(side, dns, &["-T5+1", "two.example", &port, "x"]);
    let Some(case) = with_dns("127.53.2.4", client) else { return };
    // Nobody listens at the other, which is told first although it may have been tried later.
    let expected = format!(
        "tcpclient: unable to connect to 127.8.0.2 port {port}: connection refused\n\
         tcpclient: unable to connect to 127.8.0.1 port {port}: timed out\n"
    );
    let _ = case.differing_stderr(&expected, &expected).same_exit();
}

#[test]
fn a_silent_address_does_not_keep_the_next_from_being_tried() {
    // A port that both addresses have.
    let both = || {
        let full = Full::at("127.8.0.1:0".parse().unwrap());
        let listener = TcpListener::bind(("127.8.0.2", full.port)).ok()?;
        Some((full, Server::at(listener)))
    };
    let (_full, server) = (0..64).find_map(|_| both()).unwrap();
    let port = server.port.to_string();
    let words = ["-T1+50", "two.example", &port, "echo", "ok"];
    if let Some(case) = with_dns("127.53.2.5", |side, dns| client(side, dns, &words)) {
        case.same();
    }
}
