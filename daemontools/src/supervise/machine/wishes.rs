//! What is wanted of a service.

use unix::signal::Signal;

use super::{Leave, Machine, Phase};
use crate::status::Want;
use crate::supervise::commands::{self, Command, Reach};
use crate::supervise::{Action, Program, Time};

impl Machine {
    pub(super) fn obey(&mut self, command: Command, now: Time, actions: &mut Vec<Action>) {
        match command.letter {
            b'd' => self.down(command.reach, actions),
            b'o' => self.up(Want::Once, now),
            b'u' => self.up(Want::Up, now),
            b'x' => self.leave = Leave::WhenDown,
            letter => {
                let Some(signal) = commands::signal(letter) else { return };
                if let Phase::Up { paused, .. } = &mut self.phase {
                    match signal {
                        Signal::SIGCONT => *paused = false,
                        Signal::SIGSTOP => *paused = true,
                        _ => {}
                    }
                    if commands::may_end(signal) {
                        self.pace.disturb();
                    }
                }
                if self.pid().is_some() || command.reach == Reach::Whole {
                    actions.push(Action::Signal(signal, command.reach));
                }
            }
        }
    }

    fn down(&mut self, reach: Reach, actions: &mut Vec<Action>) {
        self.want = Want::Down;
        self.is_asked_for = false;
        match &mut self.phase {
            Phase::Up { paused, .. } => {
                *paused = false;
                self.pace.disturb();
                actions.push(Action::End(reach));
            }
            Phase::Busy(..) | Phase::Clearing(..) | Phase::Launching(_) => {}
            Phase::Done(_) | Phase::Down | Phase::Due | Phase::Failed(_) => {
                if reach == Reach::Whole {
                    actions.push(Action::End(reach)); // whatever it has left behind
                }
                if !matches!(self.phase, Phase::Failed(_)) {
                    self.rest(actions);
                }
            }
        }
        if self.leave == Leave::AfterRun {
            self.leave = Leave::WhenDown;
        }
    }

    fn up(&mut self, want: Want, now: Time) {
        self.want = want;
        match self.phase {
            Phase::Busy(Program::Finish(_) | Program::Stop, ..) | Phase::Clearing(..) => {
                self.is_asked_for = true;
            }
            Phase::Down | Phase::Due | Phase::Failed(_) => {
                self.phase = Phase::Due;
                self.pace.hurry(now);
            }
            Phase::Up { .. } => self.kill = None, // what it was told is not wanted any more
            Phase::Busy(..) | Phase::Done(_) | Phase::Launching(_) => {}
        }
    }

    pub(super) fn drain(&mut self) {
        let runs_again = match self.phase {
            Phase::Due | Phase::Launching(_) | Phase::Busy(Program::Start, ..) => true,
            Phase::Busy(Program::Finish(_), ..) | Phase::Clearing(..) => {
                self.want == Want::Up || self.is_asked_for
            }
            _ => false,
        };
        self.leave = if runs_again { Leave::AfterRun } else { Leave::WhenDown };
    }
}
