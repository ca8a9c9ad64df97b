//! maildirmake — make a maildir.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::dir::Dir;
use unix::file;

const MAILDIRMAKE: Program = Program::new("maildirmake", "name");

fn main() -> ExitCode {
    prog::main(MAILDIRMAKE, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    if args.optional().is_some() {
        return Err(args.usage());
    }
    unix::process::umask(0o077);
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.or_fatal(("unable to mkdir ", &path))?;
    let maildir = Dir::open(&path).or_fatal(("unable to chdir to ", &path))?;
    for name in ["tmp", "new", "cur"] {
        let made = maildir.make_dir(name.as_ref(), 0o700);
        made.or_fatal(("unable to mkdir ", &path, "/", name))?;
    }
    // A message that is safe in a maildir must not be lost with the maildir's own name.
    maildir.sync().or_fatal(("unable to sync ", &path))?;
    file::sync_name(&path).or_fatal(("unable to sync the directory of ", &path))?;
    Ok(Exit::OK)
}
