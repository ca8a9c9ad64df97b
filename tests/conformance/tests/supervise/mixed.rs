//! Programs of both houses on the same service.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{Background, Run, Side};

use crate::services::{SLEEPER, TALKER, comes_up, holds, service, status, supervise, svc};

/// A supervise of one side, on a service that the other finds too.
fn shared() -> Option<[(Side, Side, Background); 2]> {
    let originals = [Side::debian(), Side::debian()];
    let [Some(first), Some(second)] = originals else {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
        return None;
    };
    Some([(Side::ours(), first), (second, Side::ours())].map(|(one, other)| {
        service(&one, "sv", TALKER);
        symlink(one.path().join("sv"), other.path().join("sv")).unwrap();
        let supervise = supervise(&one, "sv");
        holds(&one, "sv/log", "up\n");
        (one, other, supervise)
    }))
}

#[test]
fn each_respects_the_lock_of_the_other() {
    for (one, other, supervise) in shared().into_iter().flatten() {
        let pid = comes_up(&one, "sv", 0);
        let Run { exit, stderr, .. } = other.run(["supervise", "sv"]);
        let said = "supervise: fatal: unable to acquire sv/supervise/lock: temporary failure\n";
        assert_eq!((exit, String::from_utf8(stderr).unwrap().as_str()), (111, said));
        assert_eq!(status(&other, "sv").0, pid);
        one.keep(supervise);
    }
}

#[test]
fn each_goes_on_where_the_other_has_left() {
    for (one, other, mut first) in shared().into_iter().flatten() {
        svc(&one, "-dx", "sv");
        assert_eq!(first.ends(), 0);
        fs::remove_file(one.path().join("sv/run")).unwrap();
        service(&one, "sv", SLEEPER);
        let mut second = supervise(&other, "sv");
        comes_up(&other, "sv", 0);
        svc(&one, "-dx", "sv");
        assert_eq!(second.ends(), 0);
    }
}
