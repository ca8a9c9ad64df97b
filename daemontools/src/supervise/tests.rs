use std::time::Duration;

use super::*;
use crate::status::{Service, Want};

mod clearing;
mod pace;
mod ready;
mod scripts;

const RUN: Action = Action::Launch(Program::Run);

/// The time `millis` after the test's beginning.
fn at(millis: u64) -> Time {
    let seconds = i64::try_from(millis / 1000).unwrap();
    Time { steady: Duration::from_millis(millis), wall: Wall { seconds, nanos: 0 } }
}

fn command(letter: u8) -> Event {
    Event::Command(Command { letter, reach: Reach::Process })
}

const FAILED: Event = Event::Ended(End::Exit(1));
const WELL: Event = Event::Ended(End::Exit(0));

/// Steps the machine of a service that has nothing but a `run`; gives what else is to be done.
fn bare(machine: &mut Machine, event: Event, now: Time) -> Vec<Action> {
    let mut seen = Vec::new();
    let mut events = std::collections::VecDeque::from([event]);
    while let Some(event) = events.pop_front() {
        for action in machine.step(event, now) {
            match action {
                Action::Launch(Program::Run) => seen.push(action),
                Action::Launch(_) => events.push_back(Event::Absent),
                Action::Notify(..) => {}
                Action::Clear => events.push_back(Event::Cleared),
                _ => seen.push(action),
            }
        }
    }
    seen
}

/// A service that came up as process 7 at the beginning.
fn running() -> Machine {
    let mut machine = Machine::new(Want::Up, None, at(0));
    assert_eq!(bare(&mut machine, Event::Time, at(0)), [RUN]);
    assert_eq!(bare(&mut machine, Event::Started(7, Means::None), at(0)), []);
    machine
}

/// A service with a file named down.
fn down() -> Machine {
    let mut machine = Machine::new(Want::Down, None, at(0));
    assert_eq!(bare(&mut machine, Event::Time, at(0)), []);
    machine
}

fn told(machine: &Machine) -> (Service, Want) {
    let status = machine.status();
    (status.service, status.want)
}

const UP: Service = Service::Up { pid: 7, paused: false };
const PAUSED: Service = Service::Up { pid: 7, paused: true };

#[test]
fn a_service_starts_at_once_unless_it_is_normally_down() {
    assert_eq!(told(&running()), (UP, Want::Up));
    assert_eq!(told(&down()), (Service::Down, Want::Down));
    assert_eq!(down().deadline(), None);
}

#[test]
fn one_that_ran_longer_than_a_second_is_started_again_at_once() {
    let mut machine = running();
    assert_eq!(bare(&mut machine, FAILED, at(1000)), [RUN]);
    assert_eq!(bare(&mut machine, Event::Started(8, Means::None), at(1001)), []);
    assert_eq!(machine.pid(), Some(8));
}

#[test]
fn one_that_ends_sooner_waits_until_a_second_after_its_start() {
    let mut machine = running();
    assert_eq!(bare(&mut machine, FAILED, at(200)), []);
    assert_eq!(machine.deadline(), Some(Duration::from_secs(1)));
    assert_eq!(bare(&mut machine, Event::Time, at(999)), []);
    assert_eq!(bare(&mut machine, Event::Time, at(1000)), [RUN]);
    // Nobody has told yet what came of it: it is not started twice.
    assert_eq!(bare(&mut machine, Event::Time, at(2000)), []);
}

#[test]
fn commands_count_while_it_waits() {
    let mut machine = running();
    bare(&mut machine, FAILED, at(200));
    assert_eq!(bare(&mut machine, command(b'd'), at(300)), []);
    assert_eq!((told(&machine), machine.deadline()), ((Service::Down, Want::Down), None));
    assert_eq!(bare(&mut machine, command(b'u'), at(400)), []);
    assert_eq!(bare(&mut machine, Event::Time, at(1000)), [RUN]);
}

