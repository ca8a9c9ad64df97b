//! Signals, and what goes wrong.

use queue::sweep::Request;

use super::super::*;
use super::host::{Host, START, limits};

use Channel::{Local, Remote};

#[test]
fn leaving_waits_for_deliveries_and_saves_the_times() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    host.report(Remote, 0, "Zlater\n");
    host.inject(9, "Fa@b\0Ty@here.test\0");
    host.log();
    host.tell(Event::Leave);
    host.turn();
    assert!(!host.has_exited);
    host.inject(11, "Fa@b\0Tz@here.test\0");
    host.report(Local, 0, "Dno\n");
    host.turn();
    assert_eq!(
        host.log(),
        "delivery 2: failure: no/\n\
         status: local 0/10 remote 0/20 exitasap\n\
         bounce msg 9 qp 1\n\
         end msg 9\n\
         status: exiting\n"
    );
    assert!(host.has_exited);
    assert_eq!(host.saved, [(Remote, MessageId(7), START + 400)]);
    assert!(host.disk.todo.contains_key(&11));
}

#[test]
fn times_that_the_files_have_are_not_saved_again() {
    let mut host = Host::new();
    let due = Channels { local: Some(START + 900), remote: None };
    host.tell(Event::Begin(vec![Found { id: MessageId(7), due, has_bounce: false }], Vec::new()));
    host.tell(Event::Leave);
    host.turn();
    assert!(host.has_exited && host.saved.is_empty());
}

#[test]
fn everything_is_tried_when_told_so() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@there.test\0");
    host.commands(Remote);
    host.report(Remote, 0, "Zlater\n");
    assert_eq!(host.commands(Remote), [""; 0]);
    host.tell(Event::RunNow);
    assert_eq!(host.commands(Remote), ["x@there.test"]);
}

#[test]
fn new_limits_take_effect_at_once() {
    let mut host = Host::limited(limits(1, 20));
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@here.test\0");
    assert_eq!(host.commands(Local), ["x@here.test"]);
    host.log();
    host.limits.concurrency.local = 500;
    host.tell(Event::Reread);
    assert_eq!(
        host.log(),
        "status: local 1/120 remote 0/20\n\
         starting delivery 2: msg 7 to local y@here.test\n\
         status: local 2/120 remote 0/20\n"
    );
    host.tell(Event::Reread);
    assert_eq!(host.log(), "");
}

#[test]
fn a_spawner_that_dies_ends_it() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@there.test\0");
    host.log();
    host.tell(Event::SpawnerGone(Local));
    host.tell(Event::SpawnerGone(Local));
    host.turn();
    assert_eq!(host.log(), "alert: oh no! lost spawn connection! dying...\n");
    host.report(Remote, 0, "Kok\n");
    assert!(host.log().ends_with("status: exiting\n"));
    assert_eq!(host.disk.recipients.local[&7], b"Tx@here.test\0");
}

#[test]
fn a_cleaner_that_dies_ends_it() {
    let mut host = Host::begun();
    host.tell(Event::CleanerGone);
    host.turn();
    let lines = "alert: oh no! lost qmail-clean connection! dying...\nstatus: exiting\n";
    assert_eq!(host.log(), lines);
}

#[test]
fn reports_that_make_no_sense_defer() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.log();
    host.report(Local, 5, "Kok\n");
    host.report(Local, 0, "what?\n");
    host.report(Local, 0, "Kok\n");
    assert_eq!(
        host.log(),
        "warning: internal error: delivery report out of range\n\
         delivery 1: report mangled, will defer\n\
         status: local 0/10 remote 0/20\n\
         warning: internal error: delivery report out of range\n"
    );
    assert_eq!(host.machine.deadline(host.now), START + 100);
}

#[test]
fn files_that_cannot_be_used_are_tried_again() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.log();
    host.is_broken = true;
    host.report(Local, 0, "Kok\n");
    assert!(host.log().ends_with("warning: unable to unlink local/7/7; will try again later\n"));
    assert_eq!(host.disk.recipients.local[&7], b"Dx@here.test\0");
    host.now = START + 123;
    host.turn();
    assert!(host.log().ends_with("warning: trouble opening local/7/7; will try again later\n"));
    host.is_broken = false;
    host.now = START + 246;
    host.turn();
    assert_eq!(host.log(), "end msg 7\n");
}

