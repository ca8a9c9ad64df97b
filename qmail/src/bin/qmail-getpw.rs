//! qmail-getpw — print who controls a local address, by the account database.
//!
//! Says nothing itself: the exit code, one of qmail-lspawn's, is what it has to tell. qmail-lspawn also keeps
//! one as a helper, which answers one question after the other.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::spawn::helper::{self, Answer, Question};
use qmail::spawn::report::code;
use qmail::users::getpw;
use queue::home::Home;
use unix::user::Accounts;

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
    let accounts = Accounts::read().map_err(|_| Exit(code::SYSTEM))?;
    let owner = getpw::owner_of(&home, &accounts, local.as_bytes()).map_err(Exit)?;
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
                let found = match &accounts {
                    Ok(accounts) => getpw::find(home, accounts, local),
                    Err(_) => Err(code::SYSTEM),
                };
                answers.push(match found {
                    Ok(found) => Answer { code: 0, output: found.to_bytes() },
                    Err(code) => Answer { code, output: Vec::new() },
                });
            }
        }
        Some(answers)
    };
    helper::attend(answer).map(|()| Exit::OK).map_err(|_| Exit(code::SYSTEM))
}