#[test]
fn every_command_does_what_the_manual_says_to_a_running_service() {
    let table = [
        (b'u', None, (UP, Want::Up)),
        (b'o', None, (UP, Want::Once)),
        (b'x', None, (UP, Want::Up)),
        (b'p', Some(Signal::SIGSTOP), (PAUSED, Want::Up)),
        (b'c', Some(Signal::SIGCONT), (UP, Want::Up)),
        (b'h', Some(Signal::SIGHUP), (UP, Want::Up)),
        (b'a', Some(Signal::SIGALRM), (UP, Want::Up)),
        (b'i', Some(Signal::SIGINT), (UP, Want::Up)),
        (b't', Some(Signal::SIGTERM), (UP, Want::Up)),
        (b'k', Some(Signal::SIGKILL), (UP, Want::Up)),
        (b'q', Some(Signal::SIGQUIT), (UP, Want::Up)),
        (b'1', Some(Signal::SIGUSR1), (UP, Want::Up)),
        (b'2', Some(Signal::SIGUSR2), (UP, Want::Up)),
        (b'w', Some(Signal::SIGWINCH), (UP, Want::Up)),
        (b'z', None, (UP, Want::Up)),
        (0, None, (UP, Want::Up)),
    ];
    for (letter, signal, status) in table {
        for reach in [Reach::Process, Reach::Whole] {
            let mut machine = running();
            let actions: Vec<_> = signal.map(|s| Action::Signal(s, reach)).into_iter().collect();
            let command = Event::Command(Command { letter, reach });
            assert_eq!(machine.step(command, at(100)), actions, "{}", char::from(letter));
            assert_eq!(told(&machine), status, "{}", char::from(letter));
        }
    }
    let mut machine = running();
    assert_eq!(machine.step(command(b'd'), at(100)), [Action::End(Reach::Process)]);
    assert_eq!(told(&machine), (UP, Want::Down));
}

#[test]
fn every_command_does_what_the_manual_says_to_a_service_that_is_down() {
    let table = [
        (b'u', vec![RUN], Want::Up),
        (b'd', vec![], Want::Down),
        (b'o', vec![RUN], Want::Once),
        (b'x', vec![Action::Leave], Want::Down),
    ];
    for (letter, actions, want) in table {
        let mut machine = down();
        assert_eq!(bare(&mut machine, command(letter), at(100)), actions, "{letter}");
        assert_eq!(told(&machine), (Service::Down, want), "{}", char::from(letter));
    }
    for letter in *b"pchaitkq12wz" {
        let mut machine = down();
        assert_eq!(bare(&mut machine, command(letter), at(100)), [], "{}", char::from(letter));
        assert_eq!(told(&machine), (Service::Down, Want::Down), "{}", char::from(letter));
    }
}

#[test]
fn what_a_service_has_left_behind_can_be_reached_though_it_is_down() {
    let whole = |letter| Event::Command(Command { letter, reach: Reach::Whole });
    let mut machine = down();
    let killed = [Action::Signal(Signal::SIGKILL, Reach::Whole)];
    assert_eq!(machine.step(whole(b'k'), at(100)), killed);
    assert_eq!(machine.step(whole(b'd'), at(100)), [Action::End(Reach::Whole)]);
    // It is not the service that takes so long.
    machine.step(Event::Patience(Duration::from_millis(50), Reach::Whole), at(100));
    assert_eq!(bare(&mut machine, command(b'u'), at(100)), [RUN]);
    bare(&mut machine, Event::Started(7, Means::None), at(200));
    assert_eq!(machine.deadline(), None);
}

#[test]
fn a_service_that_ends_does_what_is_wanted() {
    for (byte, actions) in [(b'u', vec![RUN]), (b'd', vec![]), (b'o', vec![])] {
        let mut machine = running();
        bare(&mut machine, command(byte), at(2000));
        assert_eq!(bare(&mut machine, FAILED, at(3000)), actions, "{}", char::from(byte));
        assert_eq!(machine.status().since.seconds, 3);
        let last = machine.state().last.unwrap();
        assert_eq!((last.0, last.1.seconds), (End::Exit(1), 3));
    }
}

