//! One service, and what is wanted of it.

mod wishes;

use std::time::Duration;

use unix::clock::Wall;
use unix::signal::Signal;

use super::commands::Reach;
use super::pace::Pace;
use super::ready::{Means, Readiness};
use super::{Action, Event, Program, Time};
use crate::state::{End, Pause, Ready, State};
use crate::status::{Service, Status, Want};

/// The exit code of `finish` that gives a service up. Source: s6-supervise.
const GIVE_UP: End = End::Exit(125);

/// A supervise.
#[derive(Clone, Debug)]
pub struct Machine {
    want: Want,
    leave: Leave,
    phase: Phase,
    /// When it came up or went down last.
    since: Wall,
    pace: Pace,
    last: Option<(End, Wall)>,
    /// Whether the process is ready, if it tells.
    readiness: Option<Readiness>,
    /// When a process that was told to end is killed.
    kill: Option<(Duration, Reach)>,
    /// `start` has been run, and `stop` not since.
    is_prepared: bool,
    /// It was asked for while the scripts of its end ran.
    is_asked_for: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A script runs, as this process, since then.
    Busy(Program, u32, Wall),
    /// `run` has ended so, and what it has left behind is being ended since then.
    Clearing(End, Wall),
    /// Without a `run`: its `start` has done all, then.
    Done(Wall),
    /// Not running, and not to be started.
    Down,
    /// To be started, as soon as it may be.
    Due,
    /// Not running, and given up since then.
    Failed(Wall),
    /// Being started: nobody has told yet what came of it.
    Launching(Program),
    Up {
        pid: u32,
        paused: bool,
    },
}

/// Whether supervise is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// When the service has run once more.
    AfterRun,
    No,
    /// When the service does not run.
    WhenDown,
}

impl Machine {
    /// The machine of a service that does not run, and is to be started if `want` is up. `last` is how it
    /// ended last, as far as is known.
    #[must_use]
    pub fn new(want: Want, last: Option<(End, Wall)>, now: Time) -> Machine {
        Machine {
            want,
            leave: Leave::No,
            phase: if want == Want::Down { Phase::Down } else { Phase::Due },
            since: now.wall,
            pace: Pace::new(now),
            last,
            readiness: None,
            kill: None,
            is_prepared: false,
            is_asked_for: false,
        }
    }

    /// The machine of a service that another supervise has left behind running, as these two say.
    #[must_use]
    pub fn taking_over(status: Status, state: State, means: Means, now: Time) -> Machine {
        let mut machine = Machine::new(status.want, state.last, now);
        if let Service::Up { pid, paused } = status.service {
            machine.phase = Phase::Up { pid, paused };
            machine.since = status.since;
            machine.is_prepared = true;
            machine.readiness = Readiness::new(means, now);
            let told = state.ready.filter(|ready| ready.pid == pid);
            if let (Some(readiness), Some(told)) = (&mut machine.readiness, told) {
                readiness.restore(told.is_ready, told.since);
            }
        }
        machine
    }

    /// What to tell the world about the service.
    #[must_use]
    pub fn status(&self) -> Status {
        let service = match self.phase {
            Phase::Up { pid, paused } => Service::Up { pid, paused },
            _ => Service::Down,
        };
        Status { since: self.since, service, want: self.want }
    }

    /// What else to tell.
    #[must_use]
    pub fn state(&self) -> State {
        let pause = match self.phase {
            Phase::Busy(program, pid, since) => {
                program.script().map(|script| Pause::Script(script, pid, since))
            }
            Phase::Clearing(_, since) => Some(Pause::Clearing(since)),
            Phase::Done(since) => Some(Pause::Done(since)),
            Phase::Due => Some(Pause::Waiting(self.pace.failures, self.pace.until)),
            Phase::Failed(since) => Some(Pause::Failed(since)),
            Phase::Down | Phase::Launching(_) | Phase::Up { .. } => None,
        };
        let ready = match (self.phase, &self.readiness) {
            (Phase::Up { pid, .. }, Some(Readiness { is_ready, since, .. })) => {
                Some(Ready { pid, is_ready: *is_ready, since: *since })
            }
            _ => None,
        };
        State { last: self.last, pause, ready }
    }

    /// The process that was started last, while it runs: the service's, or a script's.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.phase {
            Phase::Busy(_, pid, _) | Phase::Up { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Whether what `run` has left behind is being ended.
    #[must_use]
    pub fn is_clearing(&self) -> bool {
        matches!(self.phase, Phase::Clearing(..))
    }

    /// When to tell that time has passed, on the steady clock.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Clearing(..) => self.kill.map(|(at, _)| at),
            Phase::Due => Some(self.pace.earliest),
            Phase::Up { .. } => {
                let kill = self.kill.map(|(at, _)| at);
                let check = self.readiness.and_then(|readiness| readiness.deadline());
                [kill, check].into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// Takes an event; the actions are to be done in order.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Absent => self.skip(now, &mut actions),
            Event::Checked(is_ready) => {
                if let Some(readiness) = &mut self.readiness {
                    readiness.answer(is_ready, now);
                }
            }
            Event::Cleared => {
                if let Phase::Clearing(end, _) = self.phase {
                    self.kill = None;
                    self.launch(Program::Finish(end), &mut actions);
                }
            }
            Event::Command(command) => self.obey(command, now, &mut actions),
            Event::Drain => self.drain(),
            Event::Ended(end) => self.end(end, now, &mut actions),
            Event::Failed | Event::NoProcess => self.miss(event, now, &mut actions),
            Event::Patience(limit, reach) => {
                let is_ending = matches!(self.phase, Phase::Clearing(..) | Phase::Up { .. });
                self.kill = is_ending.then_some((now.steady + limit, reach));
            }
            Event::Ready => {
                if let Some(readiness) = &mut self.readiness {
                    readiness.tell(now);
                }
            }
            Event::Started(pid, means) => self.started(pid, means, now, &mut actions),
            Event::Time => {}
        }
        self.settle(now, &mut actions);
        actions
    }

