//! Bytes passed on between a connection and a program, in one process and without threads.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use prog::{Chain, Fatal, OrFatal};
use unix::fd::{self, Direct};
use unix::poll::{self, Interest};
use unix::signal::{self, Signal};
use unix::{process, socket};

use crate::crlf::Machine;

/// How much is read at once.
pub const BUFFER: usize = 64 * 1024;
/// What one write puts into a pipe unmixed (`PIPE_BUF`), and a pipe that is ready takes at once.
pub const PORTION: usize = 4096;

/// What looks at bytes, or changes them, between their being read and being written.
pub trait Through {
    /// Takes note of `read`, which was read at once and is empty at the end; it may append to
    /// `instead`, which is empty.
    fn pass(&mut self, read: &[u8], instead: &mut Vec<u8>) -> Passed;
}

/// Which bytes are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Those that were read.
    AsRead,
    /// Those in their place.
    Instead,
}

impl<M: Machine> Through for M {
    fn pass(&mut self, read: &[u8], instead: &mut Vec<u8>) -> Passed {
        self.push(read, instead);
        if read.is_empty() {
            self.finish(instead);
        }
        Passed::Instead
    }
}

/// Passes everything on as it is.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged;

impl Through for Unchanged {
    fn pass(&mut self, _: &[u8], _: &mut Vec<u8>) -> Passed {
        Passed::AsRead
    }
}

/// Passes standard input on to standard output, through `through`, up to its end.
pub fn filter(mut through: impl Through) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut instead = Vec::with_capacity(2 * BUFFER);
    loop {
        let count = fd::stdin().read(&mut buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        instead.clear();
        let passed = match through.pass(read, &mut instead) {
            Passed::AsRead => read,
            Passed::Instead => &instead,
        };
        fd::stdout().write_all(passed)?;
        if count == 0 {
            return Ok(());
        }
    }
}

/// Makes `next` a program between two pipes: what this process would have read goes to it through
/// `inward`, and what it writes goes out through `outward`.
///
/// This process becomes the program, so that its number and exit code are the program's; a child
/// copies, until the program has closed its output or something cannot be passed on.
pub fn surround(
    next: &mut Chain,
    inward: impl Through,
    outward: impl Through,
) -> Result<(), Fatal> {
    let (input, to_program) = fd::pipe().or_fatal("unable to create pipe")?;
    let (from_program, output) = fd::pipe().or_fatal("unable to create pipe")?;
    // The child must not hold the program's ends open.
    let ends = Cell::new(Some((input, output)));
    process::fork(|| {
        drop(ends.take());
        copy(Direction::new(inward), Direction::new(outward), to_program, &from_program);
        0
    })
    .or_fatal("unable to fork")?;
    if let Some((input, output)) = ends.take() {
        next.descriptor(0, input);
        next.descriptor(1, output);
    }
    Ok(())
}

fn copy(
    mut inward: Direction<impl Through>,
    mut outward: Direction<impl Through>,
    to_program: OwnedFd,
    from_program: &OwnedFd,
) {
    // A reader that is gone is an error of write.
    let _ = signal::ignore(Signal::SIGPIPE);
    let (stdin, stdout) = (fd::stdin(), fd::stdout());
    let mut to_program = Some(to_program);
    loop {
        let second = outward.interest(from_program, &stdout);
        let first = to_program.as_ref().map(|to| inward.interest(&stdin, to));
        let Ok((is_in, is_out)) = wait(first, second) else { return };
        if is_in && let Some(to) = &to_program {
            match inward.step(stdin, to) {
                Ok(true) => {}
                Ok(false) => to_program = None,
                Err(_) => return,
            }
        }
        if is_out && !outward.step(from_program, stdout).unwrap_or(false) {
            return;
        }
    }
}

/// Waits until one of the two can go on, and says which. A direction that has ended is `None`.
pub fn wait(first: Option<Interest<'_>>, second: Interest<'_>) -> io::Result<(bool, bool)> {
    let Some(first) = first else {
        poll::wait(&mut [second], None)?;
        return Ok((false, true));
    };
    let mut both = [first, second];
    poll::wait(&mut both, None)?;
    let [first, second] = both;
    Ok((first.is_ready(), second.is_ready()))
}

