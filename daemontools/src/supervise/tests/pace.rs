//! How soon it is started again.

use super::*;
use crate::state::Pause;

/// Lets the service end `after` a start at `start`; gives when it is started again.
fn falls(machine: &mut Machine, start: u64, end: Event, after: u64) -> u64 {
    bare(machine, Event::Started(7, Means::None), at(start));
    let at_once = bare(machine, end, at(start + after));
    if at_once.contains(&RUN) {
        return start + after;
    }
    let due = machine.deadline().unwrap();
    let next = u64::try_from(due.as_millis()).unwrap();
    assert_eq!(bare(machine, Event::Time, at(next - 1)), []);
    assert_eq!(bare(machine, Event::Time, at(next)), [RUN]);
    next
}

/// How many failures in a row it waits for.
fn failures(machine: &Machine) -> Option<u32> {
    match machine.state().pause {
        Some(Pause::Waiting(failures, _)) => Some(failures),
        _ => None,
    }
}

fn to_be_started() -> Machine {
    let mut machine = Machine::new(Want::Up, None, at(0));
    assert_eq!(bare(&mut machine, Event::Time, at(0)), [RUN]);
    machine
}

#[test]
fn one_that_keeps_failing_is_started_less_and_less_often() {
    let mut machine = to_be_started();
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let next = falls(&mut machine, now, FAILED, 100);
        pauses.push((next - now) / 1000);
        now = next;
    }
    assert_eq!(pauses, [1, 1, 1, 1, 1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn a_longer_pause_is_told_once() {
    let mut machine = to_be_started();
    let mut told = Vec::new();
    let mut now = 0;
    for _ in 0..12 {
        bare(&mut machine, Event::Started(7, Means::None), at(now));
        told.extend(bare(&mut machine, FAILED, at(now + 10)));
        now = u64::try_from(machine.deadline().unwrap().as_millis()).unwrap();
        bare(&mut machine, Event::Time, at(now));
    }
    let slow = |seconds| Action::Slow(Some(End::Exit(1)), Duration::from_secs(seconds));
    assert_eq!(told, [2, 4, 8, 16, 30].map(slow));
}

#[test]
fn a_run_of_a_second_or_a_good_end_or_a_wish_is_no_failure() {
    let wishes = [Some(b't'), Some(b'k'), Some(b'1'), None];
    for wish in wishes {
        let mut machine = to_be_started();
        let mut now = 0;
        for _ in 0..8 {
            now = falls(&mut machine, now, FAILED, 10);
        }
        bare(&mut machine, Event::Started(7, Means::None), at(now));
        match wish {
            Some(letter) => {
                bare(&mut machine, command(letter), at(now + 5));
                assert_eq!(bare(&mut machine, FAILED, at(now + 10)), []);
            }
            None => assert_eq!(bare(&mut machine, WELL, at(now + 10)), []),
        }
        assert_eq!(machine.deadline(), Some(at(now + 1000).steady));
        assert_eq!(failures(&machine), Some(0));
    }
    let mut machine = to_be_started();
    let mut now = 0;
    for _ in 0..8 {
        now = falls(&mut machine, now, FAILED, 10);
    }
    assert_eq!(falls(&mut machine, now, FAILED, 1000), now + 1000);
    bare(&mut machine, Event::Started(7, Means::None), at(now + 1000));
    bare(&mut machine, FAILED, at(now + 1010));
    assert_eq!(failures(&machine), Some(1));
}

#[test]
fn a_pause_ends_when_it_is_wanted_but_not_within_a_second_of_its_start() {
    let mut machine = to_be_started();
    let mut now = 0;
    for _ in 0..9 {
        now = falls(&mut machine, now, FAILED, 10);
    }
    bare(&mut machine, Event::Started(7, Means::None), at(now));
    bare(&mut machine, FAILED, at(now + 10));
    assert_eq!(machine.deadline(), Some(at(now + 30_000).steady));
    assert_eq!(bare(&mut machine, command(b'u'), at(now + 200)), []);
    assert_eq!(machine.deadline(), Some(at(now + 1000).steady));
    assert_eq!(bare(&mut machine, Event::Time, at(now + 1000)), [RUN]);
}

#[test]
fn what_it_waits_for_is_told() {
    let mut machine = to_be_started();
    bare(&mut machine, Event::Started(7, Means::None), at(0));
    bare(&mut machine, FAILED, at(200));
    let (failures, until) = match machine.state().pause {
        Some(Pause::Waiting(failures, until)) => (failures, until),
        other => panic!("{other:?}"),
    };
    // The wall says 0 s at 200 ms.
    assert_eq!((failures, until), (1, Wall { seconds: 0, nanos: 800_000_000 }));
    bare(&mut machine, Event::Time, at(1000));
    assert_eq!(machine.state().pause, None);
}

#[test]
fn what_cannot_be_run_is_tried_less_and_less_often() {
    let mut machine = to_be_started();
    let mut told = Vec::new();
    let mut now = 0;
    for _ in 0..7 {
        told.extend(bare(&mut machine, Event::Failed, at(now)));
        now = u64::try_from(machine.deadline().unwrap().as_millis()).unwrap();
        bare(&mut machine, Event::Time, at(now));
    }
    let slow = |seconds| Action::Slow(None, Duration::from_secs(seconds));
    assert_eq!((told, now), (vec![slow(2), slow(4)], 11_000));
}
