//! envuidgid — run another program with an account's uid and gid in $UID and $GID.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use unix::user::User;

const ENVUIDGID: Program = Program::new("envuidgid", "account child");

fn main() -> ExitCode {
    prog::main(ENVUIDGID, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let account = args.operand()?;
    let mut next = args.chain()?;

    let user = User::from_name(account.as_bytes())
        .or_fatal(("unable to look up ", &account))?
        .ok_or_else(|| Fatal::soft(("unknown account ", &account)))?;
    next.env.set("GID", user.gid.to_string());
    next.env.set("UID", user.uid.to_string());
    Ok(next)
}
