//! Real mail programs, which nobody here wrote: Debian packages unpacked under `$DAISYCHAIN_CLIENTS`
//! (or `target/clients`).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::background::Background;
use crate::ground;
use crate::side::fetched;
use crate::{skipped, skipped_for};

/// A client with its arguments, ready to run; `None` (and one line, or a failure in CI) if it is not
/// here. A client that the machine has anyway will do.
#[must_use]
pub fn client<'a>(name: &str, args: impl IntoIterator<Item = &'a str>) -> Option<Command> {
    let root = fetched("DAISYCHAIN_CLIENTS", "clients");
    let unpacked = find(&root, name);
    let installed = || find(Path::new("/"), name);
    let Some(program) = unpacked.clone().or_else(installed) else {
        skipped(name);
        return None;
    };
    ground::clear();
    let mut command = Command::new(program);
    command.args(args);
    if unpacked.is_some() {
        surround(&mut command, &root);
    }
    Some(command)
}

/// The words with which another program runs a client, and what it needs around it; `None` as for
/// [`client`].
#[must_use]
pub fn client_words(name: &str) -> Option<Vec<String>> {
    let command = client(name, [])?;
    let text = |word: &OsStr| word.to_string_lossy().into_owned();
    let mut words = vec!["env".to_owned()];
    for (variable, value) in command.get_envs() {
        words.extend(value.map(|value| format!("{}={}", text(variable), text(value))));
    }
    words.push(text(command.get_program()));
    Some(words)
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let folders = ["usr/bin", "usr/sbin", "usr/lib/postfix/sbin", "bin", "sbin"];
    folders.iter().map(|folder| root.join(folder).join(name)).find(|path| path.is_file())
}

/// Lets an unpacked program find its libraries and modules where it was unpacked.
fn surround(command: &mut Command, root: &Path) {
    let list = |folders: &[&str]| {
        let paths: Vec<String> =
            folders.iter().map(|folder| root.join(folder).to_string_lossy().into_owned()).collect();
        paths.join(":")
    };
    let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
    let libraries = [
        format!("usr/lib/{machine}"),
        format!("lib/{machine}"),
        "usr/lib/postfix".to_owned(),
        "usr/lib".to_owned(),
    ];
    let libraries: Vec<&str> = libraries.iter().map(String::as_str).collect();
    command.env("LD_LIBRARY_PATH", list(&libraries));
    let modules = [
        "usr/share/perl5".to_owned(),
        "usr/share/perl/5.36".to_owned(),
        format!("usr/lib/{machine}/perl5/5.36"),
        format!("usr/lib/{machine}/perl/5.36"),
        format!("usr/lib/{machine}/perl-base"),
    ];
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    command.env("PERL5LIB", list(&modules));
    if root.join("usr/lib/python3.11/os.py").is_file() {
        command.env("PYTHONHOME", root.join("usr"));
    }
    let path =
        format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", list(&["usr/bin", "usr/sbin"]));
    command.env("PATH", path);
}

/// The words before a program's own that run it under strace; `None` (and one line) if it is not here,
/// or may not trace: a container can forbid that.
#[must_use]
pub fn strace() -> Option<Vec<OsString>> {
    let mut probe = client("strace", ["-f", "-o", "/dev/null", "true"])?;
    if !ground::output(&mut probe).is_ok_and(|run| run.status.success()) {
        skipped_for("strace may not trace here");
        return None;
    }
    let program = probe.get_program().to_owned();
    let libraries = probe.get_envs().find(|(name, _)| *name == "LD_LIBRARY_PATH");
    let Some((_, Some(libraries))) = libraries else { return Some(vec![program]) };
    // Its libraries are not those of the programs that it runs.
    let set = [OsStr::new("LD_LIBRARY_PATH="), libraries].iter().copied().collect::<OsString>();
    Some(vec!["/usr/bin/env".into(), set, program, "-E".into(), "LD_LIBRARY_PATH".into()])
}

/// Starts a server in the background, in a process group of its own; ended when dropped.
#[must_use]
pub fn start(mut command: Command) -> Background {
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().expect("a directory");
    let file = |name| std::fs::File::create(folder.path().join(name)).expect("a file");
    command.stdin(std::process::Stdio::null()).stdout(file("out")).stderr(file("err"));
    let child = ground::spawn(command.process_group(0), &[]).expect("a server");
    Background::new(child, folder)
}
