//! qmail-getpw — print who controls a local address, by the account database.
//!
//! Says nothing itself: the exit code, one of qmail-lspawn's, is what it has to tell.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::spawn::report::code;
use qmail::users::Owner;
use qmail::users::getpw::{candidates, unclaimed};
use queue::home::{Account, Home};
use unix::Uid;
use unix::errno;
use unix::user::{Accounts, User};

const QMAIL_GETPW: Program = Program::new("qmail-getpw", "local").silent();

fn main() -> ExitCode {
    prog::main(QMAIL_GETPW, run)
}

fn run(mut args: Args) -> Result<Exit, Exit> {
    let local = args.optional().ok_or(Exit::HARD)?;
    let home = Home::find();
    let owner = match find(&home, local.as_bytes())? {
        Some(owner) => owner,
        None => unclaimed(alias(&home)?, local.as_bytes()),
    };
    match unix::fd::stdout().write_all(&owner.to_bytes()) {
        Ok(()) => Ok(Exit::OK),
        Err(_) => Err(Exit(code::SYSTEM)),
    }
}

/// The account that `local` belongs to.
fn find(home: &Home, local: &[u8]) -> Result<Option<Owner>, Exit> {
    let accounts = Accounts::read().map_err(|_| Exit(code::SYSTEM))?;
    for candidate in candidates(local) {
        let user = account(home, &accounts, &candidate.name).map_err(|_| Exit(code::SYSTEM))?;
        if let Some(user) = user
            && receives(&user)?
        {
            return Ok(Some(candidate.owner(user)));
        }
    }
    Ok(None)
}

/// The account called `name`. A private host has an alias account of its own, and every other that is not
/// the caller's is somebody else's.
fn account(home: &Home, accounts: &Accounts, name: &[u8]) -> io::Result<Option<User>> {
    if !home.private {
        return accounts.find(name);
    }
    if name == Account::Alias.name().as_bytes() {
        return home.alias();
    }
    Ok(accounts.find(name)?.filter(|user| user.uid == Uid::current()))
}

fn alias(home: &Home) -> Result<User, Exit> {
    home.alias().map_err(|_| Exit(code::SYSTEM))?.ok_or(Exit(code::NO_ALIAS))
}

/// Root does not, nor does who does not own his home directory.
fn receives(user: &User) -> Result<bool, Exit> {
    if user.uid.is_root() {
        return Ok(false);
    }
    match std::fs::metadata(&user.home) {
        Ok(home) => Ok(home.uid() == user.uid.as_raw()),
        Err(error) if is_temporary(&error) => Err(Exit(code::NFS)),
        Err(_) => Ok(false),
    }
}

fn is_temporary(error: &io::Error) -> bool {
    errno::is_temporary(errno::of(error))
}
