//! svc — control services, and wait for what comes of it.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::service::{self, Trouble};
use daemontools::status::Want;
use daemontools::waiting::{Goal, Snapshot, Verdict};
use daemontools::{exit, waiting};
use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::errno::Errno;
use unix::poll::{self, Interest};
use unix::watch::Watch;

const HELP: &str = "svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, \
                    i interrupt, t term, k kill, q quit, 1 usr1, 2 usr2, w winch, + everything, \
                    = process, W[udUDrRx] wait, T milliseconds";
const SVC: Program =
    Program::new("svc", "[ -udopchaitkxq12w+= ] [ -W goal ] [ -T milliseconds ] dir ...")
        .help(HELP);

/// What was waited for has not come in time. Source: s6-svwait.
const LATE: Exit = Exit(99);

fn main() -> ExitCode {
    prog::main(SVC, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let begin = Instant::now();
    let mut commands = Commands::default();
    let mut goal = None;
    let mut limit = None;
    while let Some(opt) = args.option(b"udopchaitkxq12w+=W:T:")? {
        match opt.letter {
            b'T' => {
                let millis = opt.number().ok_or_else(|| args.usage())?;
                limit = Some(Duration::from_millis(millis));
            }
            b'W' => {
                let named = Goal::named(opt.value.as_bytes());
                goal = Some(named.ok_or_else(|| args.usage())?);
            }
            letter => commands.add(letter),
        }
    }
    let dirs = args.rest().into_iter().map(PathBuf::from);
    match goal {
        None => {
            let mut exit = Exit::OK;
            for dir in dirs {
                if !send(&dir, &commands.bytes())? {
                    exit = Exit::SOFT;
                }
            }
            Ok(exit::classic(exit))
        }
        Some(goal) => wait(goal, limit.map(|limit| begin + limit), &commands, dirs),
    }
}

/// The bytes to send.
#[derive(Default)]
struct Commands {
    bytes: Vec<u8>,
    /// Where the letters begin that reach the same.
    section: usize,
    reaches_all: bool,
}

impl Commands {
    /// A letter counts once, for everything and for the process alone.
    fn add(&mut self, letter: u8) {
        if letter == b'+' || letter == b'=' {
            let reaches_all = letter == b'+';
            if reaches_all != self.reaches_all {
                self.bytes.push(letter);
                self.section = self.bytes.len();
                self.reaches_all = reaches_all;
            }
        } else if !self.bytes.get(self.section..).unwrap_or_default().contains(&letter) {
            self.bytes.push(letter);
        }
    }

    /// All of them. Whatever another svc sends may be read together with this.
    fn bytes(&self) -> Vec<u8> {
        let end: &[u8] = if self.reaches_all { b"=" } else { b"" };
        [&self.bytes, end].concat()
    }

    /// What they want in the end, if they say so.
    fn wish(&self) -> Option<Want> {
        self.bytes.iter().rev().find_map(|letter| match letter {
            b'd' => Some(Want::Down),
            b'o' => Some(Want::Once),
            b'u' => Some(Want::Up),
            _ => None,
        })
    }
}

/// Sends `commands` to a service in one write; false, and a warning, if that cannot be.
fn send(dir: &Path, commands: &[u8]) -> Result<bool, Fatal> {
    match service::control(dir) {
        Ok(mut fifo) => match fifo.write_all(commands) {
            Ok(()) => Ok(true),
            Err(error) => {
                SVC.warning(("error writing commands to ", dir), error);
                Ok(false)
            }
        },
        Err(trouble) => complain(dir, trouble),
    }
}

fn complain(dir: &Path, trouble: Trouble) -> Result<bool, Fatal> {
    match trouble {
        Trouble::File(_, error) => SVC.warning(("unable to control ", dir), error),
        Trouble::NoDirectory(error) => SVC.warning(("unable to chdir to ", dir), error),
        Trouble::NoWayBack(error) => {
            return Err(Fatal::because("unable to set directory", error));
        }
        Trouble::NotRunning => {
            SVC.warning(("unable to control ", dir, ": supervise not running"), ());
        }
    }
    Ok(false)
}

/// A service that is waited for.
struct Awaited {
    dir: PathBuf,
    /// Hangs up when its supervise leaves.
    supervisor: File,
    before: Snapshot,
}

/// Sends the commands to all services, and waits until each has reached the goal.
fn wait(
    goal: Goal,
    deadline: Option<Instant>,
    commands: &Commands,
    dirs: impl Iterator<Item = PathBuf>,
) -> Result<Exit, Fatal> {
    let watch = Watch::nothing().or_fatal("unable to watch services")?;
    let mut exit = Exit::OK;
    let mut awaited = Vec::new();
    for dir in dirs {
        match prepare(&watch, &dir) {
            Ok(service) if send(&dir, &commands.bytes())? => awaited.push(service),
            Ok(_) => exit = Exit::SOFT,
            Err(trouble) => {
                complain(&dir, trouble)?;
                exit = Exit::SOFT;
            }
        }
    }
    while !awaited.is_empty() {
        watch.news(|_| true);
        awaited.retain(|service| match service.verdict(goal, commands.wish()) {
            Verdict::Later => true,
            Verdict::Never(why) => {
                SVC.warning((&service.dir, " ", goal.words(), ": ", why), ());
                exit = Exit::SOFT;
                false
            }
            Verdict::Reached => false,
        });
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            for service in &awaited {
                SVC.warning((&service.dir, " ", goal.words()), Errno::ETIMEDOUT);
                exit = exit::worse(exit, LATE);
            }
            break;
        }
        if !awaited.is_empty() {
            let mut interests = vec![Interest::readable(&watch)];
            interests.extend(awaited.iter().map(|service| Interest::hangup(&service.supervisor)));
            poll::wait(&mut interests, left).or_fatal("unable to wait")?;
        }
    }
    Ok(exit)
}

/// Watches a service before anything is sent to it.
fn prepare(watch: &Watch, dir: &Path) -> Result<Awaited, Trouble> {
    let supervisor = service::supervisor(dir)?;
    let watched = watch.also(&dir.join("supervise"));
    watched.map_err(|error| Trouble::File("watch", error))?;
    let before = snapshot(dir, &supervisor)?;
    Ok(Awaited { dir: dir.to_owned(), supervisor, before })
}

fn snapshot(dir: &Path, supervisor: &File) -> Result<Snapshot, Trouble> {
    // First: what it told before it left is all it told.
    let mut gone = [Interest::hangup(supervisor)];
    let is_supervised = poll::wait(&mut gone, Some(Duration::ZERO)).is_ok_and(|count| count == 0);
    let Some((status, state)) = service::snapshot(dir)? else {
        return Err(Trouble::File("read", Errno::EPROTO.into()));
    };
    Ok(waiting::Snapshot { status, state, is_supervised })
}

impl Awaited {
    fn verdict(&self, goal: Goal, wish: Option<Want>) -> Verdict {
        match snapshot(&self.dir, &self.supervisor) {
            Ok(now) => goal.judge(wish, &self.before, &now),
            Err(_) => Verdict::Never("its status cannot be read"),
        }
    }
}
