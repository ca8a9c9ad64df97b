//! The system calls of a program that count.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::world::World;

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The program is killed as it begins the call.
    Death,
    /// The call fails: no room, or an error of the disk.
    Full,
}

/// A system call of a program.
#[derive(Debug)]
pub struct Point {
    /// What it is, for those who read what went wrong; a word.
    pub name: String,
    /// The options of strace that let it happen.
    pub options: String,
}

/// Calls that change something or tell somebody. The older names are those that musl uses.
const TELLING: &str = "openat,?open,write,writev,pwrite64,linkat,?link,unlinkat,?unlink,?rename,fsync,fdatasync,\
                       ?io_submit,ftruncate,utimensat,clone,clone3,?fork,?vfork,execve,exit_group,sendto,connect,flock";

/// Calls that a disk can refuse.
const WRITING: &str = "openat,?open,write,writev,pwrite64,linkat,?link,unlinkat,?unlink,?rename,fsync,fdatasync,\
                       ftruncate,utimensat";

/// Runs a round in which nothing happens, to see what calls there are.
pub fn record(world: &mut World, why: Why) -> Vec<Point> {
    let calls = if why == Why::Death { TELLING } else { WRITING };
    // Where many syncs are made at a time, a sync that fails is no call that fails.
    let singly = if why == Why::Full { "-e inject=?io_setup:error=ENOSYS " } else { "" };
    // It has children that share its memory and make some of its calls. strace counts the calls of each
    // process by itself, so what happens to one of them happens to all.
    let follow = if world.program() == "qmail-queue" { "-f " } else { "" };
    let file = world.host.path("calls");
    world.options(&format!("{follow}{singly}-y -s 40 -o {} -e trace={calls}", file.display()));
    let _ = world.round("recorded"); // nothing is to be learnt from it but the calls
    let _ = world.finish(); // as above
    let trace = fs::read(&file).expect("a record of calls");
    let host = world.host.path("").display().to_string();
    let trace = String::from_utf8_lossy(&trace).into_owned();
    let lines = trace.lines().filter(|line| line.contains('(') && !line.starts_with("---"));
    let (mut points, mut counts) = (Vec::new(), HashMap::new());
    for line in lines {
        let (process, line) = by(line);
        let (call, rest) = line.split_once('(').expect("a call");
        // strace counts each call by itself.
        let when = *counts.entry((process, call)).and_modify(|count| *count += 1).or_insert(1);
        let changes = !matches!(call, "openat" | "open") || rest.contains("O_CREAT");
        let is_there = why == Why::Death || rest.contains(&host);
        // What was refused anyway, and the trigger, which nobody waits for.
        let matters = why == Why::Death || !rest.contains("/lock/") && !line.contains(" = -1 ");
        let name = format!("{call}-{when}");
        let is_new = points.iter().all(|known: &Point| known.name != name);
        if !(changes && is_there && matters && is_new) {
            continue;
        }
        let what = match why {
            Why::Death => "signal=SIGKILL",
            Why::Full if points.len() % 2 == 0 => "error=ENOSPC",
            Why::Full => "error=EIO",
        };
        let file = refused(world);
        let options = format!("{singly}-y -s 40 -o {} -e trace={call}", file.display());
        points.push(Point {
            name,
            options: format!("{follow}{options} -e inject={call}:{what}:when={when}"),
        });
    }
    points
}

/// The number of the process that a line is about, if strace tells it, and the rest of the line.
fn by(line: &str) -> (&str, &str) {
    line.split_at(line.bytes().take_while(|byte| b"0123456789 ".contains(byte)).count())
}

/// Where strace tells of the calls of a round like the one that fails.
fn refused(world: &World) -> PathBuf {
    world.host.path("refused")
}

/// The call on a file of the host that failed in the last round, and the file, in which `N` stands for what is
/// different each time. Rounds are not alike: the call of this name and count may be another one than in the round
/// that was recorded, or none.
pub fn failed(world: &World) -> Option<String> {
    let trace = fs::read(refused(world)).unwrap_or_default();
    let _ = fs::remove_file(refused(world)); // a round without the program leaves none
    let trace = String::from_utf8_lossy(&trace).into_owned();
    let at = trace.lines().position(|line| line.ends_with("(INJECTED)"))?;
    let (process, line) = by(trace.lines().nth(at)?);
    // Where another process came in between, the call began on an earlier line.
    let earlier = trace.lines().take(at).map(by).filter(|(other, _)| *other == process);
    let line = if line.starts_with('<') { earlier.last()?.1 } else { line };
    let (call, arguments) = line.split_once('(')?;
    let host = world.host.path("").display().to_string();
    let (_, file) = arguments.split_once(&host)?;
    let (directory, rest) = file.split_once('>').unwrap_or((file, ""));
    let name = rest.split('"').nth(1).map(|name| format!("/{name}")).unwrap_or_default();
    let file = format!("{}{name}", directory.trim_matches('"'));
    let is_number = |part: &str| part.starts_with(|char: char| char.is_ascii_digit());
    let parts = file.split('/').map(|part| if is_number(part) { "N" } else { part });
    Some(format!("{call} {}", parts.collect::<Vec<_>>().join("/")))
}
