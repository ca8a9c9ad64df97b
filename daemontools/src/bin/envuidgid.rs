//! envuidgid — run another program with an account's uid and gid in $UID and $GID.

use std::process::ExitCode;

use daemontools::account;
use prog::{Args, Chain, Fatal, Program};

const ENVUIDGID: Program = Program::new("envuidgid", "account child");

fn main() -> ExitCode {
    prog::main(ENVUIDGID, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let account = args.operand()?;
    let mut next = args.chain()?;

    let identity = account::identity(&account)?;
    next.env.set("GID", identity.gid.to_string());
    next.env.set("UID", identity.uid.to_string());
    Ok(next)
}
