use std::time::Duration;

use super::*;

/// The time `millis` after the test's beginning.
fn at(millis: u64) -> Time {
    let seconds = i64::try_from(millis / 1000).unwrap();
    Time { steady: Duration::from_millis(millis), wall: Wall { seconds, nanos: 0 } }
}

fn command(byte: u8) -> Event {
    Event::Command(byte)
}

/// A service that came up as process 7 at the beginning.
fn running() -> Machine {
    let mut machine = Machine::new(Want::Up, at(0));
    assert_eq!(machine.step(Event::Time, at(0)), [Action::Start]);
    assert_eq!(machine.step(Event::Started(7), at(0)), []);
    machine
}

/// A service with a file named down.
fn down() -> Machine {
    let mut machine = Machine::new(Want::Down, at(0));
    assert_eq!(machine.step(Event::Time, at(0)), []);
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
    assert_eq!(machine.step(Event::Ended, at(1000)), [Action::Start]);
    assert_eq!(machine.step(Event::Started(8), at(1001)), []);
    assert_eq!(machine.pid(), Some(8));
}

#[test]
fn one_that_ends_sooner_waits_until_a_second_after_its_start() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Ended, at(200)), []);
    assert_eq!(machine.deadline(), Some(Duration::from_secs(1)));
    assert_eq!(machine.step(Event::Time, at(999)), []);
    assert_eq!(machine.step(Event::Time, at(1000)), [Action::Start]);
    // Nobody has told yet what came of it: it is not started twice.
    assert_eq!(machine.step(Event::Time, at(2000)), []);
}

#[test]
fn commands_count_while_it_waits() {
    let mut machine = running();
    machine.step(Event::Ended, at(200));
    assert_eq!(machine.step(command(b'd'), at(300)), []);
    assert_eq!((told(&machine), machine.deadline()), ((Service::Down, Want::Down), None));
    assert_eq!(machine.step(command(b'u'), at(400)), []);
    assert_eq!(machine.step(Event::Time, at(1000)), [Action::Start]);
}

#[test]
fn every_command_does_what_the_manual_says_to_a_running_service() {
    let table = [
        (b'u', vec![], (UP, Want::Up)),
        (b'd', vec![Signal::SIGTERM, Signal::SIGCONT], (UP, Want::Down)),
        (b'o', vec![], (UP, Want::Once)),
        (b'x', vec![], (UP, Want::Up)),
        (b'p', vec![Signal::SIGSTOP], (PAUSED, Want::Up)),
        (b'c', vec![Signal::SIGCONT], (UP, Want::Up)),
        (b'h', vec![Signal::SIGHUP], (UP, Want::Up)),
        (b'a', vec![Signal::SIGALRM], (UP, Want::Up)),
        (b'i', vec![Signal::SIGINT], (UP, Want::Up)),
        (b't', vec![Signal::SIGTERM], (UP, Want::Up)),
        (b'k', vec![Signal::SIGKILL], (UP, Want::Up)),
        (b'z', vec![], (UP, Want::Up)),
        (0, vec![], (UP, Want::Up)),
    ];
    for (byte, signals, status) in table {
        let mut machine = running();
        let signals: Vec<_> = signals.into_iter().map(Action::Signal).collect();
        assert_eq!(machine.step(command(byte), at(100)), signals, "{}", char::from(byte));
        assert_eq!(told(&machine), status, "{}", char::from(byte));
    }
}

#[test]
fn every_command_does_what_the_manual_says_to_a_service_that_is_down() {
    let table = [
        (b'u', vec![Action::Start], Want::Up),
        (b'd', vec![], Want::Down),
        (b'o', vec![Action::Start], Want::Once),
        (b'x', vec![Action::Leave], Want::Down),
    ];
    for (byte, actions, want) in table {
        let mut machine = down();
        assert_eq!(machine.step(command(byte), at(100)), actions, "{}", char::from(byte));
        assert_eq!(told(&machine), (Service::Down, want), "{}", char::from(byte));
    }
    for byte in *b"pchaitkz" {
        let mut machine = down();
        assert_eq!(machine.step(command(byte), at(100)), [], "{}", char::from(byte));
        assert_eq!(told(&machine), (Service::Down, Want::Down), "{}", char::from(byte));
    }
}

