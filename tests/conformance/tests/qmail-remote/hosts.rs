//! Which hosts are tried: routes, literals, exchangers.

use std::net::IpAddr;

use harness::{Answer, Case, Dns, Record, Run, Side, free_port, recorded};

use crate::peer::{CLOSE, Peer, Script};
use crate::{MESSAGE, well};

const ONE: [&str; 3] = ["a@b.test", "c@d.test", "e@d.test"];

/// Sends a message to `host` by these routes, in which `PORT` is a port where somebody listens.
fn routed(name: &str, host: &str, routes: &str) -> Case {
    recorded("qmail-remote", name, |side| {
        side.control("me", "me.test\n");
        side.control("helohost", "hello.test\n");
        let peer = Peer::start("127.0.0.1:0", &[&well(&[])]);
        side.control("smtproutes", &routes.replace("PORT", &peer.port().to_string()));
        let words = [&["qmail-remote", host], &ONE[..]].concat();
        let run = side.command(words).stdin_file(MESSAGE).run();
        side.write("heard", crate::as_helo(peer.heard()));
        run
    })
}

#[test]
fn routes() {
    routed(
        "route-exact",
        "Some.Host.test",
        "host.test:192.0.2.1:1\nsome.host.TEST:127.0.0.1:PORT\n",
    )
    .same();
    routed("route-suffix", "some.host.test", ".test:192.0.2.1:1\n.host.test:127.0.0.1:PORT\n")
        .same();
    routed("route-rest", "elsewhere.test", "host.test:192.0.2.1:1\n:127.0.0.1:PORT\n").same();
    routed("route-last", "h.test", "h.test:192.0.2.1:1\nh.test:127.0.0.1:PORT\n").same();
    routed("route-brackets", "h.test", "h.test:[127.0.0.1]:PORT\n").same();
    routed("route-to-ourselves", "[127.0.0.1]", "[127.0.0.1]:127.0.0.1:PORT\n").same();
}

#[test]
fn a_host_that_refuses_connections_is_temporary() {
    routed("refused", "h.test", "h.test:127.0.0.1:1\n").same();
}

#[test]
fn literals_are_hosts() {
    routed("literal-ours", "[127.0.0.1]", "").same();
    routed("literal-ours-plain", "127.0.0.1", "").same();
    routed("literal-any", "[0.0.0.0]", "").same();
}

#[test]
fn routes_and_literals_may_be_ipv6() {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let peer = Peer::start("[::1]:0", &[&well(&[]), &well(&[])]);
    let report = "r\0r\0K::1 accepted message.\nRemote host said: 250 taken\n\0";
    for relay in ["[::1]", "[IPv6:::1]"] {
        side.control("smtproutes", &format!("h.test:{relay}:{}\n", peer.port()));
        let words = [&["qmail-remote", "h.test"], &ONE[..]].concat();
        let run = side.command(words).stdin_file(MESSAGE).run();
        assert_eq!(String::from_utf8_lossy(&run.stdout), report);
    }
    side.control("smtproutes", "");
    for host in ["[IPv6:::1]", "::1"] {
        let run = side.run([&["qmail-remote", host], &ONE[..]].concat());
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(text.starts_with("DSorry. Although I'm listed"), "{host}: {text}");
    }
}

/// Starts qmail-remote for a host that a name server of the test knows. The original asks the
/// servers of /etc/resolv.conf, so it gets one of its own.
fn resolved(side: &Side, answer: fn(&str, &str) -> Answer, host: &str) -> Run {
    side.control("me", "me.test\n");
    let words = [&["qmail-remote", host], &ONE[..]].concat();
    if side.is_ours() {
        // Whoever listens at port 25 of the machine that runs this test is left alone.
        side.control("smtproutes", &format!("::{}\n", free_port()));
        let dns = Dns::start(answer);
        return side.command(words).env("DNSCACHEIP", dns.place()).stdin_file(MESSAGE).run();
    }
    let _dns = Dns::start_at("127.0.0.53", answer).expect("port 53");
    side.write("resolv.conf", "nameserver 127.0.0.53\n");
    let script = "mount --bind resolv.conf /etc/resolv.conf; exec qmail-remote \"$@\"";
    let words = [&["unshare", "-m", "sh", "-c", script], &words[..]].concat();
    let run = side.command(words).stdin_file(MESSAGE).run();
    std::fs::remove_file(side.path().join("resolv.conf")).unwrap();
    run
}

pub(crate) fn exchangers(list: &[(u16, &str)]) -> Answer {
    let record = |(preference, host): &(u16, &str)| Record::Exchanger(*preference, (*host).into());
    Answer::Records(list.iter().map(record).collect())
}

