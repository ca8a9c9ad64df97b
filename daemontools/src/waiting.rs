//! Whether a service has become what somebody waits for.

use crate::state::{Pause, State};
use crate::status::{Service, Status, Want};

/// What is waited for. Source: the letters are those of s6-svc(8) behind `-w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Down: its process has ended (`d`).
    Down,
    /// Down for good: its scripts have ended too, and it is not started again (`D`).
    Over,
    /// Its supervise has left (`x`).
    Left,
    /// Up and ready (`U`).
    Ready,
    /// Up as another process than before, and ready (`R`).
    Renewed,
    /// Up as another process than before (`r`).
    Restarted,
    /// Up (`u`).
    Up,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What stands in supervise/status.
    pub status: Status,
    /// What stands in supervise/state.
    pub state: State,
    /// Somebody supervises it.
    pub is_supervised: bool,
}

/// What a snapshot says about a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may still be reached.
    Later,
    /// It cannot be reached any more, because of that.
    Never(&'static str),
    /// It is reached.
    Reached,
}

impl Goal {
    /// The goal that a letter stands for.
    #[must_use]
    pub fn named(letter: &[u8]) -> Option<Goal> {
        Some(match letter {
            b"D" => Goal::Over,
            b"R" => Goal::Renewed,
            b"U" => Goal::Ready,
            b"d" => Goal::Down,
            b"r" => Goal::Restarted,
            b"u" => Goal::Up,
            b"x" => Goal::Left,
            _ => return None,
        })
    }

    /// What has not happened if it is not reached.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Goal::Down => "is not down",
            Goal::Over => "is not down for good",
            Goal::Left => "is still supervised",
            Goal::Ready => "is not ready",
            Goal::Renewed => "has not been restarted, or is not ready",
            Goal::Restarted => "has not been restarted",
            Goal::Up => "is not up",
        }
    }

    /// Whether it is reached. `wish` is what the commands want that were sent after `before`: as long as
    /// the status tells that something else is wanted, they have not been taken.
    #[must_use]
    pub fn judge(self, wish: Option<Want>, before: &Snapshot, now: &Snapshot) -> Verdict {
        let is_obeyed = wish.is_none_or(|wish| wish == now.status.want);
        let is_reached = match self {
            Goal::Down => is_down(now),
            Goal::Over => is_over(now),
            Goal::Left => !now.is_supervised,
            Goal::Ready => is_up(now) && is_ready(now),
            Goal::Renewed => is_new(before, now) && is_ready(now),
            Goal::Restarted => is_new(before, now),
            Goal::Up => is_up(now),
        };
        let is_news = before.state.pause != now.state.pause || wish.is_none();
        let wants_up = !matches!(self, Goal::Down | Goal::Left | Goal::Over);
        if !now.is_supervised {
            // What it did last is all that it did.
            return if is_reached {
                Verdict::Reached
            } else {
                Verdict::Never("supervise not running")
            };
        }
        match now.state.pause {
            Some(Pause::Failed(_)) if wants_up && is_news => Verdict::Never("it was given up"),
            _ if is_reached && is_obeyed => Verdict::Reached,
            _ => Verdict::Later,
        }
    }
}

fn is_down(now: &Snapshot) -> bool {
    now.status.service == Service::Down && !matches!(now.state.pause, Some(Pause::Done(_)))
}

fn is_over(now: &Snapshot) -> bool {
    let rests = matches!(now.state.pause, None | Some(Pause::Failed(_)));
    is_down(now) && (rests && now.status.want != Want::Up || !now.is_supervised)
}

/// One without `run` is up when its `start` has done everything.
fn is_up(now: &Snapshot) -> bool {
    !is_down(now)
}

fn is_ready(now: &Snapshot) -> bool {
    let Service::Up { pid, .. } = now.status.service else { return true };
    now.state.ready.is_none_or(|ready| ready.pid != pid || ready.is_ready)
}

