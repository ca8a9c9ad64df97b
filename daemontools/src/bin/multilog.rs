//! multilog — read a sequence of lines and append selected ones to any number of logs.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
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

/// Bytes of a read that may not have been all there was.
const FAST: usize = 4096;

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
        Mistake::NoCode(dir) => Fatal::hard(("unable to use & without a code (w) for ", dir)),
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
    let mut source = Source::default();
    output.settle(&mut watch)?;
    loop {
        watch.notice();
        if std::mem::take(&mut watch.rotate) {
            output.turn_over(&mut watch, Directory::rotate)?;
        }
        output.tend(&mut watch)?;
        match watch.leave {
            Leave::AtLineEnd if input.is_at_line_start() => break,
            Leave::Now => break,
            _ => {}
        }
        // What follows the line that is read last belongs to the next multilog.
        let most = if watch.leave == Leave::No { BLOCK } else { 1 };
        match input.fill(most, |room| source.read(room), clock::wall) {
            Ok(0) => break,
            Ok(_) => output.pass(&mut input, &mut machine, &mut watch)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                source.is_ready = watch.wait_for_input(output.deadline());
                output.turn_over(&mut watch, Directory::rotate_old)?;
            }
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

/// Where lines come from.
struct Source {
    /// There is something to read, or the end.
    is_ready: bool,
    /// The last read brought much, so that there may be more.
    is_fast: bool,
    /// The kernel can read what is there without waiting.
    can_look: bool,
}

impl Default for Source {
    fn default() -> Self {
        Source { is_ready: false, is_fast: false, can_look: true }
    }
}

impl Source {
    /// Reads once; `WouldBlock` if it is to be waited for first.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = if std::mem::take(&mut self.is_ready) {
            fd::stdin().read(room)
        } else if self.is_fast && self.can_look {
            fd::read_now(fd::stdin(), room)
        } else {
            Err(ErrorKind::WouldBlock.into())
        };
        self.is_fast = matches!(read, Ok(count) if count >= FAST);
        match read {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.can_look = false;
                Err(ErrorKind::WouldBlock.into())
            }
            read => read,
        }
    }
}

/// The signals that have come.
struct Watch {
    signals: Signals,
    leave: Leave,
    rotate: bool,
}

impl Watch {
    fn new() -> io::Result<Watch> {
        use Signal::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
        // Neither a reader of stderr that is gone nor a file that is too big may cost a line.
        signal::ignore(Signal::SIGPIPE)?;
        signal::ignore(Signal::SIGXFSZ)?;
        let caught = [SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
        Ok(Watch { signals: Signals::catch(&caught)?, leave: Leave::No, rotate: false })
    }

    fn notice(&mut self) {
        if !self.signals.is_pending() {
            return;
        }
        for signal in self.signals.drain() {
            match signal {
                Signal::SIGALRM => self.rotate = true,
                Signal::SIGCHLD => {} // it has woken us, and is looked for
                Signal::SIGTERM if self.leave == Leave::No => self.leave = Leave::AtLineEnd,
                _ => self.leave = Leave::Now,
            }
        }
    }

    /// Waits for input, a signal, or `deadline` as time since boot; true if there is input.
    fn wait_for_input(&mut self, deadline: Option<Duration>) -> bool {
        let input = fd::stdin();
        let mut interests = [Interest::readable(&input), Interest::readable(&self.signals)];
        let left = deadline.map(|deadline| deadline.saturating_sub(clock::since_boot()));
        match poll::wait(&mut interests, left) {
            Ok(_) => interests.first().is_some_and(Interest::is_ready),
            Err(_) => true, // a read waits as well
        }
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

    /// Turns over every log that `begin` thinks is to be.
    fn turn_over(&mut self, watch: &mut Watch, begin: fn(&mut Directory)) -> Result<(), Fatal> {
        for log in &mut self.logs {
            begin(log);
            append(log, b"", watch)?;
        }
        Ok(())
    }

    /// When the first log is too old to go on with, as time since boot.
    fn deadline(&self) -> Option<Duration> {
        self.logs.iter().filter_map(Directory::deadline).min()
    }

    /// Goes on with processors that run while lines are read.
    fn tend(&mut self, watch: &mut Watch) -> Result<(), Fatal> {
        for log in &mut self.logs {
            if let Err(trouble) = log.tend() {
                watch.endure(trouble)?;
            }
        }
        Ok(())
    }

    /// At the end of the input, waits for them; but not when a signal has asked to leave.
    fn drain(&mut self, watch: &mut Watch) -> Result<(), Fatal> {
        loop {
            watch.notice();
            self.tend(watch)?;
            if watch.leave != Leave::No || !self.logs.iter().any(Directory::is_busy) {
                break;
            }
            let _ = poll::until(&watch.signals, false, None); // its end is looked for in any case
        }
        self.logs.iter_mut().for_each(Directory::abandon);
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
        self.drain(watch)?;
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
