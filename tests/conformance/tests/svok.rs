//! svok beside the original.

mod services;

use harness::{Side, case};
use services::{SLEEPER, service, supervise, supervised, svc};

#[test]
fn a_directory_is_needed() {
    case(|side| side.run(["svok"])).same();
}

#[test]
fn a_supervise_that_runs_is_0() {
    let case = case(|side| {
        supervised(side, "sv", SLEEPER);
        side.run(["svok", "sv", "whatever"])
    });
    let _ = case.same_stdout().same_stderr().same_exit();
}

#[test]
fn none_or_no_more_is_100() {
    case(|side| {
        side.directory("sv");
        side.run(["svok", "sv"])
    })
    .same();
    let case = case(|side| {
        service(side, "sv", SLEEPER);
        side.write("sv/down", "");
        let mut supervise = supervise(side, "sv");
        svc(side, "-x", "sv");
        assert_eq!(supervise.ends(), 0);
        side.run(["svok", "sv"])
    });
    let _ = case.same_stdout().same_stderr().same_exit();
}

#[test]
fn a_directory_that_cannot_be_entered_is_111() {
    case(|side| side.run(["svok", "nonexistent"])).same();
    case(|side| {
        side.write("file", "");
        side.run(["svok", "file"])
    })
    .same();
}

#[test]
fn an_ok_that_cannot_be_opened_is_111() {
    case(|side| {
        side.directory("sv/supervise/ok");
        side.run(["svok", "sv"])
    })
    .same();
    case(|side| {
        side.write("sv/supervise", "");
        side.run(["svok", "sv"])
    })
    .same();
}

#[test]
fn the_original_is_understood_and_understands_ours() {
    let (ours, Some(original)) = (Side::ours(), Side::debian()) else {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
        return;
    };
    for (watched, watcher) in [(&ours, &original), (&original, &ours)] {
        service(watched, "sv", SLEEPER);
        let path = watched.path().join("sv").into_os_string().into_string().unwrap();
        assert_eq!(watcher.run(["svok", &path]).exit, 100);
        let mut supervise = supervise(watched, "sv");
        assert_eq!(watcher.run(["svok", &path]).exit, 0);
        svc(watcher, "-dx", &path);
        assert_eq!(supervise.ends(), 0);
        assert_eq!(watcher.run(["svok", &path]).exit, 100);
    }
}
