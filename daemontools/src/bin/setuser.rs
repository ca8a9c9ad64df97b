//! setuser — run another program as an account: its numbers, groups, environment and home.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, OrFatal, Program};
use unix::user::{User, groups_of};

const SETUSER: Program = Program::new("setuser", "account child");

fn main() -> ExitCode {
    prog::main(SETUSER, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let account = args.operand()?;
    let mut next = args.chain()?;

    let unable = ("unable to look up ", &account);
    let user = User::from_name(account.as_bytes())
        .or_fatal(unable)?
        .ok_or_else(|| Fatal::soft(("unknown account ", &account)))?;
    next.identity(user.uid, user.gid);
    next.groups(&groups_of(&user.name, user.gid).or_fatal(unable)?);
    next.env.set("HOME", user.home.as_os_str().as_bytes());
    next.env.set("SHELL", user.shell.as_os_str().as_bytes());
    next.env.set("USER", &user.name);
    next.env.set("GID", user.gid.to_string());
    next.env.set("UID", user.uid.to_string());
    next.directory(user.home);
    Ok(next)
}
