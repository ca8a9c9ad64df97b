//! Messages on their way.

use super::super::*;
use super::host::{Host, START, limits};
use crate::spawn::protocol::Slot;

use Channel::{Local, Remote};

#[test]
fn a_local_message_is_delivered_and_gone() {
    for id in [6, 7] {
        let mut host = Host::begun();
        host.inject(id, "u0\0p9\0Fa@b\0Tjoe@here.test\0");
        assert_eq!(host.commands(Local), ["joe@here.test"]);
        host.report(Local, 0, "Kdid 1+0+0\n");
        let expected = format!(
            "new msg {id}\n\
             starting delivery 1: msg {id} to local joe@here.test\n\
             status: local 1/10 remote 0/20\n\
             delivery 1: success: did_1+0+0/\n\
             status: local 0/10 remote 0/20\n\
             end msg {id}\n"
        );
        assert_eq!(host.log(), expected);
        assert!(host.disk.mess.is_empty() && host.disk.info.is_empty());
        assert!(!host.actions.iter().any(|action| matches!(action, Action::Mark(..))));
        let opened = host.actions.iter().any(|action| matches!(action, Action::Open(..)));
        assert_eq!(opened, id % 2 == 1);
    }
}

#[test]
fn a_remote_message_goes_to_the_other_spawner() {
    let mut host = Host::begun();
    host.inject(7, "Flist-@here.test-@[]\0Tjoe@there.test\0");
    let command = host.sent.remote.pop_front().unwrap();
    assert_eq!(command.sender, b"list-joe=there.test@here.test");
    assert_eq!(command.file, b"7/7");
    host.report(Remote, 0, "Kok\n");
    assert!(host.log().contains("starting delivery 1: msg 7 to remote joe@there.test\n"));
}

#[test]
fn a_virtual_recipient_is_local() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tinfo@virt.test\0");
    assert_eq!(host.commands(Local), ["joe-info@virt.test"]);
    host.report(Local, 0, "DSorry. (#5.1.1)\n");
    let (sender, recipient, text) = host.letters.pop().unwrap();
    assert_eq!((sender.as_str(), recipient.as_str()), ("", "a@b"));
    assert_eq!(text, "<info@virt.test>:\nSorry. (#5.1.1)\n\n");
}

#[test]
fn both_channels_must_be_done_before_the_end() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@there.test\0");
    host.report(Local, 0, "K\n");
    assert!(!host.log().contains("end msg 7\n"));
    host.report(Remote, 0, "K\n");
    assert!(host.log().ends_with("end msg 7\n"));
}

#[test]
fn a_deferral_waits_for_its_time() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@there.test\0Ty@there.test\0");
    assert_eq!(host.commands(Remote), ["x@there.test", "y@there.test"]);
    host.report(Remote, 1, "Kok\n");
    host.report(Remote, 0, "Zlater\n");
    assert_eq!(host.disk.recipients.remote[&7], b"Tx@there.test\0Dy@there.test\0");
    assert_eq!(host.machine.deadline(host.now), START + 400);
    host.sleep();
    assert_eq!(host.commands(Remote), ["x@there.test"]);
    host.report(Remote, 0, "Kok\n");
    assert!(host.log().ends_with("end msg 7\n"));
}

#[test]
fn a_dying_message_is_given_up() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    for _ in 0..1000 {
        if host.commands(Remote).is_empty() {
            host.sleep();
        } else {
            host.report(Remote, 0, "ZI wasn't able to connect.\n");
        }
        if !host.letters.is_empty() {
            break;
        }
    }
    assert_eq!(host.now, START + 608_400);
    let log = host.log();
    assert_eq!(log.matches("deferral").count(), 39);
    assert!(log.ends_with(
        "delivery 40: failure: I_wasn't_able_to_connect./I'm_not_going_to_try_again;_this_message_\
         has_been_in_the_queue_too_long./\n\
         status: local 0/10 remote 0/20\n\
         bounce msg 7 qp 1\n\
         end msg 7\n"
    ));
    let expected = "<x@there.test>:\nI wasn't able to connect.\nI'm not going to try again; this \
                    message has been in the queue too long.\n\n";
    assert_eq!(host.letters[0].2, expected);
}