#[test]
fn an_exit_is_taken_when_the_service_is_down_and_then_it_is_not_started() {
    let mut machine = running();
    assert_eq!(bare(&mut machine, command(b'x'), at(100)), []);
    assert_eq!(bare(&mut machine, command(b'u'), at(100)), []);
    assert_eq!(bare(&mut machine, FAILED, at(5000)), [Action::Leave]);

    let mut waiting = running();
    bare(&mut waiting, FAILED, at(200));
    assert_eq!(bare(&mut waiting, command(b'x'), at(300)), [Action::Leave]);
}

#[test]
fn a_start_ends_the_pause() {
    let mut machine = running();
    bare(&mut machine, command(b'p'), at(100));
    assert_eq!(told(&machine).0, PAUSED);
    bare(&mut machine, command(b'd'), at(100));
    assert_eq!(told(&machine).0, UP);
    bare(&mut machine, command(b'p'), at(100));
    bare(&mut machine, command(b'u'), at(100));
    assert_eq!(bare(&mut machine, FAILED, at(2000)), [RUN]);
    bare(&mut machine, Event::Started(7, Means::None), at(2000));
    assert_eq!(told(&machine).0, UP);
}

#[test]
fn what_cannot_be_started_stays_down_and_is_tried_again() {
    let mut machine = Machine::new(Want::Up, None, at(0));
    bare(&mut machine, Event::Time, at(0));
    assert_eq!(bare(&mut machine, Event::Failed, at(5)), []);
    assert_eq!(told(&machine), (Service::Down, Want::Up));
    assert_eq!(machine.deadline(), Some(Duration::from_millis(1005)));
    assert_eq!(bare(&mut machine, Event::Time, at(1005)), [RUN]);
    assert_eq!(bare(&mut machine, Event::NoProcess, at(1005)), []);
    assert_eq!(bare(&mut machine, Event::Time, at(61_004)), []);
    assert_eq!(bare(&mut machine, Event::Time, at(61_005)), [RUN]);
}

#[test]
fn what_is_wanted_once_is_tried_once() {
    let mut machine = down();
    assert_eq!(bare(&mut machine, command(b'o'), at(100)), [RUN]);
    assert_eq!(bare(&mut machine, Event::Failed, at(105)), []);
    assert_eq!((told(&machine), machine.deadline()), ((Service::Down, Want::Once), None));
    assert_eq!(bare(&mut machine, command(b'x'), at(2000)), [Action::Leave]);
}

#[test]
fn a_logger_reads_to_the_end_before_its_supervise_leaves() {
    let mut machine = running();
    assert_eq!(bare(&mut machine, Event::Drain, at(100)), []);
    assert_eq!(bare(&mut machine, FAILED, at(5000)), [Action::Leave]);

    // It has just crashed: what is in the pipe is for one more run.
    let mut waiting = running();
    bare(&mut waiting, FAILED, at(200));
    assert_eq!(bare(&mut waiting, Event::Drain, at(300)), []);
    assert_eq!(bare(&mut waiting, Event::Time, at(1000)), [RUN]);
    assert_eq!(bare(&mut waiting, Event::Failed, at(1000)), []);
    assert_eq!(bare(&mut waiting, Event::Time, at(2000)), [RUN]);
    assert_eq!(bare(&mut waiting, Event::Started(8, Means::None), at(2000)), []);
    assert_eq!(bare(&mut waiting, FAILED, at(2001)), [Action::Leave]);

    assert_eq!(down().step(Event::Drain, at(100)), [Action::Leave]);
    let mut given_up = running();
    bare(&mut given_up, FAILED, at(200));
    bare(&mut given_up, Event::Drain, at(300));
    assert_eq!(bare(&mut given_up, command(b'd'), at(400)), [Action::Leave]);
}

#[test]
fn a_clock_that_steps_back_delays_nothing() {
    let mut machine = running();
    let now = Time { steady: Duration::from_secs(2), wall: Wall { seconds: -5000, nanos: 0 } };
    assert_eq!(bare(&mut machine, FAILED, now), [RUN]);
    assert_eq!(machine.status().since.seconds, -5000);
}
