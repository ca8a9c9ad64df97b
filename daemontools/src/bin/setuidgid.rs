//! setuidgid — run another program under an account's uid and gid.

use std::process::ExitCode;

use daemontools::account;
use prog::{Args, Chain, Fatal, OrFatal, Program};
use unix::user::groups_of;

const SETUIDGID: Program = Program::new("setuidgid", "[ -s ] account child");

fn main() -> ExitCode {
    prog::main(SETUIDGID, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut joins_others = false;
    while args.option(b"s")?.is_some() {
        joins_others = true;
    }
    let account = args.operand()?;
    let mut next = args.chain()?;

    let mut identity = account::identity(&account)?;
    if joins_others {
        let Some(name) = &identity.name else {
            return Err(Fatal::hard(("unable to join groups of ", &account, ": it has no name")));
        };
        let others = groups_of(name, identity.gid).or_fatal(("unable to look up ", &account))?;
        for group in others {
            if !identity.groups.contains(&group) {
                identity.groups.push(group);
            }
        }
    }
    next.identity(identity.uid, identity.gid);
    next.groups(&identity.groups);
    Ok(next)
}
