//! Signals for everything that a service has started; what does not end by itself.

use std::time::{Duration, Instant};

use harness::{Side, until};
use unix::signal::Signal;

use crate::services::{comes_up, holds, process, service, state, supervise, svc};

/// A shell that does not become its daemon, which has left its group, and a child of that.
const FAMILY: &str = "\
setsid sh -c 'trap \"\" HUP; sleep 600 & echo $! > grandchild; echo $$ > child; wait' &
until [ -s child ]; do sleep 0.01; done
trap 'echo TERM >> log; exit' TERM
echo up >> log
while :; do sleep 0.1; done
";

fn pid_in(side: &Side, name: &str) -> u32 {
    let text = String::from_utf8(side.read(name)).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{name}: {text:?}"))
}

fn ends(pid: u32) -> bool {
    until(|| process(pid).is_none_or(|(state, ..)| state == 'Z'))
}

#[test]
fn plus_reaches_everything_and_equals_the_process_alone() {
    for (options, stays) in [("-t", true), ("-+=t", true), ("-+k", false), ("-+t", false)] {
        let side = Side::ours();
        service(&side, "sv", FAMILY);
        let mut supervise = supervise(&side, "sv");
        holds(&side, "sv/log", "up\n");
        let old = comes_up(&side, "sv", 0);
        let family = ["sv/child", "sv/grandchild"].map(|name| pid_in(&side, name));
        std::fs::remove_file(side.path().join("sv/child")).unwrap();
        svc(&side, options, "sv");
        comes_up(&side, "sv", old);
        if stays {
            assert!(family.iter().all(|pid| process(*pid).is_some()), "{options}");
            // Its parent is supervise now, and supervise reaches it still.
            svc(&side, "-+k", "sv");
        }
        assert!(family.into_iter().all(ends), "{options}");
        svc(&side, "-+dkx", "sv");
        assert_eq!(supervise.ends(), 0);
    }
}

#[test]
fn down_with_plus_ends_everything() {
    let side = Side::ours();
    service(&side, "sv", FAMILY);
    let mut supervise = supervise(&side, "sv");
    holds(&side, "sv/log", "up\n");
    let family = ["sv/child", "sv/grandchild"].map(|name| pid_in(&side, name));
    svc(&side, "-+dx", "sv");
    assert_eq!(supervise.ends(), 0);
    assert!(family.into_iter().all(ends));
    assert_eq!(side.read("sv/log"), b"up\nTERM\n");
}

#[test]
fn a_daemon_that_forks_away_is_started_again_and_can_be_reached() {
    let side = Side::ours();
    service(&side, "sv", "sleep 600 & echo $! >> daemons\n");
    let mut supervise = supervise(&side, "sv");
    let daemons = || String::from_utf8(side.read("sv/daemons")).unwrap();
    assert!(until(|| daemons().lines().count() >= 2));
    svc(&side, "-dWd", "sv");
    let pids: Vec<u32> = daemons().lines().map(|line| line.parse().unwrap()).collect();
    // No init has to take them: their parent is supervise.
    for pid in &pids {
        assert!(until(|| process(*pid).is_some_and(|(_, parent, ..)| parent == supervise.pid())));
    }
    svc(&side, "-+dx", "sv");
    assert_eq!(supervise.ends(), 0);
    assert!(pids.into_iter().all(ends));
}

#[test]
fn what_does_not_end_in_time_is_killed() {
    let side = Side::ours();
    side.write("sv/timeout-kill", "300\n");
    service(&side, "sv", "trap '' TERM; echo up >> log; while :; do sleep 0.1; done\n");
    let mut supervise = supervise(&side, "sv");
    holds(&side, "sv/log", "up\n");
    let before = Instant::now();
    svc(&side, "-dx", "sv");
    assert_eq!(supervise.ends(), 0);
    assert!(before.elapsed() > Duration::from_millis(300), "{:?}", before.elapsed());
    assert_eq!(state(&side, "sv"), "signal 9\n");
}

#[test]
fn another_signal_may_end_it() {
    let side = Side::ours();
    side.write("sv/down-signal", "INT\n");
    service(&side, "sv", "trap '' TERM; trap 'exit 5' INT; echo up >> log; sleep 600 & wait\n");
    let mut supervise = supervise(&side, "sv");
    holds(&side, "sv/log", "up\n");
    supervise.signal(Signal::SIGTERM);
    assert_eq!(supervise.ends(), 0);
    assert_eq!(state(&side, "sv"), "exit 5\n");
}
