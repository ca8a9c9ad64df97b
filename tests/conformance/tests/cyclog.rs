//! cyclog beside what daemontools 0.53 did.

use harness::{Case, Run, Side, recorded};
use unix::signal::Signal;

fn refused(name: &str, words: &[&str]) -> Case {
    recorded("cyclog", name, |side| side.run([&["cyclog"], words].concat()))
}

#[test]
fn a_directory_is_needed() {
    refused("usage", &[]).same();
    refused("no-directory", &["-s1000", "-n", "5"]).same();
    refused("no-option", &["-z", "log"]).same();
}

#[test]
fn a_directory_that_is_not_there_is_fatal() {
    refused("missing", &["nonexistent"]).same();
}

/// Logs `input`; shows mode and size of each file, the oldest first, then all of it.
fn logged(side: &Side, options: &str, before: &[&str], input: &str) -> Run {
    side.directory("log");
    for name in before {
        side.write(&format!("log/{name}"), format!("{name}\n"));
    }
    side.write("in", input);
    let script = "cyclog $0 log < in; echo $?; cd log; stat -c '%a %s' @*; cat @*; ls | grep -v @; \
                  cd ..; rm -r in log";
    side.run(["sh", "-c", script, options])
}

#[test]
fn the_log_is_one_file_that_is_closed_at_the_end() {
    let case = recorded("cyclog", "one", |side| logged(side, "", &[], "one\n\ntwo\nthe end"));
    assert_eq!(case.ours().run.stdout, b"0\n444 16\none\n\ntwo\nthe end");
    case.same();
}

#[test]
fn its_name_is_the_second_in_fourteen_digits() {
    let run = |side: &Side| {
        side.directory("log");
        side.command(["sh", "-c", "cyclog log; ls log | sed 's/[0-9]/x/g'; rm -r log"]).run()
    };
    let case = recorded("cyclog", "name", run);
    assert_eq!(case.ours().run.stdout, b"@xxxxxxxxxxxxxx\n");
    case.same();
}

#[test]
fn a_file_ends_with_a_line_near_its_size() {
    let lines = format!("{}\n", "x".repeat(99)).repeat(12);
    let case = recorded("cyclog", "lines", |side| logged(side, "-s512 -m200", &[], &lines));
    assert!(case.ours().run.stdout.starts_with(b"0\n444 400\n444 400\n444 400\n444 0\n"));
    case.same();
    recorded("cyclog", "no-margin", |side| logged(side, "-s600 -m0", &[], &lines)).same();
    let long = "y".repeat(1300);
    recorded("cyclog", "no-lines", |side| logged(side, "-s0 -m9999999", &[], &long)).same();
}

#[test]
fn the_oldest_files_go() {
    let old = ["@00000000000300", "@00000000000020", "@5", "lock"];
    recorded("cyclog", "keep-3", |side| logged(side, "-n3", &old, "new\n")).same();
    recorded("cyclog", "keep-1", |side| logged(side, "-n0", &old, "new\n")).same();
    let lines = format!("{}\n", "x".repeat(511)).repeat(3);
    recorded("cyclog", "keep-2", |side| logged(side, "-s512 -n2", &old, &lines)).same();
}

/// The original takes other names for times, and removes them.
#[test]
fn names_that_are_no_time_are_left_alone() {
    let old = ["@400000003b4a39c23294b13c.s", "@x", "@7"];
    let case = recorded("cyclog", "others", |side| logged(side, "-n1", &old, "new\n"));
    let ours = b"0\n444 4\n644 28\n644 3\nnew\n@400000003b4a39c23294b13c.s\n@x\n";
    assert_eq!(case.ours().run.stdout.escape_ascii().to_string(), ours.escape_ascii().to_string());
    assert!(case.original().is_none_or(|original| original.run.stdout == b"0\n444 4\nnew\n"));
}

#[test]
fn a_number_that_is_none_is_wrong_usage() {
    for option in ["-sx", "-n1k", "-m-1"] {
        let run = Side::ours().run(["cyclog", option, "."]);
        assert_eq!(run.stderr, b"cyclog: usage: cyclog [ -ssize ] [ -nnum ] [ -mmargin ] dir\n");
        assert_eq!(run.exit, 100);
    }
}

/// The original ends at once, and leaves the file open.
#[test]
fn a_signal_ends_it_when_everything_is_written() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let side = Side::ours();
        side.directory("log");
        let mut log = side.command(["cyclog", "log"]).converse();
        let _ = log.talk("one\ntwo", "");
        let contents = || side.run(["sh", "-c", "cat log/*"]).stdout;
        assert!(harness::until(|| contents() == b"one\ntwo"));
        log.signal(signal);
        assert_eq!((log.ends(), log.stderr()), (0, vec![]));
        assert_eq!(side.run(["sh", "-c", "stat -c %a log/*"]).stdout, b"444\n");
    }
}

#[test]
fn trouble_is_told_and_nothing_is_lost() {
    let side = Side::ours();
    side.directory("log");
    side.mode("log", 0o555);
    let mut log = side.command(["cyclog", "log"]).as_user().converse();
    let _ = log.talk("one\n", "");
    log.hears(", pausing: access denied\n");
    let said = String::from_utf8(log.stderr()).unwrap();
    assert!(said.starts_with("cyclog: warning: unable to create @0000"), "{said}");
    side.mode("log", 0o755);
    log.close_input();
    // A signal ends the pause; what has been read already would still be written.
    log.signal(Signal::SIGTERM);
    assert_eq!(log.ends(), 0);
    assert_eq!(side.run(["sh", "-c", "stat -c %a log/*"]).stdout, b"444\n");
}
