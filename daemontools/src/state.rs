//! supervise/state: what a supervise tells beside the 18 bytes of its status.
//!
//! Text, so that people can read it, and [`crate::tai`] labels first, so that tai64nlocal shows the
//! times. Each line is a fact; a fact that is not known, or goes without saying, has no line:
//!
//! ```text
//! @4000000065a1b2c30a1b2c3d exit 111
//! @4000000065a1b2c40a1b2c3d ready 1234
//! @4000000065a1b2c50a1b2c3d waiting 6
//! @4000000065a1b2c30a1b2c3d up 1234
//! ```
//!
//! It is written before the status where both change: who finds a process number in the status finds
//! here whether that process is ready. The last line says which status that is, so that nobody takes
//! this for what belongs to the one before. Source: supervise(8).

use std::fmt::Write;

use unix::clock::Wall;

use crate::status::{Service, Status};
use crate::tai;

/// What a status does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How the service ended last, and when.
    pub last: Option<(End, Wall)>,
    /// What goes on while it does not run; `None` for nothing.
    pub pause: Option<Pause>,
    /// Whether its process is ready, for a service that tells.
    pub ready: Option<Ready>,
}

/// Which status a state was written for: since when the service was up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    since: Wall,
    /// The process that was up.
    pid: Option<u32>,
}

impl Beside {
    /// That of a status.
    #[must_use]
    pub fn of(status: &Status) -> Beside {
        let pid = match status.service {
            Service::Down => None,
            Service::Up { pid, .. } => Some(pid),
        };
        Beside { since: status.since, pid }
    }

    /// The last line of a state.
    #[must_use]
    pub fn write(self) -> Vec<u8> {
        let words = self.pid.map_or("down".to_owned(), |pid| format!("up {pid}"));
        [&tai::stamp(self.since)[..], words.as_bytes(), b"\n"].concat()
    }

    /// What a state says about it; `None` if it does not.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Beside> {
        let line = file.strip_suffix(b"\n")?.rsplit(|&byte| byte == b'\n').next()?;
        let (label, words) = line.split_at_checked(tai::LABEL)?;
        let since = tai::read(label)?;
        let pid = match words.strip_prefix(b" up ") {
            Some(digits) => Some(str::from_utf8(digits).ok()?.parse().ok()?),
            None if words == b" down" => None,
            None => return None,
        };
        Some(Beside { since, pid })
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Exit(u8),
    /// By this signal.
    Signal(u8),
    /// Nobody knows: it was another supervise's child.
    Unknown,
}

/// What goes on while the service does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// What `run` has left behind is being ended since then.
    Clearing(Wall),
    /// Its `start` has done all there is to do: it has no `run`.
    Done(Wall),
    /// It has been given up since then.
    Failed(Wall),
    /// A script runs, as this process, since then.
    Script(Script, u32, Wall),
    /// It is started again at that time. It has failed so many times in a row.
    Waiting(u32, Wall),
}

/// The scripts around `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// After each end of `run`.
    Finish,
    /// Before the first `run`.
    Start,
    /// After the last `run`.
    Stop,
}

/// Whether a service's process is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The process: the status tells another number when this is out of date.
    pub pid: u32,
    /// It is.
    pub is_ready: bool,
    /// Since when it is, or is not.
    pub since: Wall,
}

impl End {
    /// `exit 1`, `signal 9`; `unknown`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            End::Exit(code) => format!("exit {code}"),
            End::Signal(number) => format!("signal {number}"),
            End::Unknown => "unknown".to_owned(),
        }
    }
}

impl Script {
    /// Its file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Script::Finish => "finish",
            Script::Start => "start",
            Script::Stop => "stop",
        }
    }

    /// What the service is doing meanwhile.
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Script::Finish => "finishing",
            Script::Start => "starting",
            Script::Stop => "stopping",
        }
    }
}

