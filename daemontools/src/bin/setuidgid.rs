//! setuidgid — run another program under an account's uid and gid.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use unix::user::User;

const SETUIDGID: Program = Program::new("setuidgid", "account child");

fn main() -> ExitCode {
    prog::main(SETUIDGID, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let account = args.operand()?;
    let mut next = args.chain()?;

    let user = User::from_name(account.as_bytes())
        .or_fatal(("unable to look up ", &account))?
        .ok_or_else(|| Fatal::soft(("unknown account ", &account)))?;
    next.identity(user.uid, user.gid);
    Ok(next)
}
