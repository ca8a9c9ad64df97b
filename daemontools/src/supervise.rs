//! The supervise machine: up, down, want, pause, exit.
//!
//! It is told what happens and says what to do; its only clock is the time it is told. Commands are
//! the bytes of supervise/control. Source: supervise(8), svc(8).

use std::time::Duration;

use unix::clock::Wall;
use unix::signal::Signal;

use crate::status::{Service, Status, Want};

/// The least time from one start to the next.
pub const PACE: Duration = Duration::from_secs(1);

/// How long to wait when there can be no more processes.
pub const SCARCITY: Duration = Duration::from_mins(1);

/// Now, on two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// On a clock that never steps, since any moment.
    pub steady: Duration,
    /// On the wall.
    pub wall: Wall,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A byte came through supervise/control.
    Command(u8),
    /// The service is wanted until it ends by itself, because its input does; then supervise is to
    /// leave. What svscan asks of a logger.
    Drain,
    /// The service's process has ended.
    Ended,
    /// The service could not be started: its program cannot be run.
    Failed,
    /// The service could not be started: there can be no more processes.
    NoProcess,
    /// The service was started as this process.
    Started(u32),
    /// Time has passed.
    Time,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Exit: there is nothing left to do.
    Leave,
    /// Send a signal to the service's process.
    Signal(Signal),
    /// Start the service, and tell at once what came of it.
    Start,
}

/// A supervise: one service, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Machine {
    want: Want,
    leave: Leave,
    phase: Phase,
    since: Wall,
    /// Before this, nothing is started.
    earliest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be started, as soon as it may be.
    Due,
    /// Not running, and not to be started.
    Down,
    /// Being started: nobody has told yet what came of it.
    Starting,
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
    /// The machine of a service that has never run, and is to be started if `want` is up.
    #[must_use]
    pub fn new(want: Want, now: Time) -> Machine {
        let phase = if want == Want::Down { Phase::Down } else { Phase::Due };
        Machine { want, leave: Leave::No, phase, since: now.wall, earliest: now.steady }
    }

    /// What to tell the world about the service.
    #[must_use]
    pub fn status(&self) -> Status {
        let service = match self.phase {
            Phase::Up { pid, paused } => Service::Up { pid, paused },
            Phase::Due | Phase::Down | Phase::Starting => Service::Down,
        };
        Status { since: self.since, service, want: self.want }
    }

    /// The service's process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.phase {
            Phase::Up { pid, .. } => Some(pid),
            Phase::Due | Phase::Down | Phase::Starting => None,
        }
    }

    /// When to tell that time has passed, on the steady clock.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        (self.phase == Phase::Due).then_some(self.earliest)
    }

    /// Takes an event; the actions are to be done in order.
    pub fn step(&mut self, event: Event, now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Command(byte) => self.command(byte, &mut actions),
            Event::Drain => self.drain(),
            Event::Ended => self.end(now),
            Event::Failed => self.fail(now),
            Event::NoProcess => self.wait(now, SCARCITY),
            Event::Started(pid) => {
                self.phase = Phase::Up { pid, paused: false };
                self.since = now.wall;
                self.earliest = now.steady + PACE;
                if self.leave == Leave::AfterRun {
                    self.leave = Leave::WhenDown;
                }
            }
            Event::Time => {}
        }
        match (self.phase, self.leave) {
            (Phase::Due | Phase::Down, Leave::WhenDown) => actions.push(Action::Leave),
            (Phase::Due, _) if now.steady >= self.earliest => {
                self.phase = Phase::Starting;
                actions.push(Action::Start);
            }
            _ => {}
        }
        actions
    }

    fn command(&mut self, byte: u8, actions: &mut Vec<Action>) {
        match byte {
            b'd' => self.down(actions),
            b'o' => self.start(Want::Once),
            b'u' => self.start(Want::Up),
            b'x' => self.leave = Leave::WhenDown,
            _ => {
                let Some(signal) = signal(byte) else { return };
                if let Phase::Up { paused, .. } = &mut self.phase {
                    match byte {
                        b'c' => *paused = false,
                        b'p' => *paused = true,
                        _ => {}
                    }
                    actions.push(Action::Signal(signal));
                }
            }
        }
    }

    fn down(&mut self, actions: &mut Vec<Action>) {
        self.want = Want::Down;
        match &mut self.phase {
            Phase::Up { paused, .. } => {
                *paused = false;
                actions.extend([Signal::SIGTERM, Signal::SIGCONT].map(Action::Signal));
            }
            phase => *phase = Phase::Down,
        }
        if self.leave == Leave::AfterRun {
            self.leave = Leave::WhenDown;
        }
    }

    fn start(&mut self, want: Want) {
        self.want = want;
        if self.phase == Phase::Down {
            self.phase = Phase::Due;
        }
    }

    fn drain(&mut self) {
        self.leave = match self.phase {
            Phase::Due | Phase::Starting => Leave::AfterRun,
            Phase::Down | Phase::Up { .. } => Leave::WhenDown,
        };
    }

    fn end(&mut self, now: Time) {
        self.phase = if self.want == Want::Up { Phase::Due } else { Phase::Down };
        self.since = now.wall;
    }

    /// Who wants the service once has had it: it is not tried again.
    fn fail(&mut self, now: Time) {
        self.wait(now, PACE);
        if self.want == Want::Once {
            self.phase = Phase::Down;
            if self.leave == Leave::AfterRun {
                self.leave = Leave::WhenDown;
            }
        }
    }

    fn wait(&mut self, now: Time, pause: Duration) {
        self.phase = Phase::Due;
        self.earliest = now.steady + pause;
    }
}

/// The signal that a command sends to a running service.
fn signal(byte: u8) -> Option<Signal> {
    Some(match byte {
        b'a' => Signal::SIGALRM,
        b'c' => Signal::SIGCONT,
        b'h' => Signal::SIGHUP,
        b'i' => Signal::SIGINT,
        b'k' => Signal::SIGKILL,
        b'p' => Signal::SIGSTOP,
        b't' => Signal::SIGTERM,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