pub(crate) fn address(text: &str) -> Answer {
    Answer::Records(vec![Record::Address(text.parse().expect("an address"))])
}

/// `a1.test`, `a2.test` … are 127.0.0.81, 127.0.0.82 …, where nobody listens; `us.test` is this host.
fn zone(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("servfail.test" | "a.servfail.test", _) => Answer::Code(2),
        ("nothing.test", _) => Answer::NoName,
        ("ours.test", "MX") => exchangers(&[(10, "us.test"), (10, "a1.test"), (20, "a2.test")]),
        ("backup.test", "MX") => exchangers(&[(10, "a1.test"), (20, "us.test"), (30, "a2.test")]),
        ("null.test", "MX") => exchangers(&[(0, "")]),
        ("lost.test", "MX") => exchangers(&[(10, "nothing.test"), (20, "empty.test")]),
        ("soft.test", "MX") => exchangers(&[(10, "nothing.test"), (20, "a.servfail.test")]),
        ("partly.test", "MX") => exchangers(&[(10, "a.servfail.test"), (20, "a1.test")]),
        ("us.test" | "self.test", "A") => address("127.0.0.1"),
        ("plain.test" | "a1.test", "A") => address("127.0.0.81"),
        ("a2.test", "A") => address("127.0.0.82"),
        _ => Answer::NoData,
    }
}

#[test]
fn names_and_exchangers() {
    for (name, host) in [
        ("mx-ours", "ours.test"),
        ("mx-self", "self.test"),
        ("mx-backup", "backup.test"),
        ("mx-lost", "lost.test"),
        ("mx-none", "plain.test"),
        ("host-nothing", "nothing.test"),
        ("host-empty", "empty.test"),
    ] {
        known(name, host);
    }
}

fn known(name: &str, host: &str) {
    recorded("qmail-remote", name, |side| resolved(side, zone, host)).same();
}

// Each of these waits for the name server to think better of it.

#[test]
fn a_name_server_that_fails_is_temporary() {
    known("host-servfail", "servfail.test");
}

#[test]
fn exchangers_that_cannot_be_looked_up_are_temporary() {
    known("mx-soft", "soft.test");
}

#[test]
fn one_exchanger_that_can_be_looked_up_is_enough() {
    known("mx-partly", "partly.test");
}

/// RFC 7505; the original looks for the addresses of the root.
#[test]
fn a_null_mx_takes_no_mail() {
    let case = recorded("qmail-remote", "mx-null", |side| resolved(side, zone, "null.test"));
    assert_eq!(
        String::from_utf8_lossy(&case.ours().run.stdout),
        "DSorry, null.test does not take mail: it has a null MX. (#5.1.10)\n\0"
    );
}

const TRIED: [&str; 3] = ["127.0.0.81", "127.0.0.82", "127.0.0.83"];

fn all_three(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("many.test", "MX") => exchangers(&[(30, "a3.test"), (10, "a1.test"), (20, "a2.test")]),
        ("a1.test", "A") => address(TRIED[0]),
        ("a2.test", "A") => address(TRIED[1]),
        ("a3.test", "A") => address(TRIED[2]),
        _ => Answer::NoData,
    }
}

