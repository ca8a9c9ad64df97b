//! dnscname beside the recordings of the original, which is that of qmail 1.03.

mod names;

use harness::{Answer, Case, Record};
use names::{addresses, asked, usage};

/// The original asks for records of any kind (255).
fn zone(name: &str, kind: &str) -> Answer {
    let alias = |name: &str| Answer::Records(vec![Record::Alias(name.into())]);
    match (name, kind) {
        ("alias.test", "CNAME" | "255") => alias("middle.test"),
        ("middle.test", "CNAME" | "255") => alias("host.test"),
        ("loop.test", "CNAME" | "255") => alias("loop.test"),
        ("host.test", "A" | "255") => addresses(&["192.0.2.1"]),
        ("servfail.test", _) => Answer::Code(2),
        ("nothing.test", _) => Answer::NoName,
        _ => Answer::NoData,
    }
}

fn case(name: &str, host: &str) -> Case {
    asked("dnscname", name, zone, host)
}

#[test]
fn an_alias_leads_to_a_host() {
    case("alias", "alias.test").same();
    case("one-link", "middle.test").same();
}

#[test]
fn what_is_no_alias_is_itself() {
    case("host", "host.test").same();
    case("dot", "host.test.").same();
    case("nothing", "nothing.test").same();
    case("empty", "empty.test").same();
    case("literal", "[192.0.2.1]").same();
}

#[test]
fn aliases_in_a_circle_are_an_error() {
    case("loop", "loop.test").same();
}

/// It waits for the name server to think better of it.
#[test]
fn a_name_server_that_fails_is_temporary() {
    case("servfail", "servfail.test").same();
}

#[test]
fn without_a_name_it_ends() {
    usage("dnscname").same();
}
