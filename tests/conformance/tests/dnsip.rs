//! dnsip beside the recordings of the original.

mod names;

use harness::{Answer, Case};
use names::{addresses, asked, usage};

fn zone(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("one.test", "A") => addresses(&["192.0.2.1"]),
        ("both.test", "A") => addresses(&["192.0.2.2"]),
        ("both.test", "AAAA") => addresses(&["2001:db8::2"]),
        ("nothing.test", _) => Answer::NoName,
        ("servfail.test", _) => Answer::Code(2),
        _ => Answer::NoData,
    }
}

fn case(name: &str, host: &str) -> Case {
    asked("dnsip", name, zone, host)
}

#[test]
fn a_name_has_addresses() {
    case("one", "one.test").same();
    case("literal", "192.0.2.7").same();
    case("literal-brackets", "[192.0.2.7]").same();
}

#[test]
fn ipv6_addresses_come_behind() {
    let _ = case("both", "both.test")
        .differing_stdout("192.0.2.2\n2001:db8::2\n", "192.0.2.2\n")
        .same_stderr()
        .same_exit();
}

#[test]
fn what_has_none_is_told() {
    case("nothing", "nothing.test").same();
    case("empty", "empty.test").same();
}

/// It waits for the name server to think better of it.
#[test]
fn a_name_server_that_fails_is_temporary() {
    case("servfail", "servfail.test").same();
}

#[test]
fn without_a_name_it_ends() {
    usage("dnsip").same();
}