impl State {
    /// The file's contents.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut text = String::new();
        let mut line = |time: Wall, words: &str| {
            let stamp = tai::stamp(time);
            // A label is ASCII, and a String takes everything.
            let _ = writeln!(text, "{}{words}", str::from_utf8(&stamp).unwrap_or_default());
        };
        if let Some((end, at)) = self.last {
            line(at, &end.words());
        }
        match self.pause {
            Some(Pause::Clearing(since)) => line(since, "clearing"),
            Some(Pause::Done(since)) => line(since, "started"),
            Some(Pause::Failed(since)) => line(since, "failed"),
            Some(Pause::Script(script, pid, since)) => {
                line(since, &format!("{} {pid}", script.doing()));
            }
            Some(Pause::Waiting(failures, until)) => line(until, &format!("waiting {failures}")),
            None => {}
        }
        if let Some(Ready { pid, is_ready, since }) = self.ready {
            line(since, &format!("{} {pid}", if is_ready { "ready" } else { "unready" }));
        }
        text.into_bytes()
    }

    /// What a file says. Lines that make no sense are passed over: a torn file tells less, and never
    /// stops anybody.
    #[must_use]
    pub fn read(file: &[u8]) -> State {
        let mut state = State::default();
        for line in file.split(|&byte| byte == b'\n') {
            let Some((label, words)) = line.split_at_checked(tai::LABEL) else { continue };
            let (Some(time), Ok(words)) = (tai::read(label), str::from_utf8(words)) else {
                continue;
            };
            let mut words = words.split_ascii_whitespace();
            if let Some(word) = words.next() {
                let number = words.next().and_then(|number| number.parse().ok());
                state.take(word, number, time);
            }
        }
        state
    }

    fn take(&mut self, word: &str, number: Option<u32>, time: Wall) {
        let small = number.and_then(|number| u8::try_from(number).ok());
        let script =
            [Script::Finish, Script::Start, Script::Stop].into_iter().find(|s| s.doing() == word);
        match (word, number, small) {
            ("exit", _, Some(code)) => self.last = Some((End::Exit(code), time)),
            ("signal", _, Some(signal)) => self.last = Some((End::Signal(signal), time)),
            ("unknown", ..) => self.last = Some((End::Unknown, time)),
            ("clearing", ..) => self.pause = Some(Pause::Clearing(time)),
            ("started", ..) => self.pause = Some(Pause::Done(time)),
            ("failed", ..) => self.pause = Some(Pause::Failed(time)),
            ("waiting", Some(count), _) => self.pause = Some(Pause::Waiting(count, time)),
            ("ready" | "unready", Some(pid), _) => {
                self.ready = Some(Ready { pid, is_ready: word == "ready", since: time });
            }
            (_, Some(pid), _) => {
                self.pause = script.map(|script| Pause::Script(script, pid, time)).or(self.pause);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Want;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Wall {
        Wall { seconds, nanos: 5 }
    }

    #[test]
    fn a_state_is_lines_that_tell_when() {
        let state = State {
            last: Some((End::Signal(9), at(1))),
            pause: Some(Pause::Waiting(6, at(3))),
            ready: Some(Ready { pid: 7, is_ready: false, since: at(2) }),
        };
        let expected = "\
@400000000000000b00000005 signal 9
@400000000000000d00000005 waiting 6
@400000000000000c00000005 unready 7
";
        assert_eq!(String::from_utf8(state.write()).unwrap(), expected);
        assert_eq!(State::default().write(), b"");
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        let torn = b"@400000000000000b00000005 exit 3\n@40000000000\nnonsense\n\
            @400000000000000b00000005 exit 300\n@400000000000000b00000005 dancing 3\n\
            @400000000000000b00000005\n@400000000000000b00000005 ready\n\xff\0";
        let expected = State { last: Some((End::Exit(3), at(1))), ..State::default() };
        assert_eq!(State::read(torn), expected);
    }

    #[test]
    fn a_status_is_known_by_its_time_and_process() {
        let up = |seconds, pid, paused, want| {
            let service = Service::Up { pid, paused };
            Beside::of(&Status { since: at(seconds), service, want })
        };
        let beside = up(5, 7, false, Want::Up);
        assert_eq!(beside.write(), b"@400000000000000f00000005 up 7\n");
        assert_eq!(beside, up(5, 7, true, Want::Down));
        assert_ne!(beside, up(5, 8, false, Want::Up));
        assert_ne!(beside, up(6, 7, false, Want::Up));
    }

    #[test]
    fn the_last_line_alone_says_beside_what() {
        let down = b"@400000000000000f00000005 down\n";
        let file =
            [&State { last: Some((End::Exit(1), at(5))), ..State::default() }.write(), &down[..]];
        assert_eq!(Beside::read(&file.concat()), Some(Beside { since: at(5), pid: None }));
        for other in [&down[..20], b"@400000000000000f00000005 up x\n", b"@4 up 1\n", b"\n", b""] {
            assert_eq!(Beside::read(&[down, other].concat()).is_some(), other.is_empty());
        }
    }

    fn any_wall() -> impl Strategy<Value = Wall> {
        (0..1_i64 << 40, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Wall { seconds, nanos })
    }

    fn any_state() -> impl Strategy<Value = State> {
        let end = prop_oneof![
            any::<u8>().prop_map(End::Exit),
            any::<u8>().prop_map(End::Signal),
            Just(End::Unknown)
        ];
        let script = prop_oneof![Just(Script::Finish), Just(Script::Start), Just(Script::Stop)];
        let pause = prop_oneof![
            any_wall().prop_map(Pause::Clearing),
            any_wall().prop_map(Pause::Done),
            any_wall().prop_map(Pause::Failed),
            (script, any::<u32>(), any_wall()).prop_map(|(s, pid, at)| Pause::Script(s, pid, at)),
            (any::<u32>(), any_wall()).prop_map(|(count, at)| Pause::Waiting(count, at)),
        ];
        let ready = (any::<u32>(), any::<bool>(), any_wall())
            .prop_map(|(pid, is_ready, since)| Ready { pid, is_ready, since });
        let last = prop::option::of((end, any_wall()));
        (last, prop::option::of(pause), prop::option::of(ready))
            .prop_map(|(last, pause, ready)| State { last, pause, ready })
    }

    proptest! {
        #[test]
        fn every_state_reads_back(state in any_state()) {
            prop_assert_eq!(State::read(&state.write()), state);
        }

        #[test]
        fn any_bytes_are_some_state(bytes: Vec<u8>) {
            let _ = State::read(&bytes);
        }
    }
}
