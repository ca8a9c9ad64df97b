//! svscan as process 1 of a container.

use harness::{Background, Side};
use unix::Pid;
use unix::signal::{self, Signal};

use crate::services::{POLITE_ORPHANS, comes_up, holds, process, service};

/// Starts a svscan as process 1 of new pid and mount namespaces; `None` where they cannot be had.
fn contained(side: &Side) -> Option<Background> {
    let unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    if side.run([&unshare[..], &["true"]].concat()).exit != 0 {
        harness::skipped_for("user and pid namespaces (unshare)");
        return None;
    }
    let words = [&unshare[..], &["--kill-child", "svscan", "services"]].concat();
    Some(side.command(words).start_in_background())
}

/// The only child of a process.
fn child(parent: u32) -> u32 {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|&pid| process(pid).is_some_and(|(_, its, ..)| its == parent)).expect("a child")
}

#[test]
fn orphans_are_reaped_and_term_ends_everything() {
    let side = Side::ours();
    service(&side, "services/sv", POLITE_ORPHANS);
    service(&side, "services/sv/log", "exec cat > said\n");
    let Some(mut unshare) = contained(&side) else { return };
    holds(&side, "services/sv/log/said", "reaped\n");
    assert_ne!(comes_up(&side, "services/sv", 0), 0);
    let svscan = i32::try_from(child(unshare.pid())).unwrap();
    signal::send(Pid::from_raw(svscan), Signal::SIGTERM).unwrap();
    assert_eq!((unshare.ends(), unshare.stderr()), (0, Vec::new()));
    assert_eq!(side.read("services/sv/log/said"), b"reaped\nthe last words\n");
}
