//! Messages delivered straight from todo/.

use queue::sweep::Request;

use super::super::*;
use super::host::{Hears, Host, Preprocesses, START, limits};
use crate::spawn::protocol::Slot;

use Channel::{Local, Remote};

/// Begun, and ready to deliver so.
pub(super) fn straight() -> Host {
    straight_with(limits(10, 20))
}

pub(super) fn straight_with(limits: Limits) -> Host {
    let mut host = Host::limited(limits);
    host.bears = Some(1000);
    host.preprocesses = Preprocesses::TheRest;
    host.begin()
}

pub(super) fn report(host: &mut Host, channel: Channel, slot: u32, text: &str) {
    host.report_on(channel, Slot::wide(slot), text);
}

#[test]
fn a_message_is_delivered_and_no_file_is_written() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tjoe@here.test\0");
    assert_eq!(host.commands(Local), ["joe@here.test"]);
    assert!(host.disk.info.is_empty() && host.disk.todo.contains_key(&7));
    report(&mut host, Local, 0, "Kdid 1+0+0\n");
    assert_eq!(
        host.log(),
        "new msg 7\n\
         starting delivery 1: msg 7 to local joe@here.test\n\
         status: local 1/10 remote 0/20\n\
         delivery 1: success: did_1+0+0/\n\
         status: local 0/10 remote 0/20\n\
         end msg 7\n"
    );
    assert!(host.disk.mess.is_empty() && host.disk.todo.is_empty());
    assert!(!host.actions.iter().any(|action| matches!(action, Action::WriteDown(_))));
}

#[test]
fn nothing_is_told_before_the_envelope_is_gone() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tjoe@here.test\0");
    host.log();
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kdid 1+0+0\n");
    assert_eq!(host.unanswered, Some(vec![Request::Over(MessageId(7))]));
    assert_eq!(host.log(), "");
    // It is listed again, and not taken for a new one.
    host.tell(Event::Pulled);
    host.turn();
    assert_eq!(host.log(), "");
    host.unanswered = None;
    host.clean(Request::Over(MessageId(7)), b'+');
    host.turn();
    assert!(host.log().ends_with("end msg 7\n"));
    assert!(host.disk.mess.is_empty());
}

#[test]
fn a_slot_is_free_when_its_delivery_is_over() {
    let mut host = straight_with(limits(1, 1));
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.inject(8, "Fa@b\0Ty@here.test\0");
    assert_eq!(host.commands(Local), ["x@here.test"]);
    host.log();
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kok\n");
    assert_eq!(host.commands(Local), ["y@here.test"]);
    host.unanswered = None;
    host.clean(Request::Over(MessageId(7)), b'+');
    host.turn();
    assert_eq!(
        host.log(),
        "starting delivery 2: msg 8 to local y@here.test\n\
         status: local 1/1 remote 0/1\n\
         delivery 1: success: ok/\n\
         status: local 1/1 remote 0/1\n\
         end msg 7\n"
    );
}

#[test]
fn leaving_waits_for_what_is_not_told_yet() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.log();
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kok\n");
    host.tell(Event::Leave);
    host.turn();
    assert!(!host.has_exited);
    host.unanswered = None;
    host.clean(Request::Over(MessageId(7)), b'+');
    host.turn();
    assert!(host.has_exited);
    assert!(host.log().ends_with("end msg 7\nstatus: exiting\n"));
    assert!(host.disk.mess.is_empty());
}

#[test]
fn who_is_not_reached_has_a_message_like_any_other() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    report(&mut host, Remote, 0, "Zlater\n");
    assert!(host.disk.todo.is_empty());
    assert_eq!(host.disk.info[&7], (START, "a@b".to_owned()));
    assert_eq!(host.disk.recipients.remote[&7], b"Tx@there.test\0");
    assert!(host.log().ends_with(
        "delivery 1: deferral: later/\n\
         status: local 0/10 remote 0/20\n"
    ));
    assert_eq!(host.machine.deadline(host.now), START + 400);
    host.commands(Remote);
    host.sleep();
    assert_eq!(host.commands(Remote), ["x@there.test"]);
    report(&mut host, Remote, 0, "Kok\n");
    assert!(host.log().ends_with("end msg 7\n"));
    assert!(host.disk.mess.is_empty() && host.disk.info.is_empty());
}

#[test]
fn a_failure_bounces() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tinfo@virt.test\0");
    report(&mut host, Local, 0, "DSorry. (#5.1.1)\n");
    let (sender, recipient, text) = host.letters.pop().unwrap();
    assert_eq!((sender.as_str(), recipient.as_str()), ("", "a@b"));
    assert_eq!(text, "<info@virt.test>:\nSorry. (#5.1.1)\n\n");
    assert!(host.disk.mess.is_empty() && host.disk.info.is_empty());
}

