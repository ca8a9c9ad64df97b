//! envdir — run another program with environment modified according to files in a directory.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use daemontools::envdir;
use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};

const ENVDIR: Program = Program::new("envdir", "dir child").misuse(Exit::SOFT); // as the original

fn main() -> ExitCode {
    prog::main(ENVDIR, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let dir = args.path()?;
    let mut next = args.chain()?;

    // Looked at first, because a directory that is not there and one that may not be listed are
    // different mistakes.
    fs::metadata(dir.join(".")).or_fatal(("unable to switch to directory ", &dir))?;
    for entry in fs::read_dir(&dir).or_fatal(("unable to read directory ", &dir))? {
        let name = entry.or_fatal(("unable to read directory ", &dir))?.file_name();
        let file = dir.join(&name);
        let name = name.as_bytes();
        if !envdir::is_variable(name) {
            continue;
        }
        let contents = match fs::read(&file) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => continue,
            contents => contents.or_fatal(("unable to read ", &file))?,
        };
        if !envdir::is_usable(name) {
            return Err(Fatal::soft(("unable to use ", &file, ": a variable's name has no =")));
        }
        next.env.put(name, envdir::value(&contents));
    }
    Ok(next)
}
