//! A service that is to leave nothing behind.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Side, until};
use unix::Pid;
use unix::signal::{self, Signal};

use crate::services::{comes_up, process, service, states, supervise, svc};

/// A daemon that forks away, and out of its session; each notes its number.
const DAEMON: &str = "setsid sh -c 'echo $$ >> daemons; exec sleep 600' &\nsleep 0.05\n";

/// The same, in front of a process that stays.
const BOTH: &str = "setsid sh -c 'trap \"\" TERM; echo $$ >> daemons; while :; do sleep 600; done' &\n\
                    until [ -s daemons ]; do sleep 0.01; done; exec sleep 600\n";

fn daemons(side: &Side) -> Vec<u32> {
    let text = String::from_utf8(side.read("sv/daemons")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn is_over(pid: u32) -> bool {
    process(pid).is_none_or(|(state, ..)| state == 'Z')
}

fn kill(pid: u32) {
    signal::send(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

/// The cgroup of version 2 that a process is in.
fn cgroup(pid: u32) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" cgroup2 "))?.split(' ').nth(1)?;
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(PathBuf::from(mount).join(path))
}

/// Whether a cgroup can be made here; says so if not.
fn has_cgroups() -> bool {
    let Some(own) = cgroup(std::process::id()) else {
        harness::skipped_for("a cgroup of version 2");
        return false;
    };
    let probe = own.join(format!("probe-{}", std::process::id()));
    let can = fs::create_dir(&probe).is_ok();
    if can {
        fs::remove_dir(probe).unwrap();
    } else {
        harness::skipped_for("a cgroup of version 2 that may be written");
    }
    can
}

#[test]
fn a_daemon_that_forks_away_leaves_no_orphan() {
    // With a cgroup, where root can make one, and without.
    for is_user in [false, true] {
        let side = Side::ours();
        service(&side, "sv", DAEMON);
        side.write("sv/kill-rest", "");
        let command = side.command(["supervise", "sv"]);
        let command = if is_user { command.as_user() } else { command };
        let mut supervise = command.start_in_background();
        assert!(until(|| daemons(&side).len() >= 3), "{}", supervise.stderr().escape_ascii());
        svc(&side, "-dx", "sv");
        assert_eq!((supervise.ends(), supervise.stderr()), (0, Vec::new()));
        // Nobody had to tell them, and each ended before the next began.
        assert!(daemons(&side).into_iter().all(|pid| process(pid).is_none()));
    }
}

#[test]
fn what_is_left_and_ignores_term_is_killed_in_time() {
    let side = Side::ours();
    service(&side, "sv", BOTH);
    side.write("sv/kill-rest", "");
    side.write("sv/timeout-kill", "300");
    let mut supervise = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    assert!(until(|| daemons(&side).len() == 1));
    let before = Instant::now();
    svc(&side, "-dxWD", "sv");
    assert_eq!(supervise.ends(), 0);
    assert!(before.elapsed() > Duration::from_millis(300), "{:?}", before.elapsed());
    assert!(is_over(daemons(&side)[0]));
}

#[test]
fn what_is_left_is_killed_on_request() {
    let side = Side::ours();
    service(&side, "sv", BOTH);
    side.write("sv/kill-rest", "");
    side.write("sv/timeout-kill", "600000");
    let mut supervise = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    assert!(until(|| daemons(&side).len() == 1));
    svc(&side, "-dx", "sv");
    states(&side, "sv", "clearing\n");
    let said = side.run(["svstat", "-j", "sv"]).stdout;
    assert!(String::from_utf8(said).unwrap().contains("\"state\":\"clearing\""));
    svc(&side, "-+k", "sv");
    assert_eq!(supervise.ends(), 0);
    assert!(is_over(daemons(&side)[0]));
}

#[test]
fn its_cgroup_is_known_to_svstat_and_to_the_next_supervise() {
    if !has_cgroups() {
        return;
    }
    let side = Side::ours();
    service(&side, "sv", BOTH);
    side.write("sv/kill-rest", "");
    let mut first = supervise(&side, "sv");
    let pid = comes_up(&side, "sv", 0);
    assert!(until(|| daemons(&side).len() == 1));
    let group = cgroup(pid).unwrap();
    let name = group.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("sv-sv-"), "{name}");
    assert_eq!(cgroup(daemons(&side)[0]), Some(group.clone()));
    assert_ne!(cgroup(first.pid()), Some(group.clone()));
    let said = String::from_utf8(side.run(["svstat", "-j", "sv"]).stdout).unwrap();
    assert!(said.contains(&format!("{name}\",")), "{said}");
    // Its parent ends, and so does its service: nobody descends from anybody any more.
    first.signal(Signal::SIGKILL);
    assert_eq!(first.ends(), -9);
    side.keep(first);
    kill(pid);
    assert!(until(|| is_over(pid)) && !is_over(daemons(&side)[0]));
    let mut next = supervise(&side, "sv");
    comes_up(&side, "sv", pid);
    assert!(until(|| is_over(daemons(&side)[0])));
    svc(&side, "-+dkx", "sv");
    assert_eq!(next.ends(), 0);
    assert!(!group.exists());
}

#[test]
fn a_service_that_is_taken_over_is_cleared_like_any_other() {
    if !has_cgroups() {
        return;
    }
    let side = Side::ours();
    service(&side, "sv", DAEMON.replace("sleep 0.05", "exec sleep 600").as_str());
    side.write("sv/kill-rest", "");
    let mut first = supervise(&side, "sv");
    let pid = comes_up(&side, "sv", 0);
    assert!(until(|| daemons(&side).len() == 1));
    first.signal(Signal::SIGKILL);
    assert_eq!(first.ends(), -9);
    side.keep(first);
    let mut next = supervise(&side, "sv");
    assert_eq!(comes_up(&side, "sv", 0), pid);
    svc(&side, "-dx", "sv");
    assert_eq!(next.ends(), 0);
    assert!(is_over(daemons(&side)[0]));
}
