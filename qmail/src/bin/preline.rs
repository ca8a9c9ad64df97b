//! preline — put the lines of the envelope before a message, for a program that reads it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program, env};
use unix::errno;
use unix::fd;
use unix::process::SpawnError;
use unix::signal::{self, Signal};

const PRELINE: Program = Program::new("preline", "[ -frdFRD ] cmd [ arg ... ]");

const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(PRELINE, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    // In the order they are to stand in; an option of the same letter leaves one out.
    let mut lines = [(b'f', "UFLINE"), (b'r', "RPLINE"), (b'd', "DTLINE")]
        .map(|(letter, name)| (letter, env::get(name), true));
    while let Some(option) = args.option(b"frdFRD")? {
        for (letter, _, wanted) in &mut lines {
            if option.letter.eq_ignore_ascii_case(letter) {
                *wanted = option.letter.is_ascii_uppercase();
            }
        }
    }
    let mut buffer = Vec::with_capacity(BUFFER);
    for (_, line, wanted) in lines {
        let line = line.ok_or_else(|| args.usage())?;
        if wanted {
            buffer.extend(line);
        }
    }
    let mut next = args.chain()?;
    let program = next.program().to_owned();
    let (input, pipe) = fd::pipe().or_fatal("unable to create pipe")?;
    next.descriptor(0, input);
    let child = next.launch().map_err(|error| match error {
        SpawnError::Fork(errno) => Fatal::because("unable to fork", errno),
        SpawnError::Enter(failure) => {
            let fatal = Fatal::because(("unable to run ", &program), failure.errno);
            if errno::is_temporary(failure.errno) { fatal } else { fatal.exit(Exit::HARD) }
        }
    })?;
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to ignore SIGPIPE")?;
    copy(buffer, File::from(pipe)).or_fatal("unable to copy input")?;
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
