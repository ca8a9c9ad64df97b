//! Messages delivered straight from todo/ of which nothing can be noted.

use queue::sweep::Request;

use super::super::*;
use super::host::{Host, START, limits};
use super::straight::{report, straight, straight_with};
use crate::send::todo::Written;

use Channel::{Local, Remote};

#[test]
fn one_that_cannot_be_preprocessed_is_taken_up_again() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.commands(Local);
    host.log();
    host.is_broken = true;
    report(&mut host, Local, 0, "Dno\n");
    let lines = "delivery 1: deferral: no/\nstatus: local 0/10 remote 0/20\n";
    assert_eq!(host.log(), lines);
    host.is_broken = false;
    host.now = START + 123;
    host.turn();
    assert_eq!(host.commands(Local), ["x@here.test"]);
    report(&mut host, Local, 0, "Kok\n");
    assert!(host.disk.mess.is_empty());
}

#[test]
fn one_that_could_not_be_preprocessed_is_not_attempted_before_it_can_be() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    assert_eq!(host.commands(Remote), ["x@there.test"]);
    host.writes = Written::NotAtAll;
    report(&mut host, Remote, 0, "Zlater\n");
    for _ in 0..3 {
        host.now += 123;
        host.turn();
        assert_eq!(host.commands(Remote), [""; 0]);
    }
    host.writes = Written::Whole;
    host.now += 123;
    host.turn();
    assert!(host.disk.todo.is_empty() && host.disk.info.contains_key(&7));
    assert_eq!(host.commands(Remote), ["x@there.test"]);
    report(&mut host, Remote, 0, "Kok\n");
    assert!(host.disk.mess.is_empty() && host.disk.info.is_empty());
}

/// One slot, and two messages, the second of which waits for it.
fn one_waits() -> Host {
    let mut host = straight_with(limits(1, 1));
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.inject(8, "Fa@b\0Ty@here.test\0");
    assert_eq!(host.commands(Local), ["x@here.test"]);
    host.log();
    host
}

/// A slot becomes free, but not for the message that waited; later it is one like any other.
fn it_is_delivered_later(host: &mut Host) {
    report(host, Local, 0, "Kok\n");
    assert_eq!(host.commands(Local), [""; 0]);
    let log = host.log();
    assert!(!log.contains("msg 8") && !log.contains("trouble opening"), "{log}");
    host.writes = Written::Whole;
    host.now += 123;
    for _ in 0..4 {
        host.turn();
        let commands = host.commands(Local);
        assert!(host.disk.info.contains_key(&8) || !commands.contains(&"y@here.test".to_owned()));
        if !commands.is_empty() {
            report(host, Local, 0, "Kok\n");
        }
    }
    assert!(host.disk.mess.is_empty());
    assert!(!host.log().contains("twice"));
    assert!(host.disk.info.is_empty() && host.disk.recipients.local.is_empty());
}

#[test]
fn one_that_waits_and_is_half_preprocessed_is_not_delivered_so() {
    let mut host = one_waits();
    host.writes = Written::Partly;
    host.sleep();
    it_is_delivered_later(&mut host);
}

#[test]
fn one_that_waits_and_whose_envelope_stays_is_not_delivered_so() {
    let mut host = one_waits();
    host.unanswered = Some(Vec::new());
    host.sleep();
    host.unanswered = None;
    host.clean(Request::Envelope(MessageId(7)), b'+');
    host.clean(Request::Envelope(MessageId(8)), b'!');
    host.turn();
    it_is_delivered_later(&mut host);
}

#[test]
fn one_that_waits_when_the_cleaner_dies_stays_where_it_is() {
    let mut host = one_waits();
    host.tell(Event::CleanerGone);
    report(&mut host, Local, 0, "Dno\n");
    assert!(host.has_exited);
    assert_eq!(host.saved, []);
    assert_eq!(host.disk.todo.len(), 2);
}

#[test]
fn one_under_way_that_cannot_be_preprocessed_stays_straight() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.is_broken = true;
    host.sleep();
    assert_eq!(host.machine.deadline(host.now), START + 2 + 123);
    report(&mut host, Local, 0, "Kok\n");
    assert!(host.log().ends_with("end msg 7\n"));
    assert!(host.disk.mess.is_empty() && host.disk.todo.is_empty());
}

#[test]
fn a_cleaner_that_dies_loses_no_message() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.inject(8, "Fa@b\0Ty@here.test\0");
    host.inject(9, "Fa@b\0Ty@here.test\0");
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kok\n");
    host.log();
    host.tell(Event::CleanerGone);
    report(&mut host, Local, 1, "Kok\n");
    report(&mut host, Local, 2, "Dno\n");
    let log = host.log();
    assert_eq!(log.matches("warning: trouble marking todo/").count(), 2);
    assert!(log.contains("delivery 3: deferral: no/\n"));
    assert!(host.has_exited);
    assert_eq!(host.disk.todo.len(), 3);
}
