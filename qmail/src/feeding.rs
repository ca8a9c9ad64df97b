//! A program that reads a message with lines before it. Source: preline(1).

use std::fs::File;
use std::io::{self, Read, Write};

use prog::{Chain, Exit, Fatal, OrFatal};
use unix::errno;
use unix::fd;
use unix::process::SpawnError;
use unix::signal::{self, Signal};

const BUFFER: usize = 64 * 1024;

/// Runs `program` with `head`, and behind it standard input, on its own; gives its exit code.
pub fn feed(mut program: Chain, head: Vec<u8>) -> Result<Exit, Fatal> {
    let name = program.program().to_owned();
    let (input, pipe) = fd::pipe().or_fatal("unable to create pipe")?;
    program.descriptor(0, input);
    let child = program.launch().map_err(|error| match error {
        SpawnError::Fork(errno) => Fatal::because("unable to fork", errno),
        SpawnError::Enter(failure) => {
            let fatal = Fatal::because(("unable to run ", &name), failure.errno);
            if errno::is_temporary(failure.errno) { fatal } else { fatal.exit(Exit::HARD) }
        }
    })?;
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to ignore SIGPIPE")?;
    copy(head, File::from(pipe)).or_fatal("unable to copy input")?;
    match child.wait().or_fatal("wait failed")?.code() {
        Some(code) => Ok(Exit(code)),
        None => Err(Fatal::soft("child crashed")),
    }
}

/// Writes what is in `buffer` and then standard input, until its end or until nobody reads any more:
/// a program that has seen enough says by its exit code what that means.
fn copy(mut buffer: Vec<u8>, mut pipe: File) -> io::Result<()> {
    let head = buffer.len();
    buffer.resize(head + BUFFER, 0);
    let mut kept = head;
    loop {
        let space = buffer.get_mut(kept..).unwrap_or_default();
        let read = fd::stdin().read(space)?;
        if kept + read == 0 {
            return Ok(());
        }
        let full = buffer.get(..kept + read).unwrap_or_default();
        match pipe.write_all(full) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
        kept = 0;
    }
}
