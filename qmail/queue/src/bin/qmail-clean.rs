//! qmail-clean — remove finished messages from the queue, as qmail-send asks.
//!
//! Requests come on descriptor 0, an answer of one byte to each goes to descriptor 1. It says
//! nothing else, and decides nothing: what a request may name is in `queue::sweep`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use queue::disk::Queue;
use queue::home::Home;
use queue::sweep::{self, LONGEST_REQUEST, REQUESTS_PER_CLEANUP};
use unix::dir::Dir;
use unix::signal::{self, Signal};
use unix::{clock, fd};

const QMAIL_CLEAN: Program = Program::new("qmail-clean", "").silent();

fn main() -> ExitCode {
    prog::main(QMAIL_CLEAN, run)
}

fn run(_: Args) -> Exit {
    let Ok(mut queue) = Queue::open(&Home::find()) else {
        return Exit::SOFT;
    };
    if signal::ignore(Signal::SIGPIPE).is_err() {
        return Exit::SOFT;
    }
    let mut requests = BufReader::new(fd::stdin());
    for number in (0..REQUESTS_PER_CLEANUP).cycle() {
        if number == 0 {
            clean_pid(queue.dir());
        }
        let Some(request) = next(&mut requests) else {
            break;
        };
        if fd::stdout().write_all(&[sweep::answer(&mut queue, &request).byte()]).is_err() {
            return Exit::HARD;
        }
    }
    Exit::OK
}

/// The next request without its zero byte, or the start of it if it is too long to be any; `None`
/// at the end of the input, where what is unfinished is no request.
fn next(requests: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(LONGEST_REQUEST);
    requests.by_ref().take(LONGEST_REQUEST as u64).read_until(0, &mut line).ok()?;
    if line.pop_if(|last| *last == 0).is_some() {
        return Some(line);
    }
    // Too long if its zero byte is still to come.
    let skipped =
        requests.fill_buf().is_ok_and(|more| !more.is_empty()) && requests.skip_until(0).is_ok();
    skipped.then_some(line)
}

/// Removes what processes that are gone have left in `pid/`.
fn clean_pid(queue: &Dir) {
    let Ok(names) = queue.entries(Path::new("pid")) else {
        return; // it will be tried again, and nothing waits for it
    };
    let now = clock::wall().seconds;
    for name in names.flatten() {
        let path = Path::new("pid").join(name);
        if queue.stat(&path).is_ok_and(|file| sweep::is_ossified(file.st_atime, now)) {
            let _ = queue.unlink(&path); // as above
        }
    }
}