#[test]
fn a_service_that_ends_does_what_is_wanted() {
    for (byte, actions) in [(b'u', vec![Action::Start]), (b'd', vec![]), (b'o', vec![])] {
        let mut machine = running();
        machine.step(command(byte), at(2000));
        assert_eq!(machine.step(Event::Ended, at(3000)), actions, "{}", char::from(byte));
        assert_eq!(machine.status().since.seconds, 3);
    }
}

#[test]
fn an_exit_is_taken_when_the_service_is_down_and_then_it_is_not_started() {
    let mut machine = running();
    assert_eq!(machine.step(command(b'x'), at(100)), []);
    assert_eq!(machine.step(command(b'u'), at(100)), []);
    assert_eq!(machine.step(Event::Ended, at(5000)), [Action::Leave]);

    let mut waiting = running();
    waiting.step(Event::Ended, at(200));
    assert_eq!(waiting.step(command(b'x'), at(300)), [Action::Leave]);
}

#[test]
fn a_start_ends_the_pause() {
    let mut machine = running();
    machine.step(command(b'p'), at(100));
    assert_eq!(told(&machine).0, PAUSED);
    machine.step(command(b'd'), at(100));
    assert_eq!(told(&machine).0, UP);
    machine.step(command(b'p'), at(100));
    machine.step(command(b'u'), at(100));
    assert_eq!(machine.step(Event::Ended, at(2000)), [Action::Start]);
    machine.step(Event::Started(7), at(2000));
    assert_eq!(told(&machine).0, UP);
}

#[test]
fn what_cannot_be_started_stays_down_and_is_tried_again() {
    let mut machine = Machine::new(Want::Up, at(0));
    machine.step(Event::Time, at(0));
    assert_eq!(machine.step(Event::Failed, at(5)), []);
    assert_eq!(told(&machine), (Service::Down, Want::Up));
    assert_eq!(machine.deadline(), Some(Duration::from_millis(1005)));
    assert_eq!(machine.step(Event::Time, at(1005)), [Action::Start]);
    assert_eq!(machine.step(Event::NoProcess, at(1005)), []);
    assert_eq!(machine.step(Event::Time, at(61_004)), []);
    assert_eq!(machine.step(Event::Time, at(61_005)), [Action::Start]);
}

#[test]
fn what_is_wanted_once_is_tried_once() {
    let mut machine = down();
    machine.step(command(b'o'), at(100));
    assert_eq!(machine.step(Event::Failed, at(105)), []);
    assert_eq!((told(&machine), machine.deadline()), ((Service::Down, Want::Once), None));
    assert_eq!(machine.step(command(b'x'), at(2000)), [Action::Leave]);
}

#[test]
fn a_logger_reads_to_the_end_before_its_supervise_leaves() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Drain, at(100)), []);
    assert_eq!(machine.step(Event::Ended, at(5000)), [Action::Leave]);

    // It has just crashed: what is in the pipe is for one more run.
    let mut waiting = running();
    waiting.step(Event::Ended, at(200));
    assert_eq!(waiting.step(Event::Drain, at(300)), []);
    assert_eq!(waiting.step(Event::Time, at(1000)), [Action::Start]);
    assert_eq!(waiting.step(Event::Failed, at(1000)), []);
    assert_eq!(waiting.step(Event::Time, at(2000)), [Action::Start]);
    assert_eq!(waiting.step(Event::Started(8), at(2000)), []);
    assert_eq!(waiting.step(Event::Ended, at(2001)), [Action::Leave]);

    assert_eq!(down().step(Event::Drain, at(100)), [Action::Leave]);
    let mut given_up = running();
    given_up.step(Event::Ended, at(200));
    given_up.step(Event::Drain, at(300));
    assert_eq!(given_up.step(command(b'd'), at(400)), [Action::Leave]);
}

#[test]
fn a_clock_that_steps_back_delays_nothing() {
    let mut machine = running();
    let now = Time { steady: Duration::from_secs(2), wall: Wall { seconds: -5000, nanos: 0 } };
    assert_eq!(machine.step(Event::Ended, now), [Action::Start]);
    assert_eq!(machine.status().since.seconds, -5000);
}