#[test]
fn bounces_double_and_triple() {
    let mut host = Host::begun();
    host.inject(7, "F\0Tx@here.test\0");
    host.report(Local, 0, "Dno\n");
    let (sender, recipient, _) = host.letters.pop().unwrap();
    assert_eq!((sender.as_str(), recipient.as_str()), ("#@[]", "postmaster@here.test"));
    host.inject(8, "F#@[]\0Tx@here.test\0");
    host.log();
    host.report(Local, 0, "Dno\n");
    assert!(host.letters.is_empty());
    assert!(host.log().ends_with("triple bounce: discarding bounce/8\nend msg 8\n"));
}

#[test]
fn a_failure_of_one_recipient_does_not_end_the_message() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@there.test\0");
    host.report(Local, 0, "Dno\n");
    assert!(host.letters.is_empty());
    host.report(Remote, 0, "Kok\n");
    assert_eq!(host.letters.len(), 1);
    assert!(host.disk.bounce.is_empty() && host.disk.mess.is_empty());
}

#[test]
fn a_message_to_nobody_ends() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0");
    assert_eq!(host.log(), "new msg 7\nend msg 7\n");
    assert!(host.disk.mess.is_empty());
}

#[test]
fn no_more_deliveries_than_slots() {
    let mut host = Host::limited(limits(2, 0));
    host.tell(Event::Begin(Vec::new(), Vec::new()));
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@here.test\0Tz@here.test\0Tw@there.test\0");
    assert_eq!(host.commands(Local), ["x@here.test", "y@here.test"]);
    assert_eq!(host.commands(Remote), [""; 0]);
    host.report(Local, 1, "Kok\n");
    assert_eq!(host.sent.local[0].recipients[0].slot, Slot::narrow(1));
    assert_eq!(host.commands(Local), ["z@here.test"]);
    assert_eq!(host.disk.recipients.local[&7], b"Tx@here.test\0Dy@here.test\0Tz@here.test\0");
}

#[test]
fn preprocessing_and_deliveries_take_turns() {
    let mut host = Host::begun();
    for id in 1..=200 {
        host.queue(id, "Fa@b\0Tx@here.test\0");
    }
    host.tell(Event::Pulled);
    host.turn();
    assert_eq!(host.log().matches("new msg").count(), 64);
    assert_eq!(host.machine.deadline(host.now), host.now);
    assert_eq!(host.commands(Local).len(), 10);
    host.report(Local, 3, "Kok\n");
    assert_eq!(host.log().matches("new msg").count(), 64);
    assert_eq!(host.commands(Local).len(), 1);
}

#[test]
fn the_queue_is_found_as_it_was_left() {
    let mut host = Host::new();
    host.disk.info.insert(7, (START - 500, "a@b".into()));
    host.disk.recipients.remote.insert(7, b"Dx@there.test\0Ty@there.test\0".into());
    host.disk.info.insert(8, (START - 500, "a@b".into()));
    host.disk.bounce.insert(8, "<z@there.test>:\nno\n\n".into());
    let due = |remote| Channels { local: None, remote };
    host.tell(Event::Begin(
        vec![
            Found { id: MessageId(7), due: due(Some(START + 100)), has_bounce: false },
            Found { id: MessageId(8), due: due(None), has_bounce: true },
        ],
        Vec::new(),
    ));
    host.disk.mess.extend([(7, String::new()), (8, String::new())]);
    host.turn();
    assert_eq!(host.log(), "status: local 0/10 remote 0/20\nbounce msg 8 qp 1\nend msg 8\n");
    while host.now < START + 100 {
        host.sleep();
    }
    assert_eq!(host.commands(Remote), ["y@there.test"]);
}
