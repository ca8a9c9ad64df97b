//! recordio — run a program, and show on standard error what it reads and writes.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use ucspi_tcp::tap;
use unix::fd::{self, Direct};
use unix::poll::{self, Interest};
use unix::signal::{self, Signal};
use unix::{process, socket};

const RECORDIO: Program = Program::new("recordio", "program [ arg ... ]");
const BUFFER: usize = 64 * 1024;
/// What one write puts into a pipe unmixed (`PIPE_BUF`), and a pipe that is ready takes at once.
const PORTION: usize = 4096;

fn main() -> ExitCode {
    prog::main(RECORDIO, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut next = args.chain()?;
    let (input, to_program) = fd::pipe().or_fatal("unable to create pipe")?;
    let (from_program, output) = fd::pipe().or_fatal("unable to create pipe")?;

    // This process becomes the program, so that its number and exit code are the program's; the
    // child, which copies, must not hold the program's ends open.
    let program = process::id().as_raw().to_string();
    let ends = Cell::new(Some((input, output)));
    process::fork(|| {
        drop(ends.take());
        copy(&program, to_program, &from_program);
        0
    })
    .or_fatal("unable to fork")?;
    if let Some((input, output)) = ends.take() {
        next.descriptor(0, input);
        next.descriptor(1, output);
    }
    Ok(next)
}

/// Copies both ways until the program has closed its output, or nobody takes what it says.
fn copy(program: &str, to_program: OwnedFd, from_program: &OwnedFd) {
    // A reader that is gone is an error of write.
    let _ = signal::ignore(Signal::SIGPIPE);
    let mut inward = Direction::new(format!("{program} < "));
    let mut outward = Direction::new(format!("{program} > "));
    let mut to_program = Some(to_program);
    loop {
        let Ok((is_in, is_out)) = wait(&inward, &outward, to_program.as_ref(), from_program) else {
            return;
        };
        if is_in && let Some(to) = &to_program {
            match inward.step(fd::stdin(), to) {
                Ok(true) => {}
                Ok(false) => to_program = None,
                Err(_) => return,
            }
        }
        if is_out && !outward.step(from_program, fd::stdout()).unwrap_or(false) {
            return;
        }
    }
}

/// Waits until one of the directions can go on, and says which.
fn wait(
    inward: &Direction,
    outward: &Direction,
    to_program: Option<&OwnedFd>,
    from_program: &OwnedFd,
) -> io::Result<(bool, bool)> {
    let (stdin, stdout) = (fd::stdin(), fd::stdout());
    let second = if outward.is_empty() {
        Interest::readable(from_program)
    } else {
        Interest::writable(&stdout)
    };
    let Some(to_program) = to_program else {
        poll::wait(&mut [second], None)?;
        return Ok((false, true));
    };
    let first =
        if inward.is_empty() { Interest::readable(&stdin) } else { Interest::writable(to_program) };
    let mut both = [first, second];
    poll::wait(&mut both, None)?;
    let [first, second] = both;
    Ok((first.is_ready(), second.is_ready()))
}

/// Bytes on their way in one direction. Nothing more is read until all of them are written.
struct Direction {
    before: String,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    rest: std::ops::Range<usize>,
    /// Lines for the log.
    lines: Vec<u8>,
    /// Whether the other end is a socket, as far as is known.
    may_be_socket: bool,
}

impl Direction {
    fn new(before: String) -> Direction {
        let buffer = vec![0; BUFFER];
        Direction { before, buffer, rest: 0..0, lines: Vec::new(), may_be_socket: true }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads and shows, or writes what was read. False at the end of what can be read.
    fn step(&mut self, from: impl AsFd, to: impl AsFd) -> io::Result<bool> {
        if self.is_empty() {
            // An error of reading is an end, too.
            let count = Direct(from).read(&mut self.buffer).unwrap_or(0);
            self.rest = 0..count;
            self.show();
            return Ok(count > 0);
        }
        let bytes = self.buffer.get(self.rest.clone()).unwrap_or_default();
        self.rest.start += write(bytes, to, &mut self.may_be_socket)?;
        Ok(true)
    }

    fn show(&mut self) {
        let before = self.before.as_bytes();
        self.lines.clear();
        match self.buffer.get(self.rest.clone()) {
            Some(data) if !data.is_empty() => tap::push_lines(&mut self.lines, before, data),
            _ => tap::push_end(&mut self.lines, before),
        }
        let mut rest = self.lines.as_slice();
        while !rest.is_empty() {
            let portion = tap::portion(rest, PORTION);
            // A log that cannot be written must not stop the conversation.
            let _ = fd::stderr().write_all(portion);
            rest = rest.get(portion.len()..).unwrap_or_default();
        }
    }
}

/// Writes as much of `bytes` as does not have to wait.
///
/// The descriptor stays blocking, because others may share it. A pipe that poll calls ready takes a
/// portion at once, and a socket is told not to wait.
fn write(bytes: &[u8], to: impl AsFd, may_be_socket: &mut bool) -> io::Result<usize> {
    if *may_be_socket {
        match socket::send(&to, bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if socket::is_not_one(&error) => *may_be_socket = false,
            other => return other,
        }
    }
    let portion = bytes.get(..PORTION).unwrap_or(bytes);
    match Direct(to).write(portion) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
