//! The processes of this machine as /proc shows them, and who descends from whom.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::Pid;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// Its parent's number; 0 for one whose parent is outside.
    pub parent: Pid,
    /// `R`, `S`, `D`, `T`; `Z` for one that has ended and was not waited for. Source: `proc_pid_stat`(5).
    pub state: u8,
    /// When it began, in ticks since the boot: with its number, that tells it from any other.
    pub start: u64,
    /// Its memory in pages, shared ones among them.
    pages: u64,
}

impl Process {
    /// One process; `ENOENT` (or `ESRCH`) if there is none.
    pub fn of(pid: Pid) -> io::Result<Process> {
        let text = fs::read(format!("/proc/{pid}/stat"))?;
        parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// All processes that can be seen.
    pub fn all() -> io::Result<Vec<Process>> {
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            all.extend(Process::of(Pid::from_raw(pid)).ok()); // it may have ended since
        }
        Ok(all)
    }

    /// Whether it has ended, and only waits for its parent to notice.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// Its memory in bytes, shared memory among it.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.pages.saturating_mul(configured(SysconfVar::PAGE_SIZE, 4096))
    }

    /// When it began, after the boot.
    #[must_use]
    pub fn since_boot(&self) -> Duration {
        let ticks = configured(SysconfVar::CLK_TCK, 100).max(1);
        Duration::from_secs(self.start / ticks)
            + Duration::from_secs(self.start % ticks) / u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

fn configured(variable: SysconfVar, otherwise: u64) -> u64 {
    let value = sysconf(variable).ok().flatten();
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(otherwise)
}

/// The cgroup that a process is in, from the root of the hierarchy of version 2; `None` if there is no
/// such process, or no such hierarchy. Source: cgroups(7).
#[must_use]
pub fn cgroup(pid: Pid) -> Option<Vec<u8>> {
    let text = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    let path = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
    Some(path.to_vec())
}

/// The fields of /proc/PID/stat. The name, in parentheses, may hold anything.
fn parse(text: &[u8]) -> Option<Process> {
    let number = text.split(|&byte| byte == b' ').next()?;
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    // From the third on.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Process {
        pid: Pid::from_raw(std::str::from_utf8(number).ok()?.parse().ok()?),
        parent: Pid::from_raw(field(4)?.parse().ok()?),
        state: *field(3)?.as_bytes().first()?,
        start: field(22)?.parse().ok()?,
        pages: field(24)?.parse().ok()?,
    })
}

/// Who descends from whom.
#[derive(Debug, Default)]
pub struct Kin {
    children: HashMap<Pid, Vec<Process>>,
    count: usize,
}

impl Kin {
    /// The kinship of these processes.
    #[must_use]
    pub fn of(processes: &[Process]) -> Kin {
        let mut children: HashMap<Pid, Vec<Process>> = HashMap::new();
        for process in processes {
            children.entry(process.parent).or_default().push(*process);
        }
        Kin { children, count: processes.len() }
    }

    /// All that descend from `ancestor`: parents before their children, itself left out.
    #[must_use]
    pub fn descendants(&self, ancestor: Pid) -> Vec<Process> {
        let mut found: Vec<Process> = Vec::new();
        let mut next = Some(ancestor);
        let mut done = 0;
        while let Some(parent) = next {
            found.extend(self.children.get(&parent).into_iter().flatten());
            if found.len() > self.count {
                break; // a circle, as a /proc that changes while it is read may show one
            }
            next = found.get(done).map(|process| process.pid);
            done += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] = b"17 (a (b) c) S 4 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 \
        1000000 77 18446744073709551615 1 1\n";

    fn process(pid: i32, parent: i32) -> Process {
        let (pid, parent) = (Pid::from_raw(pid), Pid::from_raw(parent));
        Process { pid, parent, state: b'S', start: 1, pages: 1 }
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let found = parse(STAT).unwrap();
        let expected = Process { pages: 77, start: 12345, ..process(17, 4) };
        assert_eq!(found, expected);
        assert_eq!(parse(b"17 (x"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn descendants_are_found_however_deep_and_in_order() {
        let kin =
            Kin::of(&[process(1, 0), process(9, 4), process(4, 2), process(2, 1), process(3, 1)]);
        let pids = |ancestor| -> Vec<i32> {
            let found = kin.descendants(Pid::from_raw(ancestor));
            found.iter().map(|process| process.pid.as_raw()).collect()
        };
        assert_eq!(pids(2), [4, 9]);
        assert_eq!(pids(1), [2, 3, 4, 9]);
        assert_eq!(pids(9), [0i32; 0]);
        let circle = Kin::of(&[process(5, 6), process(6, 5), process(7, 7)]);
        assert!(circle.descendants(Pid::from_raw(5)).len() < 6);
        assert!(circle.descendants(Pid::from_raw(7)).len() < 6);
    }

    #[test]
    fn this_process_is_there_and_has_memory() {
        let this = Process::of(Pid::this()).unwrap();
        assert_eq!((this.pid, this.parent), (Pid::this(), Pid::parent()));
        assert!(this.memory() > 100_000 && !this.is_over());
        assert!(Process::all().unwrap().iter().any(|process| process.pid == this.pid));
        let age = crate::clock::since_boot().saturating_sub(this.since_boot());
        assert!(age < Duration::from_hours(1), "{age:?}");
    }
}
