//! svc beside the original.

mod services;
#[path = "svc/wait.rs"]
mod wait;

use harness::{Case, Run, Side, case};
use services::{
    SLEEPER, TALKER, comes_up, holds, service, shows, status, supervise, supervised, svc,
};

#[test]
fn an_unknown_option_is_explained() {
    let ours = "\
svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, \
k kill, q quit, 1 usr1, 2 usr2, w winch, + everything, = process, W[udUDrRx] wait, T milliseconds
";
    let original = "\
svc options: u up, d down, o once, x exit, p pause, c continue, h hup, a alarm, i interrupt, t term, \
k kill
";
    for (words, letter) in
        [(&["svc", "-z", "sv"][..], 'z'), (&["svc", "-dz"], 'z'), (&["svc", "-:"], ':')]
    {
        let complaint = format!("svc: illegal option -- {letter}\n");
        let _ = case(|side| side.run(words))
            .same_exit()
            .same_stdout()
            .differing_stderr(&(complaint.clone() + ours), &(complaint + original));
    }
    let side = Side::ours();
    for words in [&["svc", "-W", "z", "sv"][..], &["svc", "-Wuu", "sv"], &["svc", "-T", "1s", "sv"]]
    {
        let run = side.run(words);
        assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, ours.to_owned()));
    }
}

#[test]
fn without_directories_nothing_is_done() {
    case(|side| side.run(["svc"])).same();
    case(|side| side.run(["svc", "-d"])).same();
}

/// What is sent to the control fifo of `sv` by a svc with these options.
fn sent(options: &[&str]) -> Case {
    case(|side| {
        side.directory("sv/supervise");
        let options = options.join(" ");
        let script = format!(
            "mkfifo sv/supervise/control; exec 3<>sv/supervise/control; svc {options} sv && echo \
             >&3 && head -n 1 <&3"
        );
        side.run(["sh", "-c", &script])
    })
}

#[test]
fn letters_are_sent_in_order_and_once() {
    let all = [
        (&["-dx"][..], "dx\n"),
        (&["-x", "-d", "-x"], "xd\n"),
        (&["-udopchaitkx"], "udopchaitkx\n"),
        (&["-uu", "--"], "u\n"),
        (&[], "\n"),
    ];
    for (options, expected) in all {
        sent(options).differing_stdout(expected, expected).same();
    }
}

#[test]
fn what_follows_plus_is_for_everything_and_that_ends_with_the_command() {
    for (options, expected) in [
        ("-q12w", "q12w\n"),
        ("-+k", "+k=\n"),
        ("-t+t=t", "t+t=t\n"),
        ("-+++tt==", "+t=\n"),
        ("-=t", "t\n"),
    ] {
        let _ = sent_by_ours(options, expected);
    }
}

fn sent_by_ours(options: &str, expected: &str) -> Run {
    let side = Side::ours();
    side.directory("sv/supervise");
    let script = format!(
        "mkfifo sv/supervise/control; exec 3<>sv/supervise/control; svc {options} sv && echo >&3 && \
         head -n 1 <&3"
    );
    let run = side.run(["sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), expected);
    run
}

/// Runs svc on services that cannot be controlled, and on one that can, behind them.
fn troubled(side: &Side, env: Option<&str>) -> Run {
    side.write("file", "");
    side.directory("never");
    side.write("odd/supervise", "");
    service(side, "over", SLEEPER);
    side.write("over/down", "");
    let mut over = supervise(side, "over");
    svc(side, "-x", "over");
    assert_eq!(over.ends(), 0);
    service(side, "sv", TALKER);
    let command =
        side.command(["svc", "-h", "nonexistent", "file", "never", "odd", "over", "", "sv"]);
    let command = match env {
        Some(name) => command.env(name, ""),
        None => command,
    };
    side.keep(supervise(side, "sv"));
    holds(side, "sv/log", "up");
    let run = command.run();
    holds(side, "sv/log", "HUP");
    run
}

#[test]
fn a_service_that_cannot_be_controlled_is_warned_of_and_does_not_stop_the_others() {
    let case = case(|side| troubled(side, None)).same_stderr().differing_exit(111, 0);
    let expected = "\
svc: warning: unable to chdir to nonexistent: file does not exist
svc: warning: unable to chdir to file: not a directory
svc: warning: unable to control never: file does not exist
svc: warning: unable to control odd: not a directory
svc: warning: unable to control over: supervise not running
svc: warning: unable to chdir to : file does not exist
";
    assert_eq!(String::from_utf8_lossy(&case.ours().run.stderr), expected);
}

#[test]
fn a_variable_lets_it_always_succeed() {
    let _ = case(|side| troubled(side, Some("SVEXIT0"))).same_stderr().same_exit();
}

#[test]
fn the_original_controls_our_supervise_and_ours_the_original() {
    let (ours, Some(original)) = (Side::ours(), Side::debian()) else {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
        return;
    };
    for (side, other) in [(&ours, &original), (&original, &ours)] {
        supervised(side, "sv", TALKER);
        let path = side.path().join("sv").into_os_string().into_string().unwrap();
        assert_eq!(other.run(["svok", &path]).exit, 0);
        let old = comes_up(side, "sv", 0);
        holds(side, "sv/log", "up");
        svc(other, "-h", &path);
        holds(side, "sv/log", "HUP");
        svc(other, "-t", &path);
        let new = comes_up(side, "sv", old);
        svc(other, "-o", &path);
        shows(side, "sv", "up (pid PID) S seconds\n");
        holds(side, "sv/log", "TERM\nup");
        svc(other, "-dx", &path);
        assert!(harness::until(|| side.run(["svok", "sv"]).exit == 100), "still there");
        assert_eq!(status(side, "sv"), (0, 0, b'd'), "it was {new}");
    }
}
