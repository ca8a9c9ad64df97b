//! The supervise machine: up, down, want, pause, exit, and the scripts around a run.
//!
//! It is told what happens and says what to do; its only clock is the time it is told. Source:
//! supervise(8), svc(8).

mod commands;
mod machine;
mod pace;
mod ready;
pub mod world;

use std::time::Duration;

use unix::clock::Wall;
use unix::signal::Signal;

use crate::state::{End, Script};

pub use commands::{Command, Reach, commands, named};
pub use machine::Machine;
pub use pace::{LONGEST, PACE, SCARCITY, pause};
pub use ready::Means;

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
    /// There is no such program: all but `run` may be missing, and `run` where there is a `start`.
    Absent,
    /// `check` has ended; true if with 0.
    Checked(bool),
    /// Nothing is left of what `run` had started, or it may stay.
    Cleared,
    /// A command came through supervise/control.
    Command(Command),
    /// The service is wanted until it ends by itself, because its input does; then supervise is to
    /// leave. What svscan asks of a logger.
    Drain,
    /// The process that was started last has ended.
    Ended(End),
    /// The program cannot be run.
    Failed,
    /// There can be no more processes.
    NoProcess,
    /// What was told to end may take so long.
    Patience(Duration, Reach),
    /// The service says that it is ready.
    Ready,
    /// The program was started as this process. `Means` counts for `run` alone.
    Started(u32, Means),
    /// Time has passed.
    Time,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run `check`.
    Check,
    /// `run` has ended: end what it has left behind, unless that may stay. Tell [`Event::Cleared`] when
    /// nothing of it is left, and [`Event::Patience`] if something is.
    Clear,
    /// End `check`, and do not tell how it ended.
    EndCheck,
    /// Send the service the signal that ends it, and CONT; tell [`Event::Patience`] if it is limited.
    End(Reach),
    /// Start a program, and tell at once what came of it.
    Launch(Program),
    /// Exit: there is nothing left to do.
    Leave,
    /// Run `notify`.
    Notify(Program, u32, Option<End>),
    /// Send a signal.
    Signal(Signal, Reach),
    /// Say that the service keeps failing (how it ended, if it came so far), and how long from its last
    /// start to the next.
    Slow(Option<End>, Duration),
}

/// The programs of a service, of which at most one runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// After each end of `run`, which was this.
    Finish(End),
    /// The service itself.
    Run,
    /// Before the first `run`.
    Start,
    /// After the last `run`.
    Stop,
}

impl Program {
    /// What it is, unless it is the service itself.
    #[must_use]
    pub fn script(self) -> Option<Script> {
        match self {
            Program::Finish(_) => Some(Script::Finish),
            Program::Run => None,
            Program::Start => Some(Script::Start),
            Program::Stop => Some(Script::Stop),
        }
    }

    /// Its file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.script().map_or("run", Script::name)
    }
}

#[cfg(test)]
mod tests;
