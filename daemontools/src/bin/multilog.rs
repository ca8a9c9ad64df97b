//! multilog — read a sequence of lines and append selected ones to any number of logs.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::multilog::action::Machine;
use daemontools::multilog::directory::Directory;
use daemontools::multilog::input::{BLOCK, Input};
use daemontools::multilog::script::{Mistake, Script};
use daemontools::multilog::trouble::{Trouble, Weight};
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::poll::{self, Interest};
use unix::signal::{self, Signal, Signals};
use unix::{clock, fd, file, process};

const MULTILOG: Program = Program::new("multilog", "action ...");

/// How long to wait before something that did not work is tried again.
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    prog::main(MULTILOG, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    process::umask(0o022);
    let script = Script::parse(&args.rest()).map_err(|mistake| match mistake {
        Mistake::LateStamp(word) => Fatal::hard(("only the first action can be ", word)),
        Mistake::NoAction(word) => Fatal::hard(("unable to understand action ", word)),
    })?;
    let statuses = open_statuses(&script.statuses)?;
    let mut watch = Watch::new().or_fatal("unable to catch signals")?;
    let mut machine = Machine::new(&script);
    let mut input = Input::new(script.stamp);
    let mut logs = Vec::with_capacity(script.logs.len());
    for log in script.logs {
        loop {
            match Directory::open(log.clone()) {
                Ok(log) => break logs.push(log),
                Err(trouble) => watch.endure(trouble)?,
            }
            if watch.leave != Leave::No {
                return Ok(Exit::SOFT);
            }
        }
    }

    let mut output = Output { logs, statuses };
    output.settle(&mut watch)?;
    loop {
        if std::mem::take(&mut watch.rotate) {
            output.rotate(&mut watch)?;
        }
        match watch.leave {
            Leave::AtLineEnd if input.is_at_line_start() => break,
            Leave::Now => break,
            _ => {}
        }
        if !watch.wait_for_input() {
            continue;
        }
        // What follows the line that is read last belongs to the next multilog.
        let most = if watch.leave == Leave::No { BLOCK } else { 1 };
        match input.fill(most, |room| std::io::Read::read(&mut fd::stdin(), room), clock::wall) {
            Ok(0) => break,
            Ok(_) => output.pass(&mut input, &mut machine, &mut watch)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                MULTILOG.warning("unable to read input", error);
                break;
            }
        }
    }
    input.end_line();
    output.pass(&mut input, &mut machine, &mut watch)?;
    output.close(&mut watch)
}

fn open_statuses(paths: &[PathBuf]) -> Result<Vec<(PathBuf, File)>, Fatal> {
    let open = |path: &PathBuf| {
        file::open_append(path).or_fatal(("unable to create ", path))?;
        let file = OpenOptions::new().write(true).open(path);
        Ok((path.clone(), file.or_fatal(("unable to write ", path))?))
    };
    paths.iter().map(open).collect()
}

/// Whether and how soon to leave; the order is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leave {
    No,
    /// When the line that is being read has ended.
    AtLineEnd,
    /// As if the input had ended.
    Now,
}

/// The signals that have come.
struct Watch {
    signals: Signals,
    leave: Leave,
    rotate: bool,
}