fn is_new(before: &Snapshot, now: &Snapshot) -> bool {
    is_up(now) && (!is_up(before) || before.status.since != now.status.since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Ready, Script};
    use unix::clock::Wall;

    const GOALS: [Goal; 7] =
        [Goal::Down, Goal::Over, Goal::Left, Goal::Ready, Goal::Renewed, Goal::Restarted, Goal::Up];

    fn at(seconds: i64) -> Wall {
        Wall { seconds, nanos: 0 }
    }

    fn up(pid: u32, want: Want) -> Snapshot {
        let service = Service::Up { pid, paused: false };
        let status = Status { since: at(i64::from(pid)), service, want };
        Snapshot { status, state: State::default(), is_supervised: true }
    }

    fn down(pause: Option<Pause>, want: Want) -> Snapshot {
        let status = Status { since: at(50), service: Service::Down, want };
        let state = State { pause, ..State::default() };
        Snapshot { status, state, is_supervised: true }
    }

    /// The letters of the goals that are reached after `before`.
    fn reached(wish: Option<Want>, before: &Snapshot, now: &Snapshot) -> String {
        let letters = "dDxURru".chars().zip(GOALS);
        let met = letters.filter(|(_, goal)| goal.judge(wish, before, now) == Verdict::Reached);
        met.map(|(letter, _)| letter).collect()
    }

    #[test]
    fn every_letter_has_its_goal() {
        for (letter, goal) in "dDxURru".chars().zip(GOALS) {
            assert_eq!(Goal::named(letter.to_string().as_bytes()), Some(goal));
        }
        assert_eq!((Goal::named(b"z"), Goal::named(b""), Goal::named(b"uu")), (None, None, None));
    }

    #[test]
    fn every_state_is_what_it_is() {
        let was = up(7, Want::Up);
        let waits = Pause::Waiting(1, at(9));
        let finishing = Pause::Script(Script::Finish, 9, at(9));
        assert_eq!(reached(None, &was, &was), "Uu");
        assert_eq!(reached(None, &was, &up(8, Want::Up)), "URru");
        assert_eq!(reached(None, &was, &down(Some(waits), Want::Up)), "d");
        assert_eq!(reached(None, &was, &down(Some(finishing), Want::Down)), "d");
        assert_eq!(reached(None, &was, &down(None, Want::Down)), "dD");
        assert_eq!(reached(None, &was, &down(None, Want::Once)), "dD");
        assert_eq!(reached(None, &was, &down(Some(Pause::Done(at(9))), Want::Up)), "URru");
        let gone = Snapshot { is_supervised: false, ..down(None, Want::Up) };
        assert_eq!(reached(None, &was, &gone), "dDx");
    }

    #[test]
    fn ready_is_what_its_own_process_tells() {
        let was = up(7, Want::Up);
        let mut now = up(8, Want::Up);
        for (pid, is_ready, met) in [(8, false, "ru"), (8, true, "URru"), (7, false, "URru")] {
            now.state.ready = Some(Ready { pid, is_ready, since: at(9) });
            assert_eq!(reached(None, &was, &now), met);
        }
    }

    #[test]
    fn commands_that_have_not_been_taken_are_waited_for() {
        // It was about to be started again when it was told to stay down.
        let waits = down(Some(Pause::Waiting(1, at(9))), Want::Up);
        assert_eq!(reached(Some(Want::Down), &waits, &waits), "");
        assert_eq!(reached(Some(Want::Down), &waits, &down(None, Want::Down)), "dD");
        let was = up(7, Want::Down);
        assert_eq!(reached(Some(Want::Up), &was, &was), "");
        assert_eq!(reached(Some(Want::Up), &was, &up(7, Want::Up)), "Uu");
    }

    #[test]
    fn what_was_given_up_or_left_alone_never_comes_up() {
        let failed = down(Some(Pause::Failed(at(9))), Want::Down);
        let again = down(Some(Pause::Failed(at(10))), Want::Down);
        let given_up = Verdict::Never("it was given up");
        for goal in [Goal::Up, Goal::Ready, Goal::Restarted, Goal::Renewed] {
            assert_eq!(goal.judge(None, &failed, &failed), given_up);
            // It may be tried once more.
            assert_eq!(goal.judge(Some(Want::Up), &failed, &failed), Verdict::Later);
            assert_eq!(goal.judge(Some(Want::Up), &failed, &again), given_up);
        }
        assert_eq!(Goal::Over.judge(None, &failed, &failed), Verdict::Reached);
        let gone = Snapshot { is_supervised: false, ..up(7, Want::Up) };
        let alone = Verdict::Never("supervise not running");
        assert_eq!(Goal::Restarted.judge(None, &up(7, Want::Up), &gone), alone);
        assert_eq!(Goal::Down.judge(None, &up(7, Want::Up), &gone), alone);
    }
}
