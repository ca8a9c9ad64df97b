//! How the service ended last, and how it is slowed down when it keeps failing.

use harness::{Side, until};

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
    let before = side.read("sv/supervise/state");
    service(&side, "sv", "test -e ended && exec sleep 600; touch ended; exit 3\n");
    side.write("sv/down", "");
    side.keep(supervise(&side, "sv"));
    assert_eq!(side.read("sv/supervise/state"), before);
    svc(&side, "-u", "sv");
    states(&side, "sv", "exit 3\nwaiting 1\n");
    comes_up(&side, "sv", 0);
    assert_eq!(state(&side, "sv"), "exit 3\n");
}

#[test]
fn one_that_keeps_failing_is_slowed_down_and_says_so() {
    let side = Side::ours();
    service(&side, "sv", "echo up >> log; exit 1\n");
    let supervise = supervise(&side, "sv");
    supervise.hears("supervise: warning: sv keeps failing (exit 1), pausing 2 seconds\n");
    assert_eq!(side.read("sv/log").len(), "up\n".len() * 6);
    states(&side, "sv", "waiting 6\n");
    // On demand it is tried at once, or rather a second after the last try.
    svc(&side, "-u", "sv");
    let tried_again = || side.read("sv/log").len() == "up\n".len() * 7;
    assert!(until(tried_again));
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
