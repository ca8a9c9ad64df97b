//! mconnect-io — talk to a server: standard input with carriage returns to 7, and 6 to standard output.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::crlf::AddCr;
use ucspi_tcp::relay::{self, Direction, Unchanged};
use unix::fd;
use unix::signal::{self, Signal};

const MCONNECT_IO: Program = Program::new("mconnect-io", "");

fn main() -> ExitCode {
    prog::main(MCONNECT_IO, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    // Without a connection there is nothing to do, which is no failure.
    let Ok(server) = fd::take(6) else { return Ok(Exit::OK) };
    let to_server = fd::take(7).ok();
    // A reader that is gone is an error of write.
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to ignore SIGPIPE")?;
    talk(&server, to_server.as_ref()).or_fatal("unable to wait")?;
    Ok(Exit::OK)
}

/// Copies both ways until the server closes. The end of what is to be sent is not the end of the
/// conversation, and neither is a server that takes nothing more or a user who reads nothing more.
fn talk(server: &OwnedFd, to_server: Option<&OwnedFd>) -> std::io::Result<()> {
    let (stdin, stdout) = (fd::stdin(), fd::stdout());
    let (mut inward, mut outward) = (Direction::new(Unchanged), Direction::new(AddCr));
    let mut to_server = to_server;
    loop {
        let first = to_server.map(|to| outward.interest(&stdin, to));
        let (is_out, is_in) = relay::wait(first, inward.interest(server, &stdout))?;
        if is_out
            && let Some(to) = to_server
            && !outward.step(stdin, to).unwrap_or(false)
        {
            to_server = None;
        }
        if is_in {
            match inward.step(server, stdout) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(_) => inward.forget(),
            }
        }
    }
}