#[test]
fn a_bounce_that_cannot_be_sent_is_tried_again() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0Ty@here.test\0");
    host.report(Local, 0, "Dno\n");
    host.report(Local, 1, "Dno\n");
    assert_eq!(host.letters.len(), 1);
    host.inject(9, "Fa@b\0Tx@here.test\0");
    host.is_broken = true;
    host.report(Local, 0, "Dno\n");
    host.is_broken = false;
    host.turn();
    assert_eq!(host.letters.len(), 1);
}

#[test]
fn a_file_of_recipients_with_something_else_in_it_is_left() {
    let mut host = Host::begun();
    host.disk.info.insert(7, (START, "a@b".into()));
    host.disk.recipients.local.insert(7, b"Tx@here.test\0?\0".into());
    let due = Channels { local: Some(START), remote: None };
    let found = Found { id: MessageId(7), due, has_bounce: false };
    host.tell(Event::Looked(MessageId(7), Look::Found(found)));
    assert!(host.log().ends_with("warning: unknown record type in local/7/7!\n"));
    host.report(Local, 0, "Kok\n");
    assert_eq!(host.disk.recipients.local[&7], b"Dx@here.test\0?\0");
}

#[test]
fn an_envelope_whose_removal_is_under_way_is_not_read_again() {
    let mut host = Host::begun();
    host.unanswered = Some(Vec::new());
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.tell(Event::Pulled);
    host.turn();
    assert_eq!(host.log(), "new msg 7\n");
    assert_eq!(host.commands(Local), [""; 0]);
    for request in host.unanswered.take().unwrap() {
        host.clean(request, b'+');
    }
    host.turn();
    assert_eq!(host.commands(Local), ["x@here.test"]);
}

#[test]
fn a_number_may_be_used_again_before_the_answer_is_heard() {
    let mut host = Host::begun();
    host.inject(7, "Fa@b\0Tx@here.test\0");
    host.commands(Local);
    host.unanswered = Some(Vec::new());
    host.report(Local, 0, "Kok\n");
    assert_eq!(host.unanswered, Some(vec![Request::Message(MessageId(7))]));
    // The cleaner has removed it, another message has got its number, and then the answers come.
    host.disk.mess.clear();
    host.inject(7, "Fa@b\0Ty@here.test\0");
    host.log();
    host.tell(Event::Answers(b"+".into()));
    host.disk.todo.clear();
    host.tell(Event::Answers(b"+".into()));
    assert_eq!(host.commands(Local), ["y@here.test"]);
}

#[test]
fn an_envelope_that_cannot_be_removed_is_read_again() {
    let mut host = Host::begun();
    host.unanswered = Some(Vec::new());
    host.inject(7, "Fa@b\0Tx@here.test\0");
    for request in host.unanswered.take().unwrap() {
        host.clean(request, b'!');
    }
    host.turn();
    assert_eq!(host.log(), "new msg 7\nwarning: qmail-clean unable to clean up todo/7\n");
    host.now = START + 123;
    host.turn();
    assert_eq!(host.commands(Local), ["x@here.test"]);
}

#[test]
fn a_message_that_cannot_be_preprocessed_does_not_wait_for_the_next_one() {
    let machine = &mut Host::begun().machine;
    machine.step(START, Event::Pulled);
    machine.step(START, Event::Turn);
    let listed = Event::Listed(Some(vec![MessageId(7)]), true);
    let wanted = Action::Preprocess(vec![MessageId(7)], Channels::default());
    assert_eq!(machine.step(START, listed), [wanted]);
    machine.step(START, Event::Preprocessed(Vec::new(), Vec::new(), Vec::new()));
    assert_eq!(machine.deadline(START), START + 123);
}

#[test]
fn todo_is_looked_into_from_time_to_time() {
    let mut host = Host::begun();
    assert_eq!(host.machine.deadline(host.now), START + 1500);
    host.is_watching = false;
    host.now = START + 1500;
    host.turn();
    assert_eq!(host.machine.deadline(host.now), START + 1530);
    host.is_broken = true;
    host.now = START + 1530;
    host.turn();
    assert_eq!(host.log(), "alert: unable to opendir todo, sleeping...\n");
    assert_eq!(host.machine.deadline(host.now), START + 1540);
}

#[test]
fn files_of_nobody_are_swept_once() {
    let mut host = Host::begun();
    host.inject(24, "Fa@b\0Tx@there.test\0");
    host.disk.mess.insert(25, String::new());
    host.unanswered = Some(Vec::new());
    for _ in 0..100 {
        host.sleep();
        host.now += 1000;
    }
    assert_eq!(host.unanswered, Some(vec![Request::Message(MessageId(25))]));
}
