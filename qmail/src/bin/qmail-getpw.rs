//! qmail-getpw — print who controls a local address, by the account database.
//!
//! Says nothing itself: the exit code, one of qmail-lspawn's, is what it has to tell. qmail-lspawn also keeps
//! one as a helper, which answers one question after the other.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::spawn::helper::{self, Answer, Question};
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
    if local == helper::OPTION {
        return serve(&home);
    }
    let owner = owner(&home, &Accounts::read().map_err(|_| Exit(code::SYSTEM))?, local.as_bytes())?;
    match unix::fd::stdout().write_all(&owner.to_bytes()) {
        Ok(()) => Ok(Exit::OK),
        Err(_) => Err(Exit(code::SYSTEM)),
    }
}

/// Answers qmail-lspawn until it asks no more. A question is one or more local parts, each ended by a zero
/// byte. The accounts are read for each round of questions.
fn serve(home: &Home) -> Result<Exit, Exit> {
    let answer = |questions: Vec<Question>| {
        let accounts = Accounts::read();
        let mut answers = Vec::new();
        for Question { bytes, .. } in questions {
            for local in bytes.strip_suffix(&[0])?.split(|&byte| byte == 0) {
                let owner = match &accounts {
                    Ok(accounts) => owner(home, accounts, local),
                    Err(_) => Err(Exit(code::SYSTEM)),
                };
                answers.push(match owner {
                    Ok(owner) => Answer { code: 0, output: owner.to_bytes() },
                    Err(Exit(code)) => Answer { code, output: Vec::new() },
                });
            }
        }
        Some(answers)
    };
    helper::attend(answer).map(|()| Exit::OK).map_err(|_| Exit(code::SYSTEM))
}

/// Who controls `local`: an account, or else the alias user.
fn owner(home: &Home, accounts: &Accounts, local: &[u8]) -> Result<Owner, Exit> {
    match find(home, accounts, local)? {
        Some(owner) => Ok(owner),
        None => Ok(unclaimed(alias(home)?, local)),
    }
}

/// The account that `local` belongs to.
fn find(home: &Home, accounts: &Accounts, local: &[u8]) -> Result<Option<Owner>, Exit> {
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
