//! Nothing wakes those that have nothing to do.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{Side, until};

use crate::services::{SLEEPER, comes_up, is_supervised, process, service};

/// Whether a process sleeps until something happens: in poll(2), or ppoll(2), without a limit. `None` if
/// this kernel does not tell. Source: `proc_pid_syscall`(5).
fn sleeps_for_ever(pid: u32) -> Option<bool> {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let mut words = text.split_ascii_whitespace();
    let call = words.next()?.parse().ok(); // or `running`
    let limit = words.nth(2).and_then(|word| i128::from_str_radix(word.get(2..)?, 16).ok());
    Some(match (call, limit) {
        #[cfg(target_arch = "x86_64")]
        (Some(libc::SYS_poll), Some(limit)) => limit & 0xFFFF_FFFF == 0xFFFF_FFFF,
        (Some(libc::SYS_ppoll), Some(limit)) => limit == 0,
        _ => false,
    })
}

/// Waits until a process has nothing to do until something happens, as far as this kernel tells.
pub fn waits_for_news(pid: u32) {
    assert!(until(|| sleeps_for_ever(pid) != Some(false)), "it is busy");
}

/// The number of times that a process went to sleep by itself.
fn naps(pid: u32) -> u32 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

#[test]
fn an_idle_svscan_and_its_supervises_wait_for_news_alone() {
    let side = Side::ours();
    for number in 0..20 {
        service(&side, &format!("services/{number}"), SLEEPER);
    }
    service(&side, "services/1/log", "exec cat > /dev/null\n");
    service(&side, "services/2", "exit 1\n");
    side.write("services/2/down", "");
    let svscan = crate::svscan(&side);
    let supervises = (0..20).filter(|number| *number != 2).map(|number| {
        let pid = comes_up(&side, &format!("services/{number}"), 0);
        process(pid).unwrap().1
    });
    let all: Vec<u32> = supervises.chain([svscan.pid()]).collect();
    // What they make at their start is news, too.
    comes_up(&side, "services/1/log", 0);
    is_supervised(&side, "services/2");
    if sleeps_for_ever(svscan.pid()).is_none() {
        return harness::skipped_for("/proc/PID/syscall");
    }
    let is_quiet = || all.iter().all(|pid| sleeps_for_ever(*pid) == Some(true));
    assert!(until(is_quiet));
    // While others work beside them.
    let before: Vec<u32> = all.iter().map(|pid| naps(*pid)).collect();
    assert_eq!(side.run(["sh", "-c", "cat services/*/supervise/status > copy"]).exit, 0);
    assert_eq!(side.run(["svstat", "services/1", "services/2"]).exit, 0);
    let after: Vec<u32> = all.iter().map(|pid| naps(*pid)).collect();
    assert!(is_quiet());
    assert_eq!(after, before);
    side.keep(svscan);
}

#[test]
fn where_the_kernel_tells_too_little_it_is_looked_for_changes() {
    // Nothing at all; less than there are services.
    for limit in ["max_inotify_instances 0", "max_inotify_watches 2"] {
        let side = Side::ours();
        let (file, number) = limit.split_once(' ').unwrap();
        let unshare = ["unshare", "--user", "--map-root-user", "sh", "-c"];
        let set = format!("echo {number} > /proc/sys/user/{file}");
        if side.run([&unshare[..], &[&set]].concat()).exit != 0 {
            return harness::skipped_for("user namespaces (unshare)");
        }
        for name in ["services/a", "services/b", "later"] {
            service(&side, name, SLEEPER);
        }
        let start = format!("{set}; exec svscan services");
        let svscan = side.command([&unshare[..], &[&start]].concat()).start_in_background();
        for name in ["services/a", "services/b"] {
            comes_up(&side, name, 0);
        }
        symlink("../later", side.path().join("services/later")).unwrap();
        comes_up(&side, "later", 0);
        service(&side, "new/a", "exec cat > said\n");
        fs::rename(side.path().join("new/a"), side.path().join("services/a/log")).unwrap();
        comes_up(&side, "services/a/log", 0);
        assert_eq!(svscan.stderr(), b"");
        side.keep(svscan);
    }
}
