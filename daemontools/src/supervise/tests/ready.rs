//! Readiness.

use super::*;

fn started(means: Means) -> Machine {
    let mut machine = Machine::new(Want::Up, None, at(0));
    bare(&mut machine, Event::Time, at(0));
    bare(&mut machine, Event::Started(7, means), at(0));
    machine
}

fn is_ready(machine: &Machine) -> Option<bool> {
    machine.state().ready.map(|ready| ready.is_ready)
}

#[test]
fn a_service_that_does_not_tell_is_neither() {
    let mut machine = started(Means::None);
    assert_eq!((is_ready(&machine), machine.deadline()), (None, None));
    bare(&mut machine, Event::Ready, at(10));
    assert_eq!(is_ready(&machine), None);
}

#[test]
fn a_notification_makes_it_ready_until_it_ends() {
    let mut machine = started(Means::Notification);
    assert_eq!((is_ready(&machine), machine.deadline()), (Some(false), None));
    bare(&mut machine, Event::Ready, at(2000));
    let ready = machine.state().ready.unwrap();
    assert_eq!((ready.pid, ready.is_ready, ready.since.seconds), (7, true, 2));
    bare(&mut machine, Event::Ready, at(3000));
    assert_eq!(machine.state().ready.unwrap().since.seconds, 2);
    bare(&mut machine, FAILED, at(4000));
    assert_eq!(is_ready(&machine), None);
    bare(&mut machine, Event::Started(8, Means::Notification), at(4000));
    assert_eq!(is_ready(&machine), Some(false));
}

#[test]
fn a_check_is_asked_at_growing_distances_until_it_says_yes() {
    let mut machine = started(Means::Check);
    let mut asked = Vec::new();
    for _ in 0..9 {
        let due = machine.deadline().unwrap();
        let now = Time { steady: due, wall: Wall { seconds: 0, nanos: 0 } };
        assert_eq!(bare(&mut machine, Event::Time, now), [Action::Check]);
        asked.push(u64::try_from(due.as_millis()).unwrap());
        assert_eq!(bare(&mut machine, Event::Checked(false), now), []);
    }
    assert_eq!(asked, [20, 40, 80, 160, 320, 640, 1280, 2280, 3280]);
    bare(&mut machine, Event::Time, at(4280));
    bare(&mut machine, Event::Checked(true), at(4300));
    assert_eq!((is_ready(&machine), machine.deadline()), (Some(true), None));
}

#[test]
fn a_check_that_does_not_answer_is_ended_and_asked_again() {
    let mut machine = started(Means::Check);
    assert_eq!(bare(&mut machine, Event::Time, at(20)), [Action::Check]);
    assert_eq!(bare(&mut machine, Event::Time, at(10_019)), []);
    assert_eq!(bare(&mut machine, Event::Time, at(10_020)), [Action::EndCheck]);
    assert_eq!(bare(&mut machine, Event::Time, at(10_040)), [Action::Check]);
    assert_eq!(bare(&mut machine, FAILED, at(11_000)), [Action::EndCheck, RUN]);
}

#[test]
fn an_answer_that_comes_too_late_says_nothing_about_the_next_process() {
    let mut machine = started(Means::Check);
    bare(&mut machine, Event::Time, at(20));
    bare(&mut machine, FAILED, at(2000));
    bare(&mut machine, Event::Started(8, Means::None), at(2000));
    bare(&mut machine, Event::Checked(true), at(2001));
    assert_eq!(is_ready(&machine), None);
}
