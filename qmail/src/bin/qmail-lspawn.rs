//! qmail-lspawn — make local deliveries, many at a time.
//!
//! The one daemon of the mail system that stays root. For each command of qmail-send it finds out
//! who controls the recipient, and has qmail-local make the delivery as that user; it touches no file
//! of a user's and looks at nothing in a message. Says nothing itself.

use std::fs::File;
use std::io;
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::spawn::local::{Local, Place};
use qmail::spawn::serve::serve;
use queue::home::{Account, Group, Home};
use unix::{Gid, Uid};

const QMAIL_LSPAWN: Program = Program::new("qmail-lspawn", "defaultdelivery").silent();

fn main() -> ExitCode {
    prog::main(QMAIL_LSPAWN, run)
}

fn run(mut args: Args) -> Exit {
    let Some(default_delivery) = args.optional() else {
        return Exit::HARD;
    };
    let home = Home::find();
    let Ok(getpw) = identity_of_getpw(&home) else {
        return Exit::SOFT;
    };
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else {
        return Exit::SOFT;
    };
    let place = Place { home: home.clone(), getpw, default_delivery, null };
    match serve(&home, Local::new(place)) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::SOFT,
    }
}

/// Whom qmail-getpw runs as, which reads the account database for us; `None` for the caller.
fn identity_of_getpw(home: &Home) -> io::Result<Option<(Uid, Gid)>> {
    if home.private {
        return Ok(None);
    }
    let [uid] = home.uid([Account::Passwd])?;
    Ok(Some((uid, home.gid(Group::Nofiles)?)))
}
