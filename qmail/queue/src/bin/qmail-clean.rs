//! qmail-clean — remove finished messages from the queue, as qmail-send asks.
//!
//! Requests come on descriptor 0, an answer of one byte to each goes to descriptor 1. Those that have
//! come together are carried out together. It says nothing else, and decides nothing: what a request
//! may name is in `queue::sweep`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use queue::disk::Queue;
use queue::home::Home;
use queue::sweep::{self, Answer, Cleaner, LONGEST_REQUEST, REQUESTS_PER_CLEANUP};
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
    let mut input = BufReader::new(fd::stdin());
    let mut cleaner = Cleaner::default();
    loop {
        clean_pid(queue.dir());
        let mut left = REQUESTS_PER_CLEANUP;
        while left > 0 {
            let requests = batch(&mut input, left);
            if requests.is_empty() {
                return Exit::OK;
            }
            left = left.saturating_sub(requests.len());
            let answers = cleaner.answer(&mut queue, &requests).into_iter();
            let answers: Vec<u8> = answers.map(Answer::byte).collect();
            if fd::stdout().write_all(&answers).is_err() {
                return Exit::HARD;
            }
        }
    }
}

/// The next request, and those that have come with it, at most so many; none at the end of the input.
fn batch<R: Read>(input: &mut BufReader<R>, most: usize) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    while requests.len() < most && (requests.is_empty() || input.buffer().contains(&0)) {
        let Some(request) = next(input) else { break };
        requests.push(request);
    }
    requests
}

/// The next request without its zero byte, or the start of it if it is too long to be any; `None`
/// at the end of the input, where what is unfinished is no request.
fn next(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(LONGEST_REQUEST);
    input.by_ref().take(LONGEST_REQUEST as u64).read_until(0, &mut line).ok()?;
    if line.pop_if(|last| *last == 0).is_some() {
        return Some(line);
    }
    // Too long if its zero byte is still to come.
    let skipped =
        input.fill_buf().is_ok_and(|more| !more.is_empty()) && input.skip_until(0).is_ok();
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
