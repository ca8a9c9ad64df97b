//! Script parser: what multilog's arguments say.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::multilog::pattern::Pattern;
use crate::stamp::Form;

/// Bytes a log file may have: by default, at least, at most.
const SIZE: (u64, u64, u64) = (99_999, 4096, 2_147_483_647);

/// Old files that are one too many: by default, at least.
const KEEP: (u64, u64) = (10, 2);

/// What is to be done, as one list of arguments says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Each line gets a timestamp first, of this form.
    pub stamp: Option<Form>,
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
    /// Old files are removed until this many bytes hold them and a full `current`.
    pub total: Option<u64>,
    /// The seconds after which a file is full, counted from its first byte.
    pub age: Option<u64>,
    /// What old files are given to.
    pub processor: Option<Processor>,
    /// What the name of a finished file says behind the time.
    pub code: OsString,
}

/// A command of the shell that makes an old file of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processor {
    /// It is waited for.
    Before(OsString),
    /// It runs while lines are read, on a file that is finished already.
    Behind(OsString),
}

/// The code of a file that is finished, and safely on disk.
pub const SAFE: &str = "s";

/// The code of a file that a crash has left, or that could not be processed.
pub const UNPROCESSED: &str = "u";

impl Default for Log {
    fn default() -> Log {
        Log {
            dir: PathBuf::new(),
            size: SIZE.0,
            keep: KEEP.0,
            total: None,
            age: None,
            processor: None,
            code: SAFE.into(),
        }
    }
}

impl Log {
    /// The log at `dir`, if what was asked for can be done.
    fn at(&self, dir: &OsStr) -> Result<Log, Mistake> {
        match &self.processor {
            Some(Processor::Behind(_)) if self.code == SAFE => Err(Mistake::NoCode(dir.to_owned())),
            _ => Ok(Log { dir: dir.into(), ..self.clone() }),
        }
    }
}

/// An argument that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A timestamp is asked for, but not in the first place.
    LateStamp(OsString),
    /// This is no action.
    NoAction(OsString),
    /// What is made of this log's files while lines are read would have the names of those files.
    NoCode(OsString),
}

impl Script {
    /// Reads the arguments. Source: multilog(8), also that of daemontools-encore.
    pub fn parse<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Script, Mistake> {
        let mut script = Script::default();
        let mut log = Log::default();
        let mut pattern: fn(&[u8]) -> Pattern = Pattern::parse;
        for (place, argument) in arguments.iter().map(AsRef::as_ref).enumerate() {
            match argument.as_bytes() {
                // Any word that begins so, as in the original.
                [b't', ..] if place == 0 => script.stamp = Some(Form::Tai64n),
                [b'I'] if place == 0 => script.stamp = Some(Form::Iso),
                [b'T', ..] if place == 0 => script.stamp = Some(Form::Unix),
                [b't' | b'T', ..] | [b'I'] => {
                    return Err(Mistake::LateStamp(argument.to_owned()));
                }
                [b's', digits @ ..] => log.size = number(digits).clamp(SIZE.1, SIZE.2),
                [b'n', digits @ ..] => log.keep = number(digits).max(KEEP.1),
                [b'S', digit @ b'0'..=b'9', digits @ ..] => {
                    log.total = limit(&[&[*digit], digits].concat());
                }
                [b'R', digits @ ..] => log.age = limit(digits),
                [b'w', code @ ..] if is_code(code) => {
                    OsStr::from_bytes(code).clone_into(&mut log.code);
                }
                [b'!', command @ ..] => log.processor = processor(command, Processor::Before),
                [b'&', command @ ..] => log.processor = processor(command, Processor::Behind),
                [b'F'] => pattern = Pattern::glob,
                [b'S'] => pattern = Pattern::parse,
                [b'-', text @ ..] => script.actions.push(Action::Deselect(pattern(text))),
                [b'+', text @ ..] => script.actions.push(Action::Select(pattern(text))),
                [b'e', ..] => script.actions.push(Action::Alert),
                [b'=', file @ ..] => {
                    script.actions.push(Action::Status(script.statuses.len()));
                    script.statuses.push(OsStr::from_bytes(file).into());
                }
                [b'.' | b'/', ..] => {
                    script.actions.push(Action::Log(script.logs.len()));
                    script.logs.push(log.at(argument)?);
                }
                _ => return Err(Mistake::NoAction(argument.to_owned())),
            }
        }
        Ok(script)
    }
}

fn processor(command: &[u8], kind: fn(OsString) -> Processor) -> Option<Processor> {
    (!command.is_empty()).then(|| kind(OsStr::from_bytes(command).to_owned()))
}

/// A limit; 0 is none.
fn limit(digits: &[u8]) -> Option<u64> {
    Some(number(digits)).filter(|number| *number > 0)
}

/// Whether old names can end so, and are not those of unprocessed files.
fn is_code(code: &[u8]) -> bool {
    !code.is_empty() && code != UNPROCESSED.as_bytes() && !code.contains(&b'/') && code.len() < 200
}

/// The number that `text` begins with; 0 without digits, the largest if it does not fit.
fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
