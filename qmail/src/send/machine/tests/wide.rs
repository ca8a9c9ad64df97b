//! With spawners that understand wide commands.

use super::super::*;
use super::host::{Host, limits};
use crate::spawn::protocol::Slot;

use Channel::{Local, Remote};

/// Begun, with spawners that bear so many deliveries.
fn wide(limits: Limits) -> Host {
    let mut host = Host::limited(limits);
    host.bears = Some(1000);
    host.begin()
}

#[test]
fn local_recipients_of_a_message_share_a_command_and_no_slot() {
    let mut host = wide(limits(2, 20));
    host.inject(6, "Fa@b\0Tx@here.test\0Ty@here.test\0Tz@here.test\0");
    assert_eq!(host.commands(Local), ["x@here.test", "y@here.test"]);
    assert_eq!(host.shared, [2]);
    assert!(host.log().ends_with("status: local 2/2 remote 0/20\n"));
    host.report_on(Local, Slot::wide(1), "Kok\n");
    assert_eq!(host.commands(Local), ["z@here.test"]);
    assert_eq!(host.disk.recipients.local[&6], b"Tx@here.test\0Dy@here.test\0Tz@here.test\0");
}

#[test]
fn recipients_at_a_host_share_its_connection_and_a_slot() {
    let mut host = wide(limits(10, 20));
    let recipients = "Ta@x.test\0Ta@y.test\0Tb@x.test\0Tc@x.test\0Td@x.test\0Tb@y.test\0";
    host.inject(6, &format!("Fa@b\0{recipients}"));
    let expected = ["a@x.test", "b@x.test", "c@x.test", "a@y.test", "b@y.test", "d@x.test"];
    assert_eq!(host.commands(Remote), expected);
    assert_eq!(host.shared, [3, 2, 1]);
    let log = host.log();
    assert_eq!(log.matches("starting delivery").count(), 6);
    assert!(log.ends_with("status: local 0/10 remote 3/20\n"));
    for slot in [0, 2] {
        host.report_on(Remote, Slot::wide(slot), "Kok\n");
    }
    assert!(host.log().ends_with("status: local 0/10 remote 3/20\n"));
    host.report_on(Remote, Slot::wide(1), "Zlater\n");
    assert!(host.log().ends_with("status: local 0/10 remote 2/20\n"));
    let left = b"Da@x.test\0Ta@y.test\0Tb@x.test\0Dc@x.test\0Td@x.test\0Tb@y.test\0";
    assert_eq!(host.disk.recipients.remote[&6], left);
}

#[test]
fn who_has_a_sender_of_his_own_has_a_connection_of_his_own() {
    let mut host = wide(limits(10, 20));
    host.inject(6, "Flist-@here.test-@[]\0Ta@x.test\0Tb@x.test\0");
    assert_eq!(host.commands(Remote), ["a@x.test", "b@x.test"]);
    assert_eq!(host.shared, [1, 1]);
}

#[test]
fn sharing_can_be_turned_off() {
    let mut host = wide(Limits { together: 1, ..limits(10, 20) });
    host.inject(6, "Fa@b\0Ta@x.test\0Tb@x.test\0");
    assert_eq!(host.commands(Remote), ["a@x.test", "b@x.test"]);
    assert!(host.log().ends_with("status: local 0/10 remote 2/20\n"));
}

#[test]
fn more_deliveries_than_a_byte_can_count_are_under_way() {
    let mut host = wide(limits(500, 20));
    let recipients: Vec<_> = (0..600).map(|n| format!("T{n}@here.test\0")).collect();
    host.inject(6, &format!("Fa@b\0{}", recipients.concat()));
    assert_eq!(host.commands(Local).len(), 500);
    assert!(host.log().contains("status: local 500/500 remote 0/20\n"));
    for slot in 0..500 {
        host.report_on(Local, Slot::wide(slot), "Kok\n");
    }
    assert_eq!(host.commands(Local).len(), 100);
}

#[test]
fn limits_beyond_what_the_original_bears_are_told_when_the_spawner_has_answered() {
    let mut host = Host::limited(limits(500, 20));
    host.bears = Some(300);
    host.tell(Event::Begin(Vec::new(), Vec::new()));
    let expected = "status: local 0/120 remote 0/20\nstatus: local 0/300 remote 0/20\n";
    assert_eq!(host.log(), expected);
}

#[test]
fn a_spawner_may_answer_late() {
    let mut host = Host::begun();
    host.inject(6, "Fa@b\0Tx@here.test\0Ty@here.test\0");
    assert_eq!(host.sent.local[0].recipients[0].slot, Slot::narrow(0));
    host.commands(Local);
    host.tell(Event::Reports(Local, b"\xffK1000\0".to_vec()));
    host.inject(8, "Fa@b\0Tz@here.test\0");
    assert_eq!(host.sent.local[0].recipients[0].slot, Slot::wide(2));
    host.report(Local, 0, "Kok\n");
    host.report_on(Local, Slot::wide(2), "Kok\n");
    host.report(Local, 1, "Kok\n");
    assert!(host.disk.mess.is_empty());
}
