//! cyclog — write a log to files that are named by the time, and keep the last of them.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemontools::cyclog::{self, Room};
use prog::{Args, Exit, Fatal, OrFatal, Piece, Program};
use unix::poll::{self, Interest};
use unix::signal::{Held, Signal};
use unix::{clock, fd, file, process};

const CYCLOG: Program = Program::new("cyclog", "[ -ssize ] [ -nnum ] [ -mmargin ] dir");

/// From a failure to the next try.
const PAUSE: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    prog::main(CYCLOG, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let (mut size, mut number, mut margin) = (104_000, 10, 4000);
    while let Some(option) = args.option(b"s:n:m:")? {
        let value = option.number::<usize>().ok_or_else(|| args.usage())?;
        match option.letter {
            b's' => size = value.max(512),
            b'n' => number = value.max(1),
            _ => margin = value,
        }
    }
    let dir = args.path()?;

    process::umask(0o022);
    std::env::set_current_dir(&dir).or_fatal(("unable to chdir to ", &dir))?;
    // What has been read is written before a signal ends it.
    let held = Held::new(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
        .or_fatal("unable to hold signals")?;
    let waiting = Waiting { held, is_ending: Cell::new(false) };
    let mut input = Input { block: vec![0; 64 * 1024], filled: 0..0 };
    loop {
        let (name, mut file) = begin(&waiting, number);
        let mut room = Room::new(size, margin);
        let mut is_over = false;
        while !room.is_full() && !is_over {
            let part = input.next(&waiting);
            is_over = part.is_empty();
            let taken = room.take(part);
            write(&waiting, &name, &mut file, part.get(..taken).unwrap_or_default());
            input.filled.start += taken;
        }
        waiting.patiently(("unable to sync to ", &name), || file.sync_all());
        // A mode and a directory that stay as they were cost no line.
        let _ = file.set_permissions(Permissions::from_mode(0o444));
        let _ = file::sync_directory(Path::new("."));
        if is_over {
            return Ok(Exit::OK);
        }
    }
}

/// Makes room for a new file, and begins it: in the next second if there is one of this second.
fn begin(waiting: &Waiting, number: usize) -> (String, File) {
    let list = || fs::read_dir(".")?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>();
    let names = waiting.patiently("unable to read directory", list);
    for old in cyclog::superfluous(names, number) {
        waiting.patiently(("unable to remove ", &old), || fs::remove_file(&old));
    }
    loop {
        let now = clock::wall();
        let name = cyclog::name(now.seconds);
        let create = || {
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).mode(0o644).open(&name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
                other => other.map(Some),
            }
        };
        if let Some(file) = waiting.patiently(("unable to create ", &name), create) {
            return (name, file);
        }
        waiting.pause(Duration::from_nanos(1_000_000_000 - u64::from(now.nanos)));
    }
}

fn write(waiting: &Waiting, name: &str, file: &mut File, part: &[u8]) {
    let mut rest = part;
    while !rest.is_empty() {
        let count = waiting.patiently(("unable to write to ", name), || file.write(rest));
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Signals come through while it waits, and only then: after one it reads nothing more.
struct Waiting {
    held: Held,
    is_ending: Cell<bool>,
}

impl Waiting {
    /// What `attempt` gives, tried again and again.
    fn patiently<T>(&self, what: impl Piece, attempt: impl FnMut() -> io::Result<T>) -> T {
        let mut attempt = attempt;
        loop {
            match attempt() {
                Ok(value) => return value,
                Err(error) => CYCLOG.warning((&what, ", pausing"), error),
            }
            self.pause(PAUSE);
        }
    }

    fn pause(&self, limit: Duration) {
        let start = Instant::now();
        let _ = poll::wait_held(&mut [], Some(limit), &self.held); // with nothing to wait for it cannot fail
        if start.elapsed() < limit {
            self.is_ending.set(true);
        }
    }
}

/// What has been read and not yet written.
struct Input {
    block: Vec<u8>,
    filled: Range<usize>,
}

impl Input {
    /// The next bytes of standard input; none at its end, or when a signal has come.
    fn next(&mut self, waiting: &Waiting) -> &[u8] {
        if self.filled.is_empty() && !waiting.is_ending.get() {
            let ready =
                poll::wait_held(&mut [Interest::readable(&fd::stdin())], None, &waiting.held);
            let count = match ready {
                Ok(0) => Ok(0),
                _ => fd::stdin().read(&mut self.block),
            };
            self.filled = 0..count.unwrap_or(0); // what cannot be read has ended
        }
        self.block.get(self.filled.clone()).unwrap_or_default()
    }
}