    /// What has to be done by now.
    fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.phase == Phase::Due && self.leave == Leave::WhenDown {
            self.rest(actions);
        }
        match self.phase {
            Phase::Down | Phase::Failed(_) if self.leave == Leave::WhenDown => {
                actions.push(Action::Leave);
            }
            Phase::Due if now.steady >= self.pace.earliest => {
                self.is_asked_for = false;
                let first = if self.is_prepared { Program::Run } else { Program::Start };
                self.launch(first, actions);
            }
            Phase::Clearing(..) => self.kill(now, actions),
            Phase::Up { .. } => {
                self.kill(now, actions);
                if let Some(readiness) = &mut self.readiness {
                    readiness.settle(now, actions);
                }
            }
            _ => {}
        }
    }

    /// Kills what has not ended in time.
    fn kill(&mut self, now: Time, actions: &mut Vec<Action>) {
        if let Some((_, reach)) = self.kill.take_if(|(at, _)| *at <= now.steady) {
            actions.push(Action::Signal(Signal::SIGKILL, reach));
        }
    }

    fn launch(&mut self, program: Program, actions: &mut Vec<Action>) {
        self.phase = Phase::Launching(program);
        actions.push(Action::Launch(program));
    }

    fn started(&mut self, pid: u32, means: Means, now: Time, actions: &mut Vec<Action>) {
        let Phase::Launching(program) = self.phase else { return };
        actions.push(Action::Notify(program, pid, None));
        if program != Program::Run {
            self.phase = Phase::Busy(program, pid, now.wall);
            return;
        }
        self.phase = Phase::Up { pid, paused: false };
        self.since = now.wall;
        self.pace.start(now);
        self.readiness = Readiness::new(means, now);
        if self.leave == Leave::AfterRun {
            self.leave = Leave::WhenDown;
        }
    }

    fn end(&mut self, end: End, now: Time, actions: &mut Vec<Action>) {
        let (program, pid) = match self.phase {
            Phase::Busy(program, pid, _) => (program, pid),
            Phase::Up { pid, .. } => (Program::Run, pid),
            _ => return,
        };
        actions.push(Action::Notify(program, pid, Some(end)));
        match program {
            Program::Finish(_) if end == GIVE_UP => self.give_up(now),
            Program::Finish(_) => self.go_on(actions),
            Program::Run => {
                self.last = Some((end, now.wall));
                self.since = now.wall;
                self.kill = None;
                if let Some(readiness) = self.readiness.take() {
                    readiness.end(actions);
                }
                if let Some(pause) = self.pace.end(end, now) {
                    actions.push(Action::Slow(Some(end), pause));
                }
                self.phase = Phase::Clearing(end, now.wall);
                actions.push(Action::Clear);
            }
            Program::Start if end == End::Exit(0) => self.run(actions),
            Program::Start => self.give_up(now),
            Program::Stop => self.stopped(),
        }
    }

    /// A program that is not there has nothing to do.
    fn skip(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Phase::Launching(program) = self.phase else { return };
        match program {
            Program::Finish(_) => self.go_on(actions),
            Program::Run => {
                self.phase = Phase::Done(now.wall);
                self.since = now.wall;
            }
            Program::Start => self.run(actions),
            Program::Stop => self.stopped(),
        }
    }

    /// A program that cannot be started now is tried again, if it is to bring the service up.
    fn miss(&mut self, why: Event, now: Time, actions: &mut Vec<Action>) {
        match self.phase {
            // Who wants the service once has had it: it is not tried again.
            Phase::Launching(Program::Run | Program::Start)
                if why == Event::Failed && self.want == Want::Once =>
            {
                if self.leave == Leave::AfterRun {
                    self.leave = Leave::WhenDown;
                }
                self.rest(actions);
            }
            Phase::Launching(Program::Run | Program::Start) => {
                self.phase = Phase::Due;
                if why == Event::NoProcess {
                    self.pace.starve(now);
                } else if let Some(pause) = self.pace.miss(now) {
                    actions.push(Action::Slow(None, pause));
                }
            }
            _ => self.skip(now, actions),
        }
    }

    /// `start` has done its part.
    fn run(&mut self, actions: &mut Vec<Action>) {
        self.is_prepared = true;
        if self.want == Want::Down || self.leave == Leave::WhenDown {
            self.rest(actions);
        } else {
            self.launch(Program::Run, actions);
        }
    }

    /// `run` and `finish` have ended.
    fn go_on(&mut self, actions: &mut Vec<Action>) {
        if self.want == Want::Up || self.is_asked_for {
            self.phase = Phase::Due;
        } else {
            self.rest(actions);
        }
    }

    /// It is not to be started again.
    fn rest(&mut self, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.is_prepared) {
            self.launch(Program::Stop, actions);
        } else {
            self.stopped();
        }
    }

    fn stopped(&mut self) {
        let is_due = self.is_asked_for && self.leave != Leave::WhenDown;
        self.phase = if is_due { Phase::Due } else { Phase::Down };
    }

    fn give_up(&mut self, now: Time) {
        self.want = Want::Down;
        self.is_prepared = false;
        self.is_asked_for = false;
        self.phase = Phase::Failed(now.wall);
        if self.leave == Leave::AfterRun {
            self.leave = Leave::WhenDown;
        }
    }
}