#[test]
fn what_takes_long_is_preprocessed_meanwhile() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    assert_eq!(host.machine.deadline(host.now), START + 2);
    host.sleep();
    assert!(host.disk.todo.is_empty() && host.disk.info.contains_key(&7));
    assert_eq!(host.commands(Remote), ["x@there.test"]);
    host.sleep();
    assert_eq!(host.commands(Remote), [""; 0]);
    report(&mut host, Remote, 0, "Kok\n");
    assert!(
        host.log()
            .ends_with("delivery 1: success: ok/\nstatus: local 0/10 remote 0/20\nend msg 7\n")
    );
    assert!(host.disk.mess.is_empty() && host.disk.recipients.remote.is_empty());
}

#[test]
fn a_report_waits_while_the_message_is_preprocessed() {
    for (text, end) in [("Kok\n", true), ("Zlater\n", false)] {
        let mut host = straight();
        host.inject(7, "Fa@b\0Tx@there.test\0");
        host.unanswered = Some(Vec::new());
        host.sleep();
        host.log();
        report(&mut host, Remote, 0, text);
        assert_eq!(host.log(), "");
        host.unanswered = None;
        host.clean(Request::Envelope(MessageId(7)), b'+');
        host.turn();
        assert!(host.log().starts_with("delivery 1: "));
        assert_eq!(host.disk.mess.is_empty(), end);
        assert_eq!(host.disk.recipients.remote.is_empty(), end);
    }
}

#[test]
fn where_slots_become_free_a_message_waits_in_todo_for_one() {
    let mut host = straight();
    for id in 1..=100 {
        host.queue(id, "Fa@b\0Tx@here.test\0");
    }
    host.tell(Event::Pulled);
    host.turn();
    assert_eq!(host.log().matches("new msg").count(), 10);
    // As many may wait as are under way.
    assert_eq!(host.machine.deadline(host.now), host.now);
    host.turn();
    assert_eq!(host.log().matches("new msg").count(), 10);
    assert_eq!(host.machine.deadline(host.now), START + 2);
    host.turn();
    assert_eq!(host.log(), "");
    report(&mut host, Local, 3, "Kok\n");
    assert_eq!(host.log().matches("new msg").count(), 1);
    assert!(host.disk.info.is_empty());
    for _ in 0..200 {
        for slot in 0..10 {
            report(&mut host, Local, slot, "Kok\n");
        }
    }
    assert!(host.disk.mess.is_empty() && host.disk.info.is_empty());
}

/// More local messages than the channel bears, and a remote one behind them.
fn crowded() -> Host {
    let mut host = straight();
    for id in 1..=200 {
        host.queue(id, "Fa@b\0Tx@here.test\0");
    }
    host.queue(201, "Fa@b\0Tx@there.test\0");
    host.tell(Event::Pulled);
    host.turn();
    host.turn();
    host
}

#[test]
fn where_none_becomes_free_nothing_waits_in_todo() {
    let mut host = crowded();
    assert_eq!(host.disk.todo.len(), 201);
    host.sleep();
    while host.machine.deadline(host.now) == host.now {
        host.turn();
    }
    // The ten deliveries under way and those that waited, then the others as they come; the remote one is
    // begun at once.
    assert_eq!(host.disk.info.len(), 200);
    assert_eq!(host.disk.todo.len(), 1);
    assert_eq!(host.commands(Remote), ["x@there.test"]);
}

/// Local deliveries end in time, but there are more of them than the channel bears.
#[test]
fn another_channel_s_messages_are_not_held_up_for_long() {
    let mut host = crowded();
    report(&mut host, Local, 0, "Kok\n");
    assert_eq!(host.commands(Remote), [""; 0]);
    host.now = START + 1;
    for slot in 0..10 {
        report(&mut host, Local, slot, "Kok\n");
    }
    assert_eq!(host.disk.info.len(), 0);
    host.now = host.machine.deadline(host.now);
    assert_eq!(host.now, START + 2);
    while host.machine.deadline(host.now) == host.now {
        host.turn();
    }
    assert_eq!(host.commands(Remote), ["x@there.test"]);
}

#[test]
fn a_channel_without_slots_holds_nothing_up() {
    let mut host = straight_with(limits(0, 1));
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.inject(8, "Fa@b\0Tx@there.test\0");
    assert_eq!(host.disk.recipients.local[&7], b"Tx@here.test\0");
    assert_eq!(host.commands(Remote), ["x@there.test"]);
}

