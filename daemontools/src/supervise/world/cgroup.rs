//! A cgroup for what a service starts: nothing leaves it by forking, and all of it is killed at once.
//!
//! Source: cgroups(7), "Cgroups version 2"; the kernel's admin-guide/cgroup-v2.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use unix::Pid;

/// The most that a service's name adds to that of its cgroup.
const NAME: usize = 100;

/// A service's cgroup, which need not exist yet.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The one of the service in the working directory, below the one that this process is in: the same
    /// for each supervise of it. `None` where no hierarchy of version 2 can be seen.
    #[must_use]
    pub fn of_service() -> Option<Cgroup> {
        let (own, mounts) = (fs::read("/proc/self/cgroup"), fs::read("/proc/self/mountinfo"));
        let parent = place(&own.ok()?, &mounts.ok()?)?;
        let inode = fs::metadata(".").ok()?.ino();
        Some(Cgroup { path: parent.join(name(&std::env::current_dir().ok()?, inode)) })
    }

    /// Makes it. A process that writes `0` to what this gives is in it.
    pub fn open(&self) -> io::Result<OwnedFd> {
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let door = File::options().write(true).open(self.path.join("cgroup.procs"))?;
        Ok(door.into())
    }

    /// Kills all that is in it, and what that is just starting; false before Linux 5.14.
    #[must_use]
    pub fn kill(&self) -> bool {
        fs::write(self.path.join("cgroup.kill"), "1").is_ok()
    }

    /// What is in it or below; nothing if it does not exist.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        let mut pids = Vec::new();
        for path in self.with_all_below() {
            let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw));
        }
        pids
    }

    /// The file that has something urgent to tell (see [`unix::poll::Interest::urgent`]) when the last
    /// process has left, if it has been read before.
    pub fn events(&self) -> io::Result<File> {
        File::open(self.path.join("cgroup.events"))
    }

    /// Removes it, if there is nothing in it.
    pub fn remove(&self) {
        for path in self.with_all_below().iter().rev() {
            let _ = fs::remove_dir(path); // it may be in use, or have gone
        }
    }

    /// Itself, and the cgroups below: parents before their children.
    fn with_all_below(&self) -> Vec<PathBuf> {
        let mut found = vec![self.path.clone()];
        let mut done = 0;
        while let Some(path) = found.get(done) {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let mut below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
            found.append(&mut below);
            done += 1;
        }
        found
    }
}

/// What the cgroup of a service in `directory` is called: by its name, for people, and by its inode,
/// because several may have that name. No file of the kernel's begins so.
fn name(directory: &Path, inode: u64) -> OsString {
    let name = directory.file_name().unwrap_or_default().as_bytes();
    let name = name.get(..NAME).unwrap_or(name);
    let name: Vec<u8> =
        name.iter().map(|&byte| if byte.is_ascii_control() { b'?' } else { byte }).collect();
    OsString::from_vec([b"sv-", &name[..], b"-", inode.to_string().as_bytes()].concat())
}

/// The directory of a process's cgroup, from its /proc/PID/cgroup (`0::PATH`) and mountinfo. Source:
/// cgroups(7), `proc_pid_mountinfo`(5).
fn place(own: &[u8], mounts: &[u8]) -> Option<PathBuf> {
    let path = own.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
    mounts.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let (root, point) = (unescaped(root), unescaped(point));
        let below = path.strip_prefix(root.strip_suffix(b"/").unwrap_or(&root))?;
        let is_below = below.is_empty() || below.starts_with(b"/");
        (kind == b"cgroup2" && is_below)
            .then(|| PathBuf::from(OsString::from_vec([&point, below].concat())))
    })
}

/// A field of mountinfo without its `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
41 31 0:38 / /sys/fs/cgroup\\040x rw,relatime shared:9 - cgroup2 cgroup2 rw\n";

    fn placed(own: &[u8], mounts: &[u8]) -> Option<String> {
        Some(place(own, mounts)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_process_s_cgroup_is_below_the_mount_of_version_2() {
        let own = b"9:cpu:/other\n0::/system.slice/x\n";
        assert_eq!(placed(own, MOUNTS).as_deref(), Some("/sys/fs/cgroup x/system.slice/x"));
        assert_eq!(placed(b"0::/\n", MOUNTS).as_deref(), Some("/sys/fs/cgroup x/"));
        assert_eq!(placed(b"9:cpu:/other\n", MOUNTS), None);
        assert_eq!(placed(b"0::/x", b"30 24 0:26 / /sys rw - sysfs sysfs rw\n"), None);
        assert_eq!(placed(b"0::/x", b""), None);
    }

    #[test]
    fn a_mount_of_a_part_shows_that_part_alone() {
        let mounts = b"41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let dir = placed(b"0::/docker/1/a", mounts);
        assert_eq!(dir.as_deref(), Some("/sys/fs/cgroup/a"));
        assert_eq!(placed(b"0::/docker/12", mounts), None);
        assert_eq!(placed(b"0::/docker", mounts), None);
    }

    #[test]
    fn its_name_tells_the_service() {
        assert_eq!(name(Path::new("/service/smtpd"), 7), "sv-smtpd-7");
        assert_eq!(name(Path::new("/service/a\nb"), 7), "sv-a?b-7");
        assert_eq!(name(Path::new("/"), 7), "sv--7");
        assert_eq!(name(Path::new(&format!("/{}", "x".repeat(255))), 7).len(), NAME + 5);
    }
}