/// Bytes on their way in one direction. Nothing more is read until all of them are written.
#[derive(Debug)]
pub struct Direction<T> {
    through: T,
    read: Vec<u8>,
    instead: Vec<u8>,
    passed: Passed,
    /// What of those bytes is still to be written.
    rest: Range<usize>,
    /// Nothing more is to be read.
    is_over: bool,
    /// Whether the other end is a socket, as far as is known.
    may_be_socket: bool,
}

impl<T: Through> Direction<T> {
    /// Nothing is on its way.
    pub fn new(through: T) -> Direction<T> {
        Direction {
            through,
            read: vec![0; BUFFER],
            instead: Vec::new(),
            passed: Passed::AsRead,
            rest: 0..0,
            is_over: false,
            may_be_socket: true,
        }
    }

    /// What has to be waited for before the next step.
    pub fn interest<'a>(&self, from: &'a impl AsFd, to: &'a impl AsFd) -> Interest<'a> {
        if self.rest.is_empty() { Interest::readable(from) } else { Interest::writable(to) }
    }

    /// Reads, or writes what was read. False at the end: everything is read and written.
    ///
    /// An error of reading is an end, too; one of writing is given.
    pub fn step(&mut self, from: impl AsFd, to: impl AsFd) -> io::Result<bool> {
        if self.rest.is_empty() {
            let count = Direct(from).read(&mut self.read).unwrap_or(0);
            self.instead.clear();
            let read = self.read.get(..count).unwrap_or_default();
            self.passed = self.through.pass(read, &mut self.instead);
            let length = match self.passed {
                Passed::AsRead => count,
                Passed::Instead => self.instead.len(),
            };
            (self.rest, self.is_over) = (0..length, count == 0);
        } else {
            let bytes = match self.passed {
                Passed::AsRead => &self.read,
                Passed::Instead => &self.instead,
            };
            let bytes = bytes.get(self.rest.clone()).unwrap_or_default();
            self.rest.start += write(bytes, to, &mut self.may_be_socket)?;
        }
        Ok(!(self.is_over && self.rest.is_empty()))
    }

    /// Drops what was read and cannot be written.
    pub fn forget(&mut self) {
        self.rest = 0..0;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crlf::{AddCr, DelCr};

    /// What `bytes` have become when all of them have been passed on.
    fn passed(through: impl Through, bytes: &[u8]) -> Vec<u8> {
        let (from, source) = fd::pipe().unwrap();
        let (mut result, to) = (Vec::new(), tempfile::tempfile().unwrap());
        Direct(source).write_all(bytes).unwrap();
        let mut direction = Direction::new(through);
        while direction.step(&from, &to).unwrap() {}
        io::Seek::rewind(&mut &to).unwrap();
        (&to).read_to_end(&mut result).unwrap();
        result
    }

    #[test]
    fn everything_is_passed_on_changed() {
        assert_eq!(passed(AddCr, b"a\nb"), b"a\r\nb");
        assert_eq!(passed(AddCr, b""), b"");
        let lines = b"x\n".repeat(10_000);
        assert_eq!(passed(AddCr, &lines), b"x\r\n".repeat(10_000));
    }

    #[test]
    fn what_was_held_back_comes_at_the_end() {
        assert_eq!(passed(DelCr::default(), b"a\r"), b"a\r");
        assert_eq!(passed(DelCr::default(), b"\r"), b"\r");
    }

    #[test]
    fn what_is_only_looked_at_goes_on_as_it_is() {
        struct Count(usize);
        impl Through for &mut Count {
            fn pass(&mut self, read: &[u8], _: &mut Vec<u8>) -> Passed {
                self.0 += read.len();
                Passed::AsRead
            }
        }
        let mut count = Count(0);
        assert_eq!(passed(&mut count, b"a\r\n"), b"a\r\n");
        assert_eq!(count.0, 3);
    }
}
