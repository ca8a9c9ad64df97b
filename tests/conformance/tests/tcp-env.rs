//! tcp-env beside the recordings of the original.

mod names;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use harness::{Answer, Case, Run, Side, recorded};
use names::{addresses, pointer, resolved};

/// Runs its arguments with a connection from the first of them as their standard input.
const CONNECTED: &str = "use Socket qw(:all); $^F = 99; my $from = shift;
    my $six = $from =~ /:/; my $family = $six ? AF_INET6 : AF_INET;
    sub at { my $ip = inet_pton($family, $_[0]);
             $six ? pack_sockaddr_in6(0, $ip) : pack_sockaddr_in(0, $ip) }
    socket(L, $family, SOCK_STREAM, 0) && bind(L, at($six ? '::1' : '127.0.0.1')) && listen(L, 1)
        or die; socket(C, $family, SOCK_STREAM, 0) && bind(C, at($from))
        && connect(C, getsockname(L)) && accept(S, L) or die;
    open(STDIN, '<&', \\*S) or die; exec @ARGV; die";

const SHOW: [&str; 3] = ["sh", "-c", "env | grep -E '^(PROTO|TCP)' | sort"];

fn zone(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("1.0.0.127.in-addr.arpa", "PTR") => pointer("Host.Test"),
        ("2.0.0.127.in-addr.arpa", "PTR") => pointer("Peer.Test"),
        ("3.0.0.127.in-addr.arpa", "PTR") => pointer("liar.test"),
        ("5.0.0.127.in-addr.arpa", "PTR") => Answer::Code(2),
        ("host.test" | "liar.test", "A") => addresses(&["127.0.0.1"]),
        ("peer.test", "A") => addresses(&["127.0.0.2"]),
        (_, "PTR") => Answer::NoName,
        _ => Answer::NoData,
    }
}

fn run(side: &Side, from: &str, words: &[&str], env: &[(&str, &str)]) -> Run {
    let words = [&["perl", "-e", CONNECTED, from, "tcp-env"], words].concat();
    resolved(side, zone, &words, env)
}

fn case(name: &str, from: &str, options: &[&str], env: &[(&str, &str)]) -> Case {
    let words = [options, &SHOW].concat();
    without_ports(recorded("tcp-env", name, |side| run(side, from, &words, env)))
}

/// Ports are the kernel's choice.
fn without_ports(case: Case) -> Case {
    case.normalised(|text| {
        let parts = text.split("PORT=").enumerate().map(|(number, part)| match number {
            0 => part,
            _ => part.trim_start_matches(|byte: char| byte.is_ascii_digit()),
        });
        parts.collect::<Vec<_>>().join("PORT=N")
    })
}

#[test]
fn addresses_ports_and_names_are_told() {
    case("named", "127.0.0.2", &["-R"], &[]).same();
    case("nameless", "127.0.0.4", &["-R"], &[]).same();
    let others = [("TCPREMOTEINFO", "x"), ("TCPREMOTEHOST", "y"), ("PROTO", "UDP")];
    case("others-before", "127.0.0.4", &["-R"], &others).same();
}

/// It waits for the name server to think better of it.
#[test]
fn a_name_that_nobody_could_tell_has_a_word_of_its_own() {
    case("servfail", "127.0.0.5", &["-R"], &[]).same();
}

/// Whoever owns an address can give it any name.
#[test]
fn a_name_counts_if_it_has_the_address() {
    let case = case("liar", "127.0.0.3", &["-R"], &[]);
    assert!(!String::from_utf8_lossy(&case.ours().run.stdout).contains("liar"));
    if let Some(original) = case.original() {
        assert!(String::from_utf8_lossy(&original.run.stdout).contains("=liar.test\n"));
    }
}

#[test]
fn who_has_set_the_environment_is_believed() {
    let env = [("PROTO", "TCP"), ("TCPREMOTEIP", "192.0.2.1")];
    case("set", "127.0.0.2", &[], &env).same();
    let words = [&["tcp-env"], &SHOW[..]].concat();
    recorded("tcp-env", "set-without-connection", |side| {
        side.command(&words).env("PROTO", "TCP").run()
    })
    .same();
}

/// An ident server at 127.0.0.2 for one question; in the end it gives that.
fn ident(says: &'static [u8]) -> Option<std::thread::JoinHandle<String>> {
    let listener = TcpListener::bind("127.0.0.2:113").ok();
    let Some(listener) = listener else {
        harness::skipped_for("only root can listen at port 113");
        return None;
    };
    Some(std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("a line");
        let _ = stream.write_all(says); // who asks may be gone
        line
    }))
}

#[test]
fn the_ident_server_of_the_peer_is_asked() {
    for (name, options, says) in [
        ("ident", &[][..], &b"1 , 2 : USERID : UNIX : j o\te\r\n"[..]),
        ("ident-timeout", &["-R", "-t5", "-r"], b"1,2:USERID:OTHER:joe\n"),
    ] {
        let words = [options, &SHOW].concat();
        let Some(first) = ident(says) else { return };
        let first = std::cell::RefCell::new(Some(first));
        let found = recorded("tcp-env", name, |side| {
            let server = first.take().or_else(|| ident(says)).expect("port 113");
            let run = run(side, "127.0.0.2", &words, &[]);
            let line = server.join().expect("an ident server");
            assert!(line.contains(" , ") && line.ends_with("\r\n"), "{line:?}");
            run
        });
        without_ports(found).same();
    }
}

/// The original takes the error for an empty name.
#[test]
fn an_ident_server_that_knows_nobody_tells_nothing() {
    let says = b"1 , 2 : ERROR : NO-USER\r\n";
    let Some(first) = ident(says) else { return };
    let first = std::cell::RefCell::new(Some(first));
    let case = recorded("tcp-env", "ident-error", |side| {
        let server = first.take().or_else(|| ident(says)).expect("port 113");
        let run = run(side, "127.0.0.2", &SHOW, &[]);
        server.join().expect("an ident server");
        run
    });
    assert!(!String::from_utf8_lossy(&case.ours().run.stdout).contains("TCPREMOTEINFO"));
    if let Some(original) = case.original() {
        assert!(String::from_utf8_lossy(&original.run.stdout).contains("TCPREMOTEINFO=\n"));
    }
}

#[test]
fn an_ipv6_connection_has_variables_of_its_own() {
    let run = run(&Side::ours(), "::1", &[&["-R"], &SHOW[..]].concat(), &[]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    for line in ["PROTO=TCP6\n", "TCPREMOTEIP=::1\n", "TCP6REMOTEIP=::1\n", "TCP6LOCALIP=::1\n"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn what_fails_is_silent() {
    recorded("tcp-env", "no-program", |side| side.run(["tcp-env"])).same();
    recorded("tcp-env", "no-connection", |side| side.run(["tcp-env", "echo", "x"])).same();
    recorded("tcp-env", "missing", |side| run(side, "127.0.0.2", &["-R", "./missing"], &[])).same();
    case("unknown-option", "127.0.0.2", &["-x", "-R"], &[]).same();
}
