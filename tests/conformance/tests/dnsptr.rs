//! dnsptr beside the recordings of the original.

mod names;

use harness::{Answer, Case};
use names::{asked, pointer, usage};

fn zone(name: &str, kind: &str) -> Answer {
    let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    match (name, kind) {
        ("1.2.0.192.in-addr.arpa", "PTR") => pointer("One.Test"),
        ("2.2.0.192.in-addr.arpa", _) => Answer::NoName,
        (name, "PTR") if name == six => pointer("six.test"),
        _ => Answer::NoData,
    }
}

fn case(name: &str, address: &str) -> Case {
    asked("dnsptr", name, zone, address)
}

#[test]
fn an_address_has_a_name() {
    let _ = case("one", "192.0.2.1").differing_stdout("one.test\n", "One.Test\n").same_exit();
}

#[test]
fn an_ipv6_address_has_one_too() {
    let case = case("six", "2001:db8::1");
    assert_eq!(case.ours().run.stdout, b"six.test\n");
}

#[test]
fn what_has_none_is_told() {
    case("no-name", "192.0.2.2").same();
    case("no-data", "192.0.2.3").same();
}

#[test]
fn what_is_no_address_has_no_name() {
    let case = case("no-address", "one.test");
    assert_eq!(
        (case.ours().run.exit, case.ours().run.stderr.as_slice()),
        (100, &b"hard error\n"[..])
    );
}

#[test]
fn without_an_address_it_ends() {
    usage("dnsptr").same();
}
