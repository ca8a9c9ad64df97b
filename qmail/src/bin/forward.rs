//! forward — forward a message to other addresses.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::redirect;

const FORWARD: Program = Program::new("forward", "address ...");

fn main() -> ExitCode {
    prog::main(FORWARD, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let addresses = args.rest();
    if addresses.is_empty() {
        return Err(args.usage());
    }
    let addresses: Vec<&[u8]> = addresses.iter().map(|address| address.as_bytes()).collect();
    let qp = redirect::send("NEWSENDER", &addresses, &mut unix::fd::stdin())?;
    Err(Fatal::lines(Exit::OK, ("forward: qp ", qp)))
}
