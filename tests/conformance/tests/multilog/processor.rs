//! Processors.

use harness::{Case, Run, Side, case, until};
use unix::signal::Signal;

use crate::{codes, ended, everything, once, started, tell, without_times};

fn full() -> String {
    format!("{}\nmiddle\n{}\n", "a".repeat(1500), "b".repeat(1500))
}

fn processed(command: &str) -> Case {
    case(|side: &Side| {
        let processor = format!("!{command}");
        let words = ["multilog", "s4096", &processor, "./log"];
        let first = side.command(words).stdin(full()).run();
        assert_eq!(first.exit, 0);
        side.command(words).stdin("one more\n").run()
    })
    .normalised(without_times)
}

#[test]
fn a_processor_makes_what_is_kept() {
    processed("tr a-z A-Z").same();
    processed("grep middle").same();
    processed("cat >/dev/null").same();
}

#[test]
fn a_processor_has_a_state() {
    processed("cat; cat <&4 >&5; echo once more >&5").same();
}

#[test]
fn a_processor_runs_in_the_directory_with_its_descriptors() {
    processed(
        "cat >/dev/null; basename $PWD; umask; echo $0; \
         for fd in 0 1 3 4 5 6 7 8 9; do readlink /proc/$$/fd/$fd; done; true",
    )
    .same();
}

#[test]
fn a_processor_may_write_to_stderr() {
    processed("cat; echo done >&2").same();
}

/// A processor that fails until the file `good` is there, then one more line.
fn fails_first(side: &Side, failing: &str, words: &str) -> Run {
    let processor = format!("!test -e ../good || {failing}; cat");
    let mut program = started(side, &["s4096", &processor, "./log"]);
    tell(&mut program, &full());
    program.hears(words);
    side.write("good", "");
    tell(&mut program, "one more\n");
    let run = ended(program);
    assert_eq!(everything(side, "log"), full() + "one more\n");
    once(run)
}

#[test]
fn a_processor_that_fails_is_run_again() {
    case(|side| fails_first(side, "exit 1", "processor failed")).normalised(without_times).same();
}

#[test]
fn a_processor_that_is_killed_is_run_again() {
    case(|side| fails_first(side, "kill -KILL $$", "processor crashed"))
        .normalised(without_times)
        .same_exit()
        .same_files();
}

#[test]
fn term_does_not_wait_for_a_processor_that_fails() {
    let side = Side::ours();
    let mut program = started(&side, &["s4096", "!exit 1", "./log"]);
    tell(&mut program, &full());
    program.hears("multilog: warning: processor failed in ./log, pausing\n");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
    assert_eq!(everything(&side, "log"), full());
    assert_eq!(codes(&side, "log")[0], "u");
}

/// The original notices the signal only when there is more input.
#[test]
fn term_waits_for_a_processor_that_works() {
    let side = Side::ours();
    let processor = "!touch ../working; until test -e ../good; do sleep 0.01; done; cat";
    let mut program = started(&side, &["s4096", processor, "./log"]);
    tell(&mut program, &full());
    assert!(until(|| side.path().join("working").exists()), "no processor");
    program.signal(Signal::SIGTERM);
    side.write("good", "");
    assert_eq!(program.ends(), 0);
    assert_eq!(codes(&side, "log"), ["s"]);
}

#[test]
fn one_that_cannot_be_started_costs_no_line() {
    let side = Side::ours();
    side.directory("log");
    side.mode("log", 0o777);
    let words =
        ["setuidgid", "nobody", "softlimit", "-p", "0", "multilog", "s4096", "!cat", "./log"];
    let skip = if unix::Uid::effective().is_root() { 0 } else { 2 };
    let mut program = side.command(&words[skip..]).converse();
    tell(&mut program, &full());
    program.hears(
        "multilog: warning: unable to fork for processor in ./log, pausing: temporary failure\n",
    );
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
    assert_eq!(everything(&side, "log"), full());
    assert_eq!(codes(&side, "log"), ["u"]);
}

#[test]
fn an_empty_processor_is_none() {
    let side = Side::ours();
    let words = ["multilog", "s4096", "!exit 1", "!", "./log"];
    assert_eq!(side.command(words).stdin(full()).run().exit, 0);
    assert_eq!(everything(&side, "log"), full());
}
