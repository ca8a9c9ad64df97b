//! Script parser: what multilog's arguments say.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::multilog::pattern::Pattern;

/// Bytes a log file may have: by default, at least, at most.
const SIZE: (u64, u64, u64) = (99_999, 4096, 16_777_215);

/// Old files that are one too many: by default, at least.
const KEEP: (u64, u64) = (10, 2);

/// What is to be done, as one list of arguments says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Each line gets a timestamp first.
    pub stamp: bool,
    /// What is done to a line, in order.
    pub actions: Vec<Action>,
    /// The directories of the [`Action::Log`] actions, by number.
    pub logs: Vec<Log>,
    /// The files of the [`Action::Status`] actions, by number.
    pub statuses: Vec<PathBuf>,
}

/// One thing to do to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a selected line on stderr.
    Alert,
    /// Deselect a line that matches.
    Deselect(Pattern),
    /// Append a selected line to a log.
    Log(usize),
    /// Select a line that matches.
    Select(Pattern),
    /// Put a selected line into a status file.
    Status(usize),
}

/// An automatically rotated log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where it is.
    pub dir: PathBuf,
    /// Bytes its file `current` may have.
    pub size: u64,
    /// Old files are removed until fewer than this are left.
    pub keep: u64,
    /// The command that old files are given to.
    pub processor: Option<OsString>,
}

/// An argument that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A timestamp is asked for, but not in the first place.
    LateStamp(OsString),
    /// This is no action.
    NoAction(OsString),
}

impl Script {
    /// Reads the arguments. Source: multilog(8).
    pub fn parse<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Script, Mistake> {
        let mut script = Script::default();
        let (mut size, mut keep, mut processor) = (SIZE.0, KEEP.0, None);
        for (place, argument) in arguments.iter().map(AsRef::as_ref).enumerate() {
            match argument.as_bytes() {
                // Any word that begins so, as in the original.
                [b't', ..] if place == 0 => script.stamp = true,
                [b't', ..] => return Err(Mistake::LateStamp(argument.to_owned())),
                [b's', digits @ ..] => size = number(digits).clamp(SIZE.1, SIZE.2),
                [b'n', digits @ ..] => keep = number(digits).max(KEEP.1),
                [b'!', command @ ..] => {
                    processor =
                        (!command.is_empty()).then(|| OsStr::from_bytes(command).to_owned());
                }
                [b'-', pattern @ ..] => {
                    script.actions.push(Action::Deselect(Pattern::parse(pattern)));
                }
                [b'+', pattern @ ..] => {
                    script.actions.push(Action::Select(Pattern::parse(pattern)));
                }
                [b'e', ..] => script.actions.push(Action::Alert),
                [b'=', file @ ..] => {
                    script.actions.push(Action::Status(script.statuses.len()));
                    script.statuses.push(OsStr::from_bytes(file).into());
                }
                [b'.' | b'/', ..] => {
                    let (dir, processor) = (argument.into(), processor.clone());
                    script.actions.push(Action::Log(script.logs.len()));
                    script.logs.push(Log { dir, size, keep, processor });
                }
                _ => return Err(Mistake::NoAction(argument.to_owned())),
            }
        }
        Ok(script)
    }
}

/// The number that `text` begins with; 0 without digits, the largest if it does not fit.
fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn logs(arguments: &[&str]) -> Vec<(u64, u64, Option<OsString>)> {
        let script = Script::parse(arguments).unwrap();
        script.logs.into_iter().map(|log| (log.size, log.keep, log.processor)).collect()
    }

    #[test]
    fn actions_stand_in_the_order_of_the_arguments() {
        let script = Script::parse(&["t", "-*", "+*x*", "e", "=status", "./a", "/b"]).unwrap();
        assert!(script.stamp);
        let pattern = |text: &[u8]| Pattern::parse(text);
        assert_eq!(
            script.actions,
            [
                Action::Deselect(pattern(b"*")),
                Action::Select(pattern(b"*x*")),
                Action::Alert,
                Action::Status(0),
                Action::Log(0),
                Action::Log(1),
            ]
        );
        assert_eq!(script.statuses, [PathBuf::from("status")]);
        let dirs: Vec<_> = script.logs.iter().map(|log| log.dir.as_os_str()).collect();
        assert_eq!(dirs, ["./a", "/b"]);
    }

    #[test]
    fn size_and_number_hold_for_the_directories_behind_them() {
        let found = logs(&["./a", "s5000", "./b", "n3", "./c"]);
        assert_eq!(found, [(99_999, 10, None), (5000, 10, None), (5000, 3, None)]);
    }

    #[test]
    fn size_and_number_have_bounds() {
        assert_eq!(logs(&["s1", "n0", "./a"]), [(4096, 2, None)]);
        assert_eq!(logs(&["s", "n", "./a"]), [(4096, 2, None)]);
        assert_eq!(logs(&["s16777216", "n77", "./a"]), [(16_777_215, 77, None)]);
        let huge = "s99999999999999999999999";
        assert_eq!(logs(&[huge, "./a"]), [(16_777_215, 10, None)]);
    }

    #[test]
    fn a_processor_holds_until_an_empty_one() {
        let found = logs(&["!gzip", "./a", "!", "./b"]);
        assert_eq!(found, [(99_999, 10, Some("gzip".into())), (99_999, 10, None)]);
    }

    #[test]
    fn a_timestamp_comes_first_or_is_a_mistake() {
        assert!(Script::parse(&["tai64n"]).unwrap().stamp);
        assert_eq!(Script::parse(&["e", "t"]), Err(Mistake::LateStamp("t".into())));
    }

    #[test]
    fn an_argument_that_says_nothing_is_a_mistake() {
        for argument in ["", "main", "E", " e", "\n"] {
            assert_eq!(Script::parse(&[argument]), Err(Mistake::NoAction(argument.into())));
        }
    }

    proptest! {
        #[test]
        fn any_arguments_are_read_or_refused(arguments: Vec<Vec<u8>>) {
            let arguments: Vec<_> = arguments.iter().map(|word| OsStr::from_bytes(word)).collect();
            if let Ok(script) = Script::parse(&arguments) {
                prop_assert!(script.logs.iter().all(|log| (4096..=16_777_215).contains(&log.size)));
                prop_assert!(script.logs.iter().all(|log| log.keep >= 2));
            }
        }
    }
}
