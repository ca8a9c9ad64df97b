//! What `run` leaves behind, where nothing may stay.

use super::*;
use crate::state::Pause;

const FINISH: Action = Action::Launch(Program::Finish(End::Exit(1)));
const KILL: Action = Action::Signal(Signal::SIGKILL, Reach::Whole);

/// A service that has ended after two seconds, and has left something behind.
fn clearing() -> Machine {
    let mut machine = running();
    let ended = [Action::Notify(Program::Run, 7, Some(End::Exit(1))), Action::Clear];
    assert_eq!(machine.step(FAILED, at(2000)), ended);
    let patience = Event::Patience(Duration::from_secs(5), Reach::Whole);
    assert_eq!(machine.step(patience, at(2000)), []);
    machine
}

#[test]
fn nothing_is_started_before_the_rest_has_ended() {
    let mut machine = clearing();
    assert_eq!(told(&machine), (Service::Down, Want::Up));
    assert_eq!(machine.state().pause, Some(Pause::Clearing(at(2000).wall)));
    assert_eq!(machine.step(command(b'u'), at(2100)), []);
    assert_eq!(machine.step(Event::Cleared, at(2200)), [FINISH]);
    assert_eq!(machine.step(Event::Absent, at(2200)), [RUN]);
    // It is told once.
    assert_eq!(machine.step(Event::Cleared, at(2200)), []);
}

#[test]
fn what_does_not_end_in_time_is_killed_and_waited_for() {
    let mut machine = clearing();
    assert_eq!(machine.deadline(), Some(Duration::from_secs(7)));
    assert_eq!(machine.step(Event::Time, at(6999)), []);
    assert_eq!(machine.step(Event::Time, at(7000)), [KILL]);
    assert_eq!((machine.deadline(), machine.is_clearing()), (None, true));
    assert_eq!(machine.step(Event::Cleared, at(7100)), [FINISH]);
    assert!(!machine.is_clearing());
}

#[test]
fn wishes_that_come_meanwhile_are_kept() {
    let mut machine = clearing();
    assert_eq!(machine.step(command(b'd'), at(2100)), []);
    assert_eq!(machine.step(command(b'k'), at(2100)), []);
    let kill = Command { letter: b'k', reach: Reach::Whole };
    assert_eq!(machine.step(Event::Command(kill), at(2100)), [KILL]);
    assert_eq!(machine.step(command(b'x'), at(2200)), []);
    assert_eq!(bare(&mut machine, Event::Cleared, at(2300)), [Action::Leave]);

    let mut machine = clearing();
    machine.step(command(b'd'), at(2100));
    machine.step(command(b'o'), at(2200));
    assert_eq!(bare(&mut machine, Event::Cleared, at(2300)), [RUN]);
}