#[test]
fn an_envelope_that_stays_is_not_delivered_again() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.commands(Local);
    host.log();
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kok\n");
    host.unanswered = None;
    host.clean(Request::Over(MessageId(7)), b'!');
    host.turn();
    assert_eq!(
        host.log(),
        "warning: qmail-clean unable to clean up todo/7\n\
         delivery 1: success: ok/\n\
         status: local 0/10 remote 0/20\n"
    );
    host.tell(Event::Pulled);
    host.turn();
    assert_eq!(host.log(), "");
    host.now = START + 123;
    host.turn();
    assert_eq!(host.log(), "end msg 7\n");
    assert_eq!(host.commands(Local), [""; 0]);
    assert!(host.disk.mess.is_empty() && host.disk.todo.is_empty());
}

#[test]
fn a_message_that_cannot_be_removed_is_over_all_the_same() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.log();
    host.unanswered = Some(Vec::new());
    report(&mut host, Local, 0, "Kok\n");
    host.unanswered = None;
    host.clean(Request::Over(MessageId(7)), b'-');
    host.turn();
    assert_eq!(
        host.log(),
        "delivery 1: success: ok/\n\
         status: local 0/10 remote 0/20\n\
         end msg 7\n\
         warning: qmail-clean unable to clean up foop/7\n"
    );
    assert!(host.disk.todo.is_empty() && host.disk.mess.contains_key(&7));
}

#[test]
fn the_next_message_of_a_number_is_not_overlooked() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.commands(Local);
    host.log();
    host.hears = Hears::Later;
    report(&mut host, Local, 0, "Kok\n");
    assert!(host.disk.mess.is_empty() && host.disk.todo.is_empty());
    host.inject(7, "Fa@b\0Ty@here.test\0");
    assert_eq!(host.log(), "");
    host.hears = Hears::AtOnce;
    host.turn();
    assert_eq!(host.commands(Local), ["y@here.test"]);
    assert_eq!(
        host.log(),
        "delivery 1: success: ok/\n\
         status: local 0/10 remote 0/20\n\
         end msg 7\n\
         new msg 7\n\
         starting delivery 2: msg 7 to local y@here.test\n\
         status: local 1/10 remote 0/20\n"
    );
}

#[test]
fn a_message_ends_though_the_last_one_s_removal_is_not_heard_of() {
    let mut host = straight();
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@here.test\0");
    report(&mut host, Local, 0, "Kok\n");
    host.hears = Hears::Later;
    report(&mut host, Local, 1, "Kok\n");
    assert!(host.disk.mess.is_empty());
    host.inject(7, "Fa@b\0Tz@here.test\0");
    report(&mut host, Local, 0, "Kok\n");
    assert!(host.disk.mess.is_empty() && host.disk.todo.is_empty());
    host.hears = Hears::AtOnce;
    host.turn();
    assert!(
        host.log()
            .ends_with("delivery 3: success: ok/\nstatus: local 0/10 remote 0/20\nend msg 7\n")
    );
}

#[test]
fn another_s_cleaner_is_asked_for_one_thing_after_the_other() {
    let mut host = straight();
    host.others = Some(b'x');
    for id in [7, 8] {
        host.inject(id, "Fa@b\0Tx@here.test\0");
        report(&mut host, Local, 0, "Kok\n");
    }
    let asked = host.actions.iter().filter_map(|action| match action {
        Action::Ask(request) => Some(*request),
        _ => None,
    });
    let [one, other] = [MessageId(7), MessageId(8)];
    let first = [Request::Over(one), Request::Envelope(one), Request::Message(one)];
    let then = [Request::Envelope(other), Request::Message(other)];
    assert_eq!(asked.collect::<Vec<_>>(), [first.as_slice(), &then].concat());
    assert!(host.disk.mess.is_empty());
    assert!(host.log().ends_with("end msg 8\n"));
}

#[test]
fn leaving_needs_no_file() {
    let mut host = straight_with(limits(1, 1));
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.inject(9, "Fa@b\0Ty@there.test\0");
    host.inject(8, "Fa@b\0Ty@here.test\0");
    host.tell(Event::Leave);
    report(&mut host, Local, 0, "Kok\n");
    assert!(!host.has_exited);
    report(&mut host, Remote, 0, "Zlater\n");
    assert!(host.has_exited);
    assert_eq!(host.saved, [(Remote, MessageId(9), START + 400)]);
    assert_eq!(host.disk.todo.keys().copied().collect::<Vec<_>>(), [8]);
}

#[test]
fn with_another_s_spawner_everything_is_preprocessed_first() {
    let mut host = Host::begun();
    host.preprocesses = Preprocesses::TheRest;
    host.inject(7, "Fa@b\0Tx@here.test\0");
    assert!(host.disk.todo.is_empty() && host.disk.info.contains_key(&7));
}
