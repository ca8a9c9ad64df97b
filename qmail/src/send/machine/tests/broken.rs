//! Envelopes of messages that did not prove themselves.

use queue::sweep::Request;

use super::super::*;
use super::host::{Host, START};

const ID: MessageId = MessageId(7);
const ASKED: Action = Action::Ask(Request::Envelope(ID));

/// The message is listed; gives what is done about it.
fn list(machine: &mut Machine) -> Vec<Action> {
    machine.step(START, Event::Listed(Some(vec![ID]), true))
}

fn look() -> Action {
    Action::Preprocess(vec![ID], Channels::default())
}

/// What is left of a message that did not prove itself: its envelope is asked for.
fn broken(machine: &mut Machine) {
    assert_eq!(list(machine), [look()]);
    let broken = Event::Preprocessed(Vec::new(), Vec::new(), vec![ID]);
    assert_eq!(machine.step(START, broken), [ASKED]);
}

#[test]
fn an_envelope_that_proves_nothing_is_removed_and_nothing_else_is_done_about_it() {
    let machine = &mut Host::begun().machine;
    broken(machine);
    assert!(machine.deadline(START) > START + 123, "nothing of it is to be tried again");
    machine.step(START, Event::Answers(b"+".to_vec()));
    assert!(!machine.messages.contains_key(&ID));
}

/// Asked twice, qmail-clean would remove the envelope of the next message that has the number.
#[test]
fn it_is_asked_for_once() {
    let machine = &mut Host::begun().machine;
    broken(machine);
    assert_eq!(list(machine), []);
    let again = Event::Preprocessed(Vec::new(), Vec::new(), vec![ID]);
    assert_eq!(machine.step(START, again), []);
}

/// Its number is free: the trigger may have been pulled for another message before the answer was heard.
#[test]
fn todo_is_listed_again_when_it_is_gone() {
    let machine = &mut Host::begun().machine;
    broken(machine);
    assert_eq!(list(machine), []);
    machine.step(START, Event::Answers(b"+".to_vec()));
    assert_eq!(machine.deadline(START), START);
    assert_eq!(machine.step(START, Event::Turn), [Action::Scan]);
    assert_eq!(list(machine), [look()]);
}

/// What has the number by then may be another message.
#[test]
fn one_that_cannot_be_removed_is_proved_again_before_it_is_asked_for_again() {
    let machine = &mut Host::begun().machine;
    broken(machine);
    let lines = b"warning: qmail-clean unable to clean up todo/7\n".to_vec();
    assert_eq!(machine.step(START, Event::Answers(b"!".to_vec())), [Action::Log(lines)]);
    assert_eq!(machine.deadline(START), START + 123);
    assert_eq!(list(machine), [look()]);
}
