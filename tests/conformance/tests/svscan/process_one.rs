//! svscan as process 1 of a container.

use std::time::{Duration, Instant};

use harness::{Background, Side, quickly};
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

/// Tells the svscan of a container something.
fn tell(unshare: &Background, signal: Signal) {
    let svscan = i32::try_from(child(unshare.pid())).unwrap();
    signal::send(Pid::from_raw(svscan), signal).unwrap();
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
    tell(&unshare, Signal::SIGTERM);
    assert_eq!((unshare.ends(), unshare.stderr()), (0, Vec::new()));
    assert_eq!(side.read("services/sv/log/said"), b"reaped\nthe last words\n");
}

/// Forks a daemon away that writes to the log, and says its last words when it gets TERM.
const LEAVER: &str = "\
setsid sh -c 'trap \"kill \\$!; echo the daemon ends; exit\" TERM; sleep 600 & echo daemon; wait' &
trap 'echo the service ends; exit' TERM
echo service
while :; do sleep 0.01; done
";

#[test]
fn what_a_service_has_left_behind_ends_too_and_is_heard() {
    for end in [Signal::SIGTERM, Signal::SIGINT] {
        // At the end of the pipe, not at the end of patience.
        quickly(Duration::from_secs(2), || {
            let side = Side::ours();
            service(&side, "services/sv", LEAVER);
            service(&side, "services/sv/log", "exec cat > said\n");
            let Some(mut unshare) = contained(&side) else { return Duration::ZERO };
            let said = "services/sv/log/said";
            for word in ["daemon\n", "service\n"] {
                holds(&side, said, word);
            }
            let before = Instant::now();
            tell(&unshare, end);
            assert_eq!((unshare.ends(), unshare.stderr()), (0, Vec::new()));
            let took = before.elapsed();
            let text = String::from_utf8(side.read(said)).unwrap();
            assert!(text.ends_with("the service ends\nthe daemon ends\n"), "{text}");
            took
        });
    }
}

#[test]
fn what_ignores_term_holds_the_container_up_no_longer_than_was_said() {
    let side = Side::ours();
    let stubborn = "trap '' TERM; echo up >> heard; while :; do sleep 600; done\n";
    service(&side, "services/a", stubborn);
    service(&side, "services/b", &format!("(setsid sh -c \"{}\") &\nsleep 600\n", stubborn.trim()));
    let Some(mut unshare) = contained(&side) else { return };
    for name in ["a", "b"] {
        holds(&side, &format!("services/{name}/heard"), "up\n");
    }
    tell(&unshare, Signal::SIGTERM);
    // Six seconds for services, two for what they have left behind; these sleep for ten minutes.
    assert_eq!((unshare.ends(), unshare.stderr()), (0, Vec::new()));
}