impl Watch {
    fn new() -> std::io::Result<Watch> {
        use Signal::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
        // Neither a reader of stderr that is gone nor a file that is too big may cost a line.
        signal::ignore(Signal::SIGPIPE)?;
        signal::ignore(Signal::SIGXFSZ)?;
        let caught = [SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        Ok(Watch { signals: Signals::catch(&caught)?, leave: Leave::No, rotate: false })
    }

    fn notice(&mut self) {
        for signal in self.signals.drain() {
            match signal {
                Signal::SIGALRM => self.rotate = true,
                Signal::SIGTERM if self.leave == Leave::No => self.leave = Leave::AtLineEnd,
                _ => self.leave = Leave::Now,
            }
        }
    }

    /// Waits; true if there is input, false if a signal came first.
    fn wait_for_input(&mut self) -> bool {
        let input = fd::stdin();
        let mut interests = [Interest::readable(&input), Interest::readable(&self.signals)];
        if poll::wait(&mut interests, None).is_err() {
            return true; // a read waits as well
        }
        let [input, signal] = interests.map(|interest| interest.is_ready());
        if signal {
            self.notice();
        }
        input && !signal
    }

    /// Tells what is wrong, and waits until it may be tried again: for a while, or until a signal says
    /// that it is time to leave.
    fn endure(&mut self, trouble: Trouble) -> Result<(), Fatal> {
        let Trouble { what, cause, weight } = trouble;
        let what = (what, if weight == Weight::Pause { ", pausing" } else { "" });
        match (weight, cause) {
            (Weight::Fatal, Some(cause)) => return Err(Fatal::because(what, cause)),
            (Weight::Fatal, None) => return Err(Fatal::soft(what)),
            (_, Some(cause)) => MULTILOG.warning(what, cause),
            (_, None) => MULTILOG.warning(what, ()),
        }
        if weight == Weight::Pause {
            let (before, deadline) = (self.leave, Instant::now() + PAUSE);
            let woken = |watch: &Watch| poll::until(&watch.signals, false, Some(deadline));
            while self.leave == before && woken(self).unwrap_or(false) {
                self.notice();
            }
        }
        Ok(())
    }
}

/// Where lines go.
struct Output {
    logs: Vec<Directory>,
    statuses: Vec<(PathBuf, File)>,
}

impl Output {
    /// Does the actions for what has been read, up to the beginning of a line that may go on.
    fn pass(
        &mut self,
        input: &mut Input,
        machine: &mut Machine,
        watch: &mut Watch,
    ) -> Result<(), Fatal> {
        let count = machine.feed(input.bytes());
        let taken = input.bytes().get(..count).unwrap_or_default();
        for (number, log) in self.logs.iter_mut().enumerate() {
            append(log, machine.log(number, taken), watch)?;
        }
        for piece in machine.alerts() {
            let _ = fd::stderr().write_all(piece); // there is nobody else to tell
        }
        for (number, (path, file)) in self.statuses.iter().enumerate() {
            let Some(status) = machine.status(number) else { continue };
            while let Err(error) = file.write_all_at(status, 0) {
                watch.endure(Trouble::new(("unable to write ", path), Some(error)))?;
                if watch.leave != Leave::No {
                    break; // it is no log
                }
            }
        }
        input.take(count);
        Ok(())
    }

    /// Ends the start.
    fn settle(&mut self, watch: &mut Watch) -> Result<(), Fatal> {
        self.logs.iter_mut().try_for_each(|log| append(log, b"", watch))
    }

    fn rotate(&mut self, watch: &mut Watch) -> Result<(), Fatal> {
        for log in &mut self.logs {
            log.rotate();
            append(log, b"", watch)?;
        }
        Ok(())
    }

    /// Closes every log; a log that cannot be closed is left for the next start to recover, but only
    /// when a signal has asked to leave.
    fn close(&mut self, watch: &mut Watch) -> Result<Exit, Fatal> {
        let mut exit = Exit::OK;
        for log in &mut self.logs {
            let mut has_waited = false;
            while let Err(trouble) = log.close() {
                if watch.leave != Leave::No && has_waited {
                    exit = Exit::SOFT;
                    break;
                }
                has_waited = trouble.weight == Weight::Pause;
                watch.endure(trouble)?;
            }
        }
        Ok(exit)
    }
}

/// Writes all of `data`, however long it takes: a line that has been read is never dropped.
///
/// When a signal has asked to leave, a processor that has failed is not run again, and a turn-over
/// behind the last byte is left to [`Output::close`].
fn append(log: &mut Directory, mut data: &[u8], watch: &mut Watch) -> Result<(), Fatal> {
    while let Err(trouble) = log.write(&mut data) {
        if watch.leave != Leave::No && data.is_empty() && trouble.weight == Weight::Pause {
            break;
        }
        watch.endure(trouble)?;
        if watch.leave != Leave::No {
            log.hurry();
        }
    }
    Ok(())
}
