//! How the service ended last, and how it is slowed down when it keeps failing.

use harness::{Side, becomes, until};

use crate::services::{
    SLEEPER, comes_up, holds, service, state, states, supervise, supervised, svc,
};

#[test]
fn the_last_end_is_kept_also_for_the_next_supervise() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    let mut first = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    assert_eq!(state(&side, "sv"), "");
    svc(&side, "-dx", "sv");
    assert_eq!(first.ends(), 0);
    assert_eq!(state(&side, "sv"), "signal 15\n");
    service(&side, "sv", "test -e good && exec sleep 600; exit 3\n");
    side.write("sv/down", "");
    side.keep(supervise(&side, "sv"));
    assert_eq!(state(&side, "sv"), "signal 15\n");
    svc(&side, "-u", "sv");
    states(&side, "sv", "exit 3\nwaiting ");
    side.write("sv/good", "");
    becomes(|| state(&side, "sv"), "exit 3\n");
}

#[test]
fn one_that_keeps_failing_is_slowed_down_and_says_so() {
    let side = Side::ours();
    let run = "echo up >> log; [ $(wc -l < log) -le 6 ] || until [ -e go ]; do sleep 0.01; done\n\
               exit 1\n";
    service(&side, "sv", run);
    let supervise = supervise(&side, "sv");
    supervise.hears("supervise: warning: sv keeps failing (exit 1), pausing 2 seconds\n");
    // Where this test is slow, the seventh try may have come by itself.
    let tries = || side.read("sv/log").len() / "up\n".len();
    assert!([6, 7].contains(&tries()), "{}", tries());
    assert!(until(|| state(&side, "sv").contains("waiting 6\n") || tries() == 7));
    // On demand it is tried at once, or rather a second after the last try.
    svc(&side, "-u", "sv");
    becomes(tries, 7);
    side.write("sv/go", "");
    supervise.hears("pausing 4 seconds\n");
    // An end that is no failure ends it.
    service(&side, "sv", "echo good >> log\n");
    svc(&side, "-u", "sv");
    holds(&side, "sv/log", "good\n");
    states(&side, "sv", "waiting 0\n");
    side.keep(supervise);
}

#[test]
fn a_state_that_is_torn_is_passed_over_and_replaced() {
    let side = Side::ours();
    side.write("sv/supervise/state", "@4000000000000000000000 exit 3\n\0\0\0unready");
    side.write("sv/supervise/status", "torn");
    supervised(&side, "sv", SLEEPER);
    comes_up(&side, "sv", 0);
    assert_eq!(state(&side, "sv"), "");
}
