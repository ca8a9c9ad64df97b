//! dnsmxip beside the recordings of the original, which is that of qmail 1.03.

mod names;

use harness::{Answer, Case, Record};
use names::{addresses, asked, usage};

fn zone(name: &str, kind: &str) -> Answer {
    let exchangers = |list: &[(u16, &str)]| {
        let record =
            |(preference, host): &(u16, &str)| Record::Exchanger(*preference, (*host).into());
        Answer::Records(list.iter().map(record).collect())
    };
    match (name, kind) {
        ("mail.test", "MX") => exchangers(&[(20, "two.test"), (10, "one.test"), (30, "gone.test")]),
        ("lost.test", "MX") => exchangers(&[(10, "gone.test")]),
        ("null.test", "MX") => exchangers(&[(0, "")]),
        ("one.test" | "plain.test", "A") => addresses(&["192.0.2.1"]),
        ("two.test", "A") => addresses(&["192.0.2.2"]),
        ("two.test", "AAAA") => addresses(&["2001:db8::2"]),
        ("gone.test" | "nothing.test", _) => Answer::NoName,
        ("servfail.test", _) => Answer::Code(2),
        _ => Answer::NoData,
    }
}

fn case(name: &str, host: &str) -> Case {
    asked("dnsmxip", name, zone, host)
}

#[test]
fn exchangers_come_in_the_order_of_their_preference() {
    let _ = case("several", "mail.test")
        .differing_stdout(
            "192.0.2.1 10\n192.0.2.2 20\n2001:db8::2 20\n",
            "192.0.2.1 10\n192.0.2.2 20\n",
        )
        .same_exit()
        .same_stderr();
}

#[test]
fn a_host_without_exchangers_is_its_own() {
    case("plain", "plain.test").same();
    case("literal", "[192.0.2.7]").same();
}

#[test]
fn exchangers_that_lead_nowhere_are_none() {
    case("lost", "lost.test").same();
    case("null", "null.test").same();
}

#[test]
fn what_has_no_address_is_told() {
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
    usage("dnsmxip").same();
}
