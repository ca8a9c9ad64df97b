//! qbiff — tell a user who is logged in that mail has come.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Program, env};
use qmail::logins;
use qmail::summary::{Summary, harmless};
use unix::Uid;

/// It never fails: mail matters more than news of it.
const QBIFF: Program = Program::new("qbiff", "").crash(Exit::OK).silent();

/// Where the system keeps who is logged in.
const UTMP: &str = "/var/run/utmp";
/// Columns of the second line, with its indent.
const WIDTH: usize = 78;
/// What is read of utmp at most.
const MOST: u64 = 64 << 20;
/// The owner takes messages: what biff(1) and mesg(1) change.
const TAKES_MESSAGES: u32 = 0o100;

fn main() -> ExitCode {
    prog::main(QBIFF, run)
}

fn run(_: Args) -> Exit {
    // Who cannot be told is not told.
    if let (Some(user), Some(sender), Some(local)) =
        (env::get("USER"), env::get("SENDER"), env::get("LOCAL"))
    {
        let _ = announce(&user, &sender, &local);
    }
    Exit::OK
}

fn announce(user: &[u8], sender: &[u8], local: &[u8]) -> io::Result<()> {
    let indent = b"    ";
    let summary = Summary::read(unix::fd::stdin(), WIDTH - indent.len())?;
    let head = [b"*** TO <", local, b"> FROM <", sender, b">"].concat();
    let text = [&indent[..], &summary.text].concat();
    let notice =
        [b"\r\n\x07", &harmless(&head, b'_')[..], b"\r\n", &harmless(&text, b'/'), b"\r\n"]
            .concat();
    if fs::metadata(UTMP)?.len() > MOST {
        return Ok(());
    }
    for line in logins::terminals(&fs::read(UTMP)?, logins::RECORD, user) {
        let _ = tell(&Path::new("/dev").join(OsStr::from_bytes(line)), &notice); // as above
    }
    Ok(())
}

/// Writes to a terminal whose owner, this process's user, wants that. One that is stopped is not
/// waited for.
fn tell(terminal: &Path, notice: &[u8]) -> io::Result<()> {
    let mut terminal = unix::file::open_terminal(terminal)?;
    let file = terminal.metadata()?;
    if file.mode() & TAKES_MESSAGES != 0 && file.uid() == Uid::current().as_raw() {
        terminal.write_all(notice)?;
    }
    Ok(())
}
