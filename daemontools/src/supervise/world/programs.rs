//! The programs in a service's directory, and the small files that say how to treat them.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prog::Chain;
use unix::errno::Errno;
use unix::image::{Failure, Step};
use unix::process::SpawnError;
use unix::signal::Signal;
use unix::{Pid, fd, file};
use wire::decimal;

use super::Cgroup;
use crate::state::End;
use crate::supervise::{Event, Means, Program, named};

/// Starts the programs of the service in the working directory.
#[derive(Debug)]
pub struct Programs {
    program: prog::Program,
    /// The service's name as it was given, for messages.
    dir: PathBuf,
}

/// How long what `run` has left behind may take to end, if nobody says otherwise.
const REST: Duration = Duration::from_secs(5);

/// A program beside the service that is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `check`.
    Check,
    /// `notify`: of which program, its process, and how it ended if it did.
    Notify(Program, u32, Option<End>),
}

impl Programs {
    /// Messages are `program`'s, and call the service `dir`.
    #[must_use]
    pub fn new(program: prog::Program, dir: &Path) -> Programs {
        Programs { program, dir: dir.to_owned() }
    }

    /// Starts a program, `run` in the cgroup if that can be. Also gives where the service will write when
    /// it is ready.
    #[must_use]
    pub fn launch(&self, what: Program, cgroup: Option<&Cgroup>) -> (Event, Option<File>) {
        let name = what.name();
        if what != Program::Run && !file::is_executable(Path::new(name)) {
            return (Event::Absent, None);
        }
        let mut chain = Chain::new([format!("./{name}")]);
        if let Program::Finish(end) = what {
            let (code, signal) = told(end);
            chain.argument(code);
            chain.argument(signal);
        }
        let notification = (what == Program::Run).then(|| self.notification()).flatten();
        let reader = notification.map(|(number, read, write)| {
            chain.descriptor(number, write);
            File::from(read)
        });
        if let Some(door) = cgroup.and_then(|cgroup| cgroup.open().ok()) {
            chain.cgroup(door);
        }
        let event = match chain.launch() {
            Ok(child) => match u32::try_from(child.pid.as_raw()) {
                Ok(pid) if what == Program::Run => Event::Started(pid, means(reader.is_some())),
                Ok(pid) => Event::Started(pid, Means::None),
                Err(_) => Event::Failed,
            },
            // One that is not ours to use, or has controllers that forbid it.
            Err(SpawnError::Enter(Failure { step: Step::Cgroup, .. })) => {
                return self.launch(what, None);
            }
            Err(SpawnError::Enter(failure)) => {
                if failure.errno == Errno::ENOENT && what == Program::Run && does_without_run() {
                    return (Event::Absent, None);
                }
                // Not the end of supervise, but these words are what log readers know.
                let what = ("unable to start ", &self.dir, "/", name);
                self.program.say("fatal", what, failure.errno);
                Event::Failed
            }
            Err(SpawnError::Fork(errno)) => {
                let words = match what {
                    Program::Run | Program::Start => ", sleeping 60 seconds",
                    Program::Finish(_) => ", leaving out finish",
                    Program::Stop => ", leaving out stop",
                };
                self.program.warning(("unable to fork for ", &self.dir, words), errno);
                Event::NoProcess
            }
        };
        (event, reader)
    }

    /// Starts a program beside the service; `None` if there is none.
    #[must_use]
    pub fn help(&self, helper: Helper) -> Option<Pid> {
        let name = match helper {
            Helper::Check => "check",
            Helper::Notify(..) => "notify",
        };
        if !file::is_executable(Path::new(name)) {
            return None;
        }
        let mut chain = Chain::new([format!("./{name}")]);
        if let Helper::Notify(what, pid, end) = helper {
            let (event, code) = match end {
                None => ("start", 0),
                Some(End::Exit(code)) => ("exit", code),
                Some(End::Signal(number)) => ("killed", number),
                Some(End::Unknown) => ("exit", 0),
            };
            for word in [what.name(), event, &pid.to_string(), &code.to_string()] {
                chain.argument(word);
            }
            chain.session();
        }
        match chain.launch() {
            Ok(child) => Some(child.pid),
            Err(SpawnError::Enter(failure)) => {
                let what = ("unable to start ", &self.dir, "/", name);
                self.program.warning(what, failure.errno);
                None
            }
            Err(SpawnError::Fork(errno)) => {
                self.program.warning(("unable to fork for ", &self.dir, "/", name), errno);
                None
            }
        }
    }

    /// The signal that ends the service.
    #[must_use]
    pub fn down_signal(&self) -> Signal {
        let named = |text: &[u8]| named(text).ok_or("not the name of a signal");
        self.setting("down-signal", named).unwrap_or(Signal::SIGTERM)
    }

    /// How long the service may take to end.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let millis = self.setting("timeout-kill", |text| number(text).ok_or("not a number"))?;
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    /// How long what `run` has left behind may take to end.
    #[must_use]
    pub fn patience_with_rest(&self) -> Duration {
        self.patience().unwrap_or(REST)
    }

    /// A pipe for the service's notification, and the number that the service finds it under.
    fn notification(&self) -> Option<(i32, OwnedFd, OwnedFd)> {
        let usable = |text: &[u8]| {
            let number = number(text).and_then(|number| i32::try_from(number).ok());
            number.filter(|number| *number < 1024).ok_or("not the number of a descriptor")
        };
        let number = self.setting("notification-fd", usable)?;
        let made = fd::pipe().and_then(|(read, write)| {
            fd::nonblocking(&read, true)?;
            Ok((number, read, write))
        });
        made.map_err(|error| self.program.warning(("unable to create pipe for ", &self.dir), error))
            .ok()
    }

    /// What a small file says; `None`, after a warning if it makes no sense, where it says nothing.
    fn setting<T>(
        &self,
        name: &str,
        read: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Option<T> {
        let what = ("unable to read ", &self.dir, "/", name);
        match fs::read(name) {
            Ok(text) => match read(&text) {
                Ok(value) => return Some(value),
                Err(words) => self.program.warning((what, ": ", words), ()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.program.warning(what, error),
        }
        None
    }
}

/// How a service that has just been started, or taken over, tells that it is ready.
#[must_use]
pub fn means(notifies: bool) -> Means {
    if notifies {
        Means::Notification
    } else if file::is_executable(Path::new("check")) {
        Means::Check
    } else {
        Means::None
    }
}

/// Whether a service without `run` is one all the same: `start` has done everything.
fn does_without_run() -> bool {
    file::is_executable(Path::new("start")) && fs::symlink_metadata("run").is_err()
}

/// The arguments of `finish`, as runit has them.
fn told(end: End) -> (String, String) {
    match end {
        End::Exit(code) => (code.to_string(), "0".to_owned()),
        End::Signal(number) => ("-1".to_owned(), number.to_string()),
        End::Unknown => ("-1".to_owned(), "0".to_owned()),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    decimal::parse(text.trim_ascii())
}