/// Three exchangers with these scripts at one port; a route without a host gives the port.
fn three(scripts: [&Script<'_>; 3]) -> (String, [Vec<u8>; 3]) {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let first = Peer::start(&format!("{}:0", TRIED[0]), &[scripts[0]]);
    let others = [1, 2].map(|number: usize| {
        Peer::start(&format!("{}:{}", TRIED[number], first.port()), &[scripts[number]])
    });
    side.control("smtproutes", &format!("many.test::{}\n", first.port()));
    let dns = Dns::start(all_three);
    let words = [&["qmail-remote", "many.test"], &ONE[..]].concat();
    let run = side.command(words).env("DNSCACHEIP", dns.place()).stdin_file(MESSAGE).run();
    let [second, third] = others;
    let heard = [first.heard(), second.heard(), third.heard()];
    (String::from_utf8_lossy(&run.stdout).into_owned(), heard)
}

#[test]
fn the_next_host_is_tried_until_the_sender_is_told() {
    let taken = well(&[]);
    let (report, heard) = three([&["554 no\r\n"], &[CLOSE], &taken]);
    assert_eq!(report, "r\0r\0K127.0.0.83 accepted message.\nRemote host said: 250 taken\n\0");
    assert_eq!(heard[..2], [b"QUIT\r\n".to_vec(), b"<closed>\n".to_vec()]);

    let (report, _) =
        three([&["421 busy\r\n"], &["220 hi\r\n", "550 who\r\n", "550 who\r\n"], &taken]);
    assert!(report.contains("K127.0.0.83 accepted message."), "{report}");

    // Once it is told, the answer stands.
    let (report, heard) = three([&["220 a\r\n", "250 a\r\n", CLOSE], &taken, &taken]);
    assert_eq!(report, "ZConnected to 127.0.0.81 but connection died. (#4.4.2)\n\0");
    assert_eq!(heard[1..], [Vec::new(), Vec::new()]);
}

/// Two of the exchangers refuse connections, or are known to be dead; either way the third is tried.
#[test]
fn an_exchanger_without_a_server_is_passed_over() {
    let side = Side::ours();
    side.control("me", "me.test\n");
    let now = u32::try_from(unix::clock::wall().seconds).unwrap().to_le_bytes();
    let dead = [&[127, 0, 0, 82, 3, 0, 0, 0][..], &now, &[0; 1012]].concat();
    side.host_file("queue/lock/tcpto", dead);
    let last = Peer::start(&format!("{}:0", TRIED[2]), &[&well(&[])]);
    let dead = Peer::start(&format!("{}:{}", TRIED[1], last.port()), &[&["554 no\r\n"]]);
    side.control("smtproutes", &format!("many.test::{}\n", last.port()));
    let dns = Dns::start(all_three);
    let words = [&["qmail-remote", "many.test"], &ONE[..]].concat();
    let run = side.command(words).env("DNSCACHEIP", dns.place()).stdin_file(MESSAGE).run();
    let report = "r\0r\0K127.0.0.83 accepted message.\nRemote host said: 250 taken\n\0";
    assert_eq!(String::from_utf8_lossy(&run.stdout), report);
    assert_eq!(dead.heard(), b"");
    drop(last.heard());
}

#[test]
fn only_if_all_hosts_refuse_for_good_the_message_is_refused() {
    let failed = |letter: &str, code: &str| {
        format!(
            "{letter}Connected to 127.0.0.83 but greeting failed.\nRemote host said: {code} no\n\0"
        )
    };
    let no = ["554 no\r\n"];
    assert_eq!(three([&no, &no, &no]).0, failed("D", "554"));
    assert_eq!(three([&no, &["421 no\r\n"], &no]).0, failed("Z", "554"));
    assert_eq!(three([&no, &no, &["421 no\r\n"]]).0, failed("Z", "421"));
}

#[test]
fn addresses_of_both_families_are_tried() {
    fn both(name: &str, kind: &str) -> Answer {
        match (name, kind) {
            ("both.test", "A") => address("127.0.0.84"),
            ("both.test", "AAAA") => address("::1"),
            _ => Answer::NoData,
        }
    }
    let side = Side::ours();
    side.control("me", "me.test\n");
    let peer = Peer::start("[::1]:0", &[&well(&[])]);
    side.control("smtproutes", &format!("h.test:both.test:{}\n", peer.port()));
    let dns = Dns::start(both);
    let words = [&["qmail-remote", "h.test"], &ONE[..]].concat();
    let run = side.command(words).env("DNSCACHEIP", dns.place()).stdin_file(MESSAGE).run();
    assert!(String::from_utf8_lossy(&run.stdout).contains("K::1 accepted message.\n"));
}

#[test]
fn hosts_of_equal_preference_take_turns() {
    fn equal(name: &str, kind: &str) -> Answer {
        match (name, kind) {
            ("equal.test", "MX") => exchangers(&[(10, "a1.test"), (10, "a2.test")]),
            ("a1.test", "A") => address("127.0.0.81"),
            ("a2.test", "A") => address("127.0.0.82"),
            _ => Answer::NoData,
        }
    }
    let dns = Dns::start(equal);
    let mut seen: Vec<IpAddr> = Vec::new();
    for _ in 0..60 {
        let side = Side::ours();
        side.control("me", "me.test\n");
        let first = Peer::start("127.0.0.81:0", &[&["220 a\r\n", "250 a\r\n", "550 a\r\n"]]);
        let second = Peer::start(
            &format!("127.0.0.82:{}", first.port()),
            &[&["220 a\r\n", "250 a\r\n", "550 a\r\n"]],
        );
        side.control("smtproutes", &format!("equal.test::{}\n", first.port()));
        let words = [&["qmail-remote", "equal.test"], &ONE[..]].concat();
        let run = side.command(words).env("DNSCACHEIP", dns.place()).stdin_file(MESSAGE).run();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let host = text.split(' ').nth(2).and_then(|host| host.parse().ok());
        seen.extend(host.filter(|host| !seen.contains(host)));
        drop((first.heard(), second.heard()));
        if seen.len() == 2 {
            return;
        }
    }
    panic!("only {seen:?}");
}
