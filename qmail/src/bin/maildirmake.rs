//! maildirmake — make a maildir.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::dir::Dir;

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
    let parent = parent(&path);
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.or_fatal(("unable to mkdir ", &path))?;
    let maildir = Dir::open(&path).or_fatal(("unable to chdir to ", &path))?;
    for name in ["tmp", "new", "cur"] {
        let made = maildir.make_dir(name.as_ref(), 0o700);
        made.or_fatal(("unable to mkdir ", &path, "/", name))?;
    }
    // A message that is safe in a maildir must not be lost with the maildir's own name.
    maildir.sync().or_fatal(("unable to sync ", &path))?;
    // One that may be written to but not read cannot be synced by us.
    if let Ok(directory) = File::open(parent) {
        directory.sync_all().or_fatal(("unable to sync ", parent))?;
    }
    Ok(Exit::OK)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != OsStr::new("")).unwrap_or(Path::new("."))
}
