//! The scripts around a run, and what is left behind by another supervise.

use super::*;
use crate::state::{Pause, Ready, State};
use crate::status::Status;

fn launch(program: Program) -> Action {
    Action::Launch(program)
}

fn started(pid: u32) -> Event {
    Event::Started(pid, Means::None)
}

const FINISH: Program = Program::Finish(End::Exit(1));

/// A service that has all scripts, and runs as process 7.
fn running() -> Machine {
    let mut machine = Machine::new(Want::Up, None, at(0));
    assert_eq!(machine.step(Event::Time, at(0)), [launch(Program::Start)]);
    let told = Action::Notify(Program::Start, 5, None);
    assert_eq!(machine.step(started(5), at(0)), [told]);
    let begun = [Action::Notify(Program::Start, 5, Some(End::Exit(0))), launch(Program::Run)];
    assert_eq!(machine.step(WELL, at(100)), begun);
    assert_eq!(machine.step(started(7), at(100)), [Action::Notify(Program::Run, 7, None)]);
    machine
}

/// What is to be launched, or to be left, after all that. `run` never leaves anything behind.
fn next(machine: &mut Machine, event: Event, millis: u64) -> Vec<Action> {
    let mut actions = machine.step(event, at(millis));
    actions.retain(|action| !matches!(action, Action::Notify(..)));
    if actions.pop_if(|action| *action == Action::Clear).is_some() {
        actions.extend(machine.step(Event::Cleared, at(millis)));
    }
    actions
}

fn pause(machine: &Machine) -> Option<Pause> {
    machine.state().pause
}

#[test]
fn start_comes_once_and_finish_after_each_run() {
    let mut machine = running();
    assert_eq!(next(&mut machine, FAILED, 2000), [launch(FINISH)]);
    next(&mut machine, started(8), 2000);
    assert_eq!(told(&machine), (Service::Down, Want::Up));
    let wall = at(2000).wall;
    assert_eq!(pause(&machine), Some(Pause::Script(Script::Finish, 8, wall)));
    assert_eq!(machine.pid(), Some(8));
    // Not before it has ended, however long that takes.
    assert_eq!(next(&mut machine, Event::Time, 9000), []);
    assert_eq!(next(&mut machine, FAILED, 9000), [launch(Program::Run)]);
}

#[test]
fn stop_comes_when_the_service_is_not_started_again() {
    for wish in [b'd', b'o', b'x'] {
        let mut machine = running();
        next(&mut machine, command(wish), 200);
        assert_eq!(next(&mut machine, FAILED, 2000), [launch(FINISH)]);
        next(&mut machine, started(8), 2000);
        assert_eq!(next(&mut machine, WELL, 2000), [launch(Program::Stop)]);
        next(&mut machine, started(9), 2000);
        let leaves: &[Action] = if wish == b'x' { &[Action::Leave] } else { &[] };
        assert_eq!(next(&mut machine, FAILED, 2500), leaves);
        assert_eq!(pause(&machine), None);
        if wish != b'x' {
            // And start before it comes up the next time.
            assert_eq!(next(&mut machine, command(b'u'), 3000), [launch(Program::Start)]);
        }
    }
}

#[test]
fn a_pause_that_is_called_off_ends_with_stop() {
    for (wish, last) in [(b'd', vec![]), (b'x', vec![Action::Leave])] {
        let mut machine = running();
        next(&mut machine, FAILED, 200);
        assert_eq!(next(&mut machine, Event::Absent, 200), []);
        assert_eq!(next(&mut machine, command(wish), 300), [launch(Program::Stop)]);
        next(&mut machine, started(9), 300);
        assert_eq!(next(&mut machine, WELL, 400), last);
    }
}

#[test]
fn a_start_that_fails_gives_the_service_up() {
    for end in [FAILED, Event::Ended(End::Signal(9))] {
        let mut machine = Machine::new(Want::Up, None, at(0));
        next(&mut machine, Event::Time, 0);
        next(&mut machine, started(5), 0);
        assert_eq!(next(&mut machine, end, 100), []);
        assert_eq!(told(&machine), (Service::Down, Want::Down));
        assert_eq!(pause(&machine), Some(Pause::Failed(at(100).wall)));
        assert_eq!(machine.deadline(), None);
        // There is nothing to stop.
        assert_eq!(next(&mut machine, command(b'd'), 200), []);
        assert_eq!(pause(&machine), Some(Pause::Failed(at(100).wall)));
        assert_eq!(next(&mut machine, command(b'u'), 300), [launch(Program::Start)]);
    }
}

#[test]
fn a_finish_that_exits_125_gives_the_service_up() {
    let mut machine = running();
    next(&mut machine, FAILED, 2000);
    next(&mut machine, started(8), 2000);
    assert_eq!(next(&mut machine, Event::Ended(End::Exit(125)), 2100), []);
    assert_eq!(told(&machine), (Service::Down, Want::Down));
    assert_eq!(pause(&machine), Some(Pause::Failed(at(2100).wall)));
    assert_eq!(next(&mut machine, command(b'x'), 2200), [Action::Leave]);
}

