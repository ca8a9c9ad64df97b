//! dnsfq beside the recordings of the original.

mod names;

use harness::{Answer, Case, recorded};
use names::{addresses, pointer, resolved, usage};

fn zone(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("www.one.test" | "www", "A") => addresses(&["192.0.2.1"]),
        ("nameless.one.test", "A") => addresses(&["192.0.2.2"]),
        ("1.2.0.192.in-addr.arpa", "PTR") => pointer("host.one.test"),
        ("empty.one.test", _) => Answer::NoData,
        _ => Answer::NoName,
    }
}

fn case(name: &str, host: &str) -> Case {
    recorded("dnsfq", name, |side| {
        resolved(side, zone, &["dnsfq", host], &[("LOCALDOMAIN", "one.test")])
    })
}

#[test]
fn a_host_has_a_canonical_name() {
    case("whole", "www.one.test").same();
    case("address", "192.0.2.1").same();
}

#[test]
fn a_short_name_is_made_whole() {
    case("short", "www").same();
}

#[test]
fn what_has_none_is_told() {
    case("nothing", "nothing.test").same();
    case("empty", "empty.one.test").same();
    case("nameless", "nameless.one.test").same();
}

#[test]
fn without_a_name_it_ends() {
    usage("dnsfq").same();
}
