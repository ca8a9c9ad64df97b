//! svc -W.

use harness::{Run, Side};

use crate::services::{
    SLEEPER, comes_up, holds, service, state, status, supervise, supervised, svc,
};

/// A program that ends when the file `go` appears.
const GOES: &str = "until [ -e go ]; do sleep 0.01; done\n";

fn said(run: &Run) -> (i32, &str) {
    (run.exit, std::str::from_utf8(&run.stderr).unwrap())
}

#[test]
fn up_and_down_are_waited_for() {
    let side = Side::ours();
    supervised(&side, "sv", "trap 'sleep 0.1; exit' TERM; echo up >> log; sleep 600 & wait\n");
    let old = comes_up(&side, "sv", 0);
    holds(&side, "sv/log", "up\n");
    svc(&side, "-dWd", "sv");
    assert_eq!(status(&side, "sv"), (0, 0, b'd'));
    svc(&side, "-uWu", "sv");
    let (new, _, want) = status(&side, "sv");
    assert!(new != 0 && new != old && want == b'u');
    svc(&side, "-WU", "sv");
    svc(&side, "-kWr", "sv");
    assert!(![0, new].contains(&status(&side, "sv").0));
}

#[test]
fn ready_is_waited_for_where_the_service_tells() {
    let side = Side::ours();
    side.write("sv/notification-fd", "3");
    service(&side, "sv", &format!("{GOES}echo >&3; exec sleep 600\n"));
    side.write("sv/down", "");
    side.keep(supervise(&side, "sv"));
    let mut wait = side.command(["svc", "-uWU", "sv"]).start_in_background();
    let pid = comes_up(&side, "sv", 0);
    let run = side.run(["svc", "-WU", "-T", "50", "sv"]);
    assert_eq!(said(&run), (99, "svc: warning: sv is not ready: timed out\n"));
    side.write("sv/go", "");
    assert_eq!(wait.ends(), 0);
    assert_eq!(state(&side, "sv"), format!("ready {pid}\n"));
    // As another process, and ready again.
    svc(&side, "-tWR", "sv");
    let new = comes_up(&side, "sv", pid);
    assert!(state(&side, "sv").ends_with(&format!("\nready {new}\n")));
}

#[test]
fn down_for_good_waits_for_the_scripts_of_the_end() {
    let side = Side::ours();
    for name in ["finish", "stop"] {
        side.script(&format!("sv/{name}"), "#!/bin/sh\nsleep 0.05; echo $0 >> log\n");
    }
    supervised(&side, "sv", SLEEPER);
    comes_up(&side, "sv", 0);
    svc(&side, "-dWD", "sv");
    assert_eq!(side.read("sv/log"), b"./finish\n./stop\n");
}

#[test]
fn its_supervise_is_waited_for() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    let mut supervise = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    svc(&side, "-dxWx", "sv");
    assert_eq!(side.run(["svok", "sv"]).exit, 100);
    assert_eq!(supervise.ends(), 0);
}

#[test]
fn many_are_waited_for_at_once_and_those_in_trouble_hold_nobody_up() {
    let side = Side::ours();
    side.directory("never");
    service(&side, "late", "trap '' TERM; echo up > log; while :; do sleep 0.1; done\n");
    side.keep(supervise(&side, "late"));
    holds(&side, "late/log", "up\n");
    for name in ["a", "b", "c"] {
        supervised(&side, name, SLEEPER);
        comes_up(&side, name, 0);
    }
    let run = side.run(["svc", "-dWd", "-T", "10000", "a", "never", "late", "b", "c"]);
    let expected = "\
svc: warning: unable to control never: file does not exist
svc: warning: late is not down: timed out
";
    assert_eq!(said(&run), (111, expected));
    for name in ["a", "b", "c"] {
        assert_eq!(status(&side, name), (0, 0, b'd'));
    }
}

#[test]
fn what_cannot_come_any_more_is_not_waited_for() {
    let side = Side::ours();
    side.script("sv/start", "#!/bin/sh\nexit 1\n");
    service(&side, "sv", SLEEPER);
    side.write("sv/down", "");
    let mut supervise = supervise(&side, "sv");
    for _ in 0..2 {
        let run = side.run(["svc", "-uWU", "sv"]);
        assert_eq!(said(&run), (111, "svc: warning: sv is not ready: it was given up\n"));
    }
    let run = side.run(["svc", "-Wr", "other"]);
    let expected = "svc: warning: unable to chdir to other: file does not exist\n";
    assert_eq!(said(&run), (111, expected));
    svc(&side, "-x", "sv");
    assert_eq!(supervise.ends(), 0);
}

#[test]
fn an_original_supervise_is_waited_for_too() {
    let (ours, Some(original)) = (Side::ours(), Side::debian()) else {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
        return;
    };
    supervised(&original, "sv", SLEEPER);
    let path = original.path().join("sv").into_os_string().into_string().unwrap();
    let old = comes_up(&original, "sv", 0);
    svc(&ours, "-tWr", &path);
    assert!(![0, old].contains(&status(&original, "sv").0));
    svc(&ours, "-dWd", &path);
    assert_eq!(status(&original, "sv"), (0, 0, b'd'));
    svc(&ours, "-uWU", &path);
    svc(&ours, "-dxWx", &path);
    assert_eq!(ours.run(["svok", &path]).exit, 100);
}
