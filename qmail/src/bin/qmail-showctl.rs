//! qmail-showctl — tell how this host is set up.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Piece, Program};
use qmail::control::Control;
use qmail::showctl::{self, Changed, head};
use queue::hand;
use queue::home::{Account, BREAK, Group, Home, PATRN, SPAWN, SPLIT};

const QMAIL_SHOWCTL: Program = Program::new("qmail-showctl", "");

/// Permission of everybody to write.
const ANYBODY: u32 = 0o002;
/// The same, and of the group and the owner.
const EVERYBODY: u32 = 0o222;

fn main() -> ExitCode {
    prog::main(QMAIL_SHOWCTL, run)
}

fn run(_: Args) -> Result<Exit, Fatal> {
    let home = Home::find();
    let directory = home.join("control");
    let mut out = Vec::with_capacity(8192);
    constants(&mut out, &home);
    let told = match names(&directory) {
        Ok(names) => control(&mut out, &home, &directory, &names),
        Err(_) if !home.path.is_dir() => Err(oops(&mut out, ("Unable to chdir to ", &home.path))),
        Err(_) => Err(oops(&mut out, "Unable to chdir to control")),
    };
    let written = unix::fd::stdout().write_all(&out);
    written.map_err(|error| Fatal::because("unable to write output", error))?;
    told.map(|()| Exit::OK)
}

fn oops(out: &mut Vec<u8>, what: impl Piece) -> Fatal {
    ("Oops! ", what, ".\n").render(out);
    Fatal::silent(Exit::SOFT)
}

/// What was fixed when the programs were built, and who the accounts are.
fn constants(out: &mut Vec<u8>, home: &Home) {
    use Account::{Alias, Daemon, Log, Passwd, Queue, Remote, Send};
    ("qmail home directory: ", &home.path, ".\n").render(out);
    ("user-ext delimiter: ", [BREAK], ".\n").render(out);
    ("paternalism (in decimal): ", PATRN, ".\n").render(out);
    ("silent concurrency limit: ", SPAWN, ".\n").render(out);
    ("subdirectory split: ", SPLIT, ".\n").render(out);
    // As the original: alias, qmaild, qmaill, root, qmailp, qmailq, qmailr, qmails.
    let [alias, daemon, log, others @ ..] = home
        .uids([Alias, Daemon, Log, Passwd, Queue, Remote, Send])
        .unwrap_or_default()
        .map(|uid| number(uid.map(unix::Uid::as_raw)));
    let [passwd, queue, remote, send] = others;
    let users = [alias, daemon, log, "0".into(), passwd, queue, remote, send].join(", ");
    let group = |group| number(home.gid(group).ok().map(unix::Gid::as_raw));
    let groups = [group(Group::Nofiles), group(Group::Qmail)].join(", ");
    ("user ids: ", users, ".\ngroup ids: ", groups, ".\n").render(out);
}

fn number(id: Option<u32>) -> String {
    id.map_or_else(|| "none".into(), |id| id.to_string())
}

/// The names in the directory of control files, sorted.
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(directory)?;
    let mut names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn control(
    out: &mut Vec<u8>,
    home: &Home,
    directory: &Path,
    names: &[OsString],
) -> Result<(), Fatal> {
    let changed = |name: &str| fs::metadata(directory.join(name)).ok().map(|file| file.mtime());
    let changed =
        Changed { list: changed("morercpthosts"), database: changed("morercpthosts.cdb") };
    showctl::tell(out, &Control::of(home), changed)
        .map_err(|_| oops(out, "Trouble reading control/me"))?;
    for name in names.iter().filter(|name| !showctl::is_known(name.as_bytes())) {
        head(out, name.as_bytes());
        out.extend_from_slice(b"I have no idea what this file does.\n");
    }
    for name in names {
        if is_anybody_s(&directory.join(name)) {
            head(out, name.as_bytes());
            out.extend_from_slice(b"Oops! Anybody can write to this file.\n");
        }
    }
    if is_anybody_s(directory) {
        out.extend_from_slice(b"\nOops! Anybody can write to the directory control.\n");
    }
    trigger(out, &home.queue().join("lock"));
    door(out, &home.join(hand::SOCKET));
    Ok(())
}

/// Tells what is wrong with the trigger; nothing where that cannot be seen, or there is no queue.
fn trigger(out: &mut Vec<u8>, lock: &Path) {
    let wrong = match fs::symlink_metadata(lock.join("trigger")) {
        Ok(file) if !file.file_type().is_fifo() => "lock/trigger is no fifo",
        Ok(file) if file.mode() & EVERYBODY != EVERYBODY => {
            "Not everybody can write to lock/trigger"
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && lock.is_dir() => {
            "lock/trigger is missing"
        }
        Ok(_) | Err(_) => return,
    };
    ("\nOops! ", wrong, "; new mail may wait for half an hour.\n").render(out);
}

/// Tells of a socket that nobody serves: qmail-queued has died, which nobody hears of otherwise, or the host does not run.
fn door(out: &mut Vec<u8>, socket: &Path) {
    let refused = unix::socket::connect_at(socket)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if refused {
        let wrong = "Oops! Nobody serves run/queue; mail is slower until qmail-start is run again.";
        ("\n", wrong, "\n").render(out);
    }
}

fn is_anybody_s(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.mode() & ANYBODY != 0)
}
