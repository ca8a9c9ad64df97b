//! qmail-pw2u — make address assignments from the account database.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::control::Control;
use qmail::users::pw2u::{Assignments, Lists, Options, candidate};
use queue::home::{Account, BREAK, Home};
use unix::user::User;
use wire::text;

const QMAIL_PW2U: Program = Program::new("qmail-pw2u", "[ -/ohHuUC ] [ -c char ]");

/// What a user's home has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Homes {
    /// It is not looked at.
    Ignored,
    /// It must exist; a user who does not own it receives no mail.
    Required,
    /// A user who has none, or does not own it, receives no mail.
    Wanted,
}

fn main() -> ExitCode {
    prog::main(QMAIL_PW2U, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut options = Options { separator: Some(BREAK), dash: "-", upper_case: false };
    let mut homes = Homes::Wanted;
    while let Some(opt) = args.option(b"/ohHuUc:C")? {
        match opt.letter {
            b'/' => options.dash = "-/",
            b'o' => homes = Homes::Wanted,
            b'h' => homes = Homes::Required,
            b'H' => homes = Homes::Ignored,
            b'u' => options.upper_case = true,
            b'U' => options.upper_case = false,
            b'c' => options.separator = opt.value.as_bytes().first().copied(),
            _ => options.separator = None,
        }
    }
    let home = Home::find();
    if !home.path.is_dir() {
        return Err(Fatal::soft("unable to chdir"));
    }
    let control = Control::new(home.join("users"));
    let list = |name| control.list(name).map_err(unread);
    let [include, exclude, names] = [list("include")?, list("exclude")?, list("mailnames")?];
    let lists = Lists::new(include.as_ref(), exclude.as_ref(), names.as_ref());

    let mut passwd = Vec::new();
    let read = unix::fd::stdin().read_to_end(&mut passwd);
    read.map_err(|_| Fatal::soft("unable to read input"))?;
    let mut assignments = Assignments::new(options, &lists);
    let alias = Account::Alias.name();
    let mut has_alias = false;
    for line in text::lines(&passwd) {
        let user = candidate(line, &options, &lists);
        if let Some(user) = user
            && receives(&home, &user, homes)?
        {
            let is_alias = user.name == alias.as_bytes();
            assignments.add(&user, is_alias);
            has_alias |= is_alias;
        }
    }
    if !has_alias {
        return Err(Fatal::soft(("unable to find ", alias, " user")));
    }
    for line in text::lines(&file(&home, "subusers")?) {
        let unknown = |user| Fatal::soft(("unable to find ", user, " user for subuser"));
        assignments.add_sub(line).map_err(unknown)?;
    }
    let text = assignments.finish(&file(&home, "append")?);
    let written = unix::fd::stdout().write_all(&text);
    written.map_err(|_| Fatal::soft("unable to write output"))?;
    Ok(Exit::OK)
}

/// True if the user's home lets him receive mail.
fn receives(home: &Home, user: &User, homes: Homes) -> Result<bool, Fatal> {
    if homes == Homes::Ignored {
        return Ok(true);
    }
    match fs::metadata(home.join(&user.home)) {
        Ok(directory) => Ok(directory.uid() == user.uid.as_raw()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && homes == Homes::Wanted => {
            Ok(false)
        }
        Err(_) => Err(Fatal::soft(("unable to stat ", &user.home))),
    }
}

/// A file in users/; empty if there is none.
fn file(home: &Home, name: &str) -> Result<Vec<u8>, Fatal> {
    match fs::read(home.join("users").join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(unread),
    }
}

/// The original gives no cause.
fn unread(_: io::Error) -> Fatal {
    Fatal::soft("unable to read controls")
}
