//! fghack — run a program that puts itself into the background, and wait until it has really ended.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::fd;

const FGHACK: Program = Program::new("fghack", "child");

/// Copies of the pipe for a daemon that closes some of its descriptors. Source: fghack(8).
const COPIES: usize = 30;

fn main() -> ExitCode {
    prog::main(FGHACK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut next = args.chain()?;

    let (end, held) = fd::pipe().or_fatal("unable to create pipe")?;
    // As many as there may be, at the lowest numbers that the child has free: that of our end is one.
    for _ in 1..COPIES {
        let Ok(copy) = held.try_clone() else { break };
        next.descriptor(copy.as_raw_fd(), copy);
    }
    if let Ok(copy) = held.try_clone() {
        next.descriptor(end.as_raw_fd(), copy);
    }
    next.descriptor(held.as_raw_fd(), held);
    let child = next.spawn()?; // which closes all of ours

    // Nothing is to be heard but the end, when nobody has the pipe open any more.
    while fd::Direct(&end).read(&mut [0; 512]).is_ok_and(|count| count > 0) {}
    let status = child.wait().or_fatal("wait failed")?;
    status.code().map(Exit).ok_or_else(|| Fatal::soft("child crashed"))
}