#[test]
fn wishes_that_come_while_scripts_run_are_kept() {
    // Down while it is being started: start is not cut short, and what it did is undone.
    let mut machine = Machine::new(Want::Up, None, at(0));
    next(&mut machine, Event::Time, 0);
    next(&mut machine, started(5), 0);
    assert_eq!(next(&mut machine, command(b'd'), 50), []);
    assert_eq!(next(&mut machine, WELL, 100), [launch(Program::Stop)]);
    next(&mut machine, started(6), 100);
    // Up again while it is being stopped.
    assert_eq!(next(&mut machine, command(b'o'), 150), []);
    assert_eq!(next(&mut machine, WELL, 200), [launch(Program::Start)]);
    next(&mut machine, started(7), 200);
    assert_eq!(next(&mut machine, WELL, 300), [launch(Program::Run)]);
    next(&mut machine, started(8), 300);
    assert_eq!(told(&machine), (Service::Up { pid: 8, paused: false }, Want::Once));
    // Once more while it is finishing.
    next(&mut machine, FAILED, 5000);
    next(&mut machine, started(9), 5000);
    next(&mut machine, command(b'o'), 5100);
    assert_eq!(next(&mut machine, WELL, 5200), [launch(Program::Run)]);
    next(&mut machine, started(10), 5200);
    next(&mut machine, FAILED, 9000);
    next(&mut machine, started(11), 9000);
    assert_eq!(next(&mut machine, WELL, 9100), [launch(Program::Stop)]);
}

#[test]
fn signals_reach_the_script_that_runs() {
    let mut machine = running();
    next(&mut machine, FAILED, 2000);
    next(&mut machine, started(8), 2000);
    let sent = [Action::Signal(Signal::SIGTERM, Reach::Process)];
    assert_eq!(next(&mut machine, command(b't'), 2100), sent);
}

#[test]
fn a_start_alone_can_be_a_service() {
    let mut machine = Machine::new(Want::Up, None, at(0));
    next(&mut machine, Event::Time, 0);
    next(&mut machine, started(5), 0);
    assert_eq!(next(&mut machine, WELL, 100), [launch(Program::Run)]);
    assert_eq!(next(&mut machine, Event::Absent, 100), []);
    assert_eq!(pause(&machine), Some(Pause::Done(at(100).wall)));
    assert_eq!(next(&mut machine, command(b'x'), 200), []);
    assert_eq!(next(&mut machine, command(b'd'), 300), [launch(Program::Stop)]);
    assert_eq!(next(&mut machine, Event::Absent, 300), [Action::Leave]);
}

#[test]
fn scripts_that_cannot_be_run_hold_nothing_up() {
    let mut machine = running();
    next(&mut machine, command(b'd'), 200);
    assert_eq!(next(&mut machine, FAILED, 2000), [launch(FINISH)]);
    assert_eq!(next(&mut machine, Event::NoProcess, 2000), [launch(Program::Stop)]);
    assert_eq!(next(&mut machine, Event::Failed, 2000), []);
    assert_eq!((told(&machine).0, pause(&machine)), (Service::Down, None));
    // Start is another matter.
    assert_eq!(next(&mut machine, command(b'u'), 2000), [launch(Program::Start)]);
    assert_eq!(next(&mut machine, Event::Failed, 2000), []);
    assert_eq!(next(&mut machine, Event::Time, 3000), [launch(Program::Start)]);
}

#[test]
fn what_does_not_end_in_time_is_killed() {
    let mut machine = running();
    let limit = Duration::from_secs(3);
    assert_eq!(next(&mut machine, command(b'd'), 1000), [Action::End(Reach::Process)]);
    next(&mut machine, Event::Patience(limit, Reach::Process), 1000);
    assert_eq!(machine.deadline(), Some(at(4000).steady));
    assert_eq!(next(&mut machine, Event::Time, 3999), []);
    let killed = [Action::Signal(Signal::SIGKILL, Reach::Process)];
    assert_eq!(next(&mut machine, Event::Time, 4000), killed);
    assert_eq!(machine.deadline(), None);

    // It is wanted again meanwhile.
    let mut machine = running();
    next(&mut machine, command(b'd'), 1000);
    next(&mut machine, Event::Patience(limit, Reach::Whole), 1000);
    next(&mut machine, command(b'u'), 2000);
    assert_eq!(machine.deadline(), None);
}

#[test]
fn a_service_that_was_left_behind_goes_on_as_it_was() {
    let since = Wall { seconds: -50, nanos: 0 };
    let status = Status { since, service: UP, want: Want::Up };
    let last = Some((End::Signal(9), Wall { seconds: -60, nanos: 0 }));
    let ready = Some(Ready { pid: 7, is_ready: true, since });
    let state = State { last, pause: None, ready };
    let mut machine = Machine::taking_over(status, state, Means::Check, at(0));
    assert_eq!((machine.status(), machine.state()), (status, state));
    assert_eq!(machine.deadline(), None);
    assert_eq!(next(&mut machine, Event::Time, 0), []);
    // It has run long enough to be started at once.
    assert_eq!(
        next(&mut machine, Event::Ended(End::Unknown), 100),
        [launch(Program::Finish(End::Unknown))]
    );
    assert_eq!(next(&mut machine, Event::Absent, 100), [launch(Program::Run)]);

    let other = State { ready: Some(Ready { pid: 6, is_ready: true, since }), ..state };
    let machine = Machine::taking_over(status, other, Means::Check, at(0));
    assert!(!machine.state().ready.unwrap().is_ready);
    assert_eq!(machine.deadline(), Some(Duration::from_millis(20)));
}
