//! Processors that run while lines are read.

use std::fs;

use harness::{Side, until};
use unix::signal::Signal;

use crate::{codes, ended, everything, old_names, started, tell};

/// Lines that fill a file of 4096 bytes, and only one.
fn full(letter: &str) -> String {
    format!("{}\n", letter.repeat(4000))
}

/// Waits until `log` has old files with these codes.
fn has_codes(side: &Side, expected: &[&str]) {
    assert!(until(|| codes(side, "log") == expected), "{:?}", codes(side, "log"));
}

/// Waits until there is no beginning of anything.
fn nothing_is_under_way(side: &Side) {
    assert!(!side.path().join("log/packed").exists());
}

#[test]
fn old_files_are_compressed() {
    let side = Side::ours();
    let words = ["multilog", "s4096", "n99", "wgz", "&gzip -c", "./log"];
    let input = ["a", "b", "c"].map(full).concat() + "last\n";
    let run = side.command(words).stdin(&input).run();
    assert_eq!((run.exit, run.stderr), (0, Vec::new()));
    assert_eq!(codes(&side, "log"), ["gz", "gz", "gz"]);
    nothing_is_under_way(&side);
    let run = side.run(["sh", "-c", "zcat log/@*.gz; cat log/current; ls -l log/@*.gz"]);
    let text = String::from_utf8(run.stdout).unwrap();
    let (lines, list) = text.split_once("last\n").unwrap();
    assert_eq!(lines.to_owned() + "last\n", input);
    assert_eq!(list.matches("-rwxr--r--").count(), 3, "{list}");
}

#[test]
fn lines_are_logged_while_it_runs() {
    let side = Side::ours();
    let command = "&until test -e ../good; do sleep 0.01; done; tr a-z A-Z";
    let mut program = started(&side, &["s4096", "wbig", command, "./log"]);
    for (letter, files) in [("a", 1), ("b", 2), ("c", 3)] {
        tell(&mut program, &full(letter));
        has_codes(&side, &["s", "s", "s"][..files]);
    }
    assert_eq!(everything(&side, "log"), ["a", "b", "c"].map(full).concat());
    side.write("good", "");
    has_codes(&side, &["big", "big", "big"]);
    assert_eq!(ended(program).exit, 0);
    assert_eq!(everything(&side, "log"), ["A", "B", "C"].map(full).concat());
}

/// A processor that fails until the file `good` is there.
fn fails_first(failing: &str, words: &str) {
    let side = Side::ours();
    let command = format!("&test -e ../good || {failing}; tr a-z A-Z");
    let mut program = started(&side, &["s4096", "wbig", &command, "./log"]);
    tell(&mut program, &full("a"));
    program.hears(&format!("multilog: warning: {words} in ./log\n"));
    has_codes(&side, &["s"]);
    nothing_is_under_way(&side);
    tell(&mut program, "one more\n");
    assert!(until(|| side.read("log/current") == b"one more\n"), "it waits");
    side.write("good", "");
    program.signal(Signal::SIGALRM);
    has_codes(&side, &["big", "big"]);
    assert_eq!(ended(program).exit, 0);
    assert_eq!(everything(&side, "log"), full("A") + "ONE MORE\n");
}

#[test]
fn one_that_fails_is_run_again_after_the_next_file() {
    fails_first("exit 1", "processor failed");
}

#[test]
fn one_that_is_killed_costs_no_line() {
    fails_first("kill -KILL $$", "processor crashed by signal 9");
}

/// A multilog whose processor never ends, in the middle of its first file.
fn under_way(side: &Side) -> harness::Background {
    let command = "&head -c 10; touch ../working; until test -e ../good; do sleep 0.01; done; cat";
    let mut program = started(side, &["s4096", "wtxt", command, "./log"]);
    tell(&mut program, &full("a"));
    assert!(until(|| side.path().join("working").exists()), "no processor");
    program
}

/// What the next start makes of it.
fn is_ended_by_the_next_start(side: &Side) {
    let words = ["multilog", "s4096", "wtxt", "&cat", "./log"];
    assert_eq!(side.command(words).stdin("one more\n").run().exit, 0);
    assert_eq!(codes(side, "log"), ["txt"]);
    assert_eq!(everything(side, "log"), full("a") + "one more\n");
    side.write("good", ""); // lets what is left of the first one end
    nothing_is_under_way(side);
}

#[test]
fn term_leaves_it_to_the_next_start() {
    let side = Side::ours();
    let mut program = under_way(&side);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
    assert_eq!(codes(&side, "log"), ["s"]);
    nothing_is_under_way(&side);
    is_ended_by_the_next_start(&side);
}

#[test]
fn kill_leaves_it_to_the_next_start() {
    let side = Side::ours();
    let mut program = under_way(&side);
    program.signal(Signal::SIGKILL);
    assert_eq!(program.ends(), -9);
    assert_eq!(codes(&side, "log"), ["s"]);
    is_ended_by_the_next_start(&side);
}

#[test]
fn a_file_that_was_processed_before_a_crash_is_not_doubled() {
    let side = Side::ours();
    side.write("log/@400000003b4a39c23294b13c.s", "a\n");
    side.write("log/@400000003b4a39c23294b13c.txt", "A\n");
    side.write("log/@400000003b4a39c23294b13d.s", "b\n");
    side.write("log/@400000003b4a39c23294b13e.u", "left\n");
    let words = ["multilog", "wtxt", "&tr a-z A-Z", "./log"];
    assert_eq!(side.command(words).stdin("").run().exit, 0);
    assert_eq!(codes(&side, "log"), ["txt", "txt", "u"]);
    assert_eq!(everything(&side, "log"), "A\nB\nleft\n");
}

#[test]
fn a_file_that_is_removed_meanwhile_is_gone() {
    let side = Side::ours();
    let program = under_way(&side);
    let [name] = &old_names(&side, "log")[..] else { panic!("one old file") };
    fs::remove_file(side.path().join("log").join(name)).unwrap();
    side.write("good", "");
    assert!(until(|| !side.path().join("log/packed").exists()));
    assert_eq!(ended(program).exit, 0);
    assert_eq!(old_names(&side, "log"), Vec::<String>::new());
}

#[test]
fn it_needs_names_of_its_own() {
    let side = Side::ours();
    let run = side.command(["multilog", "&gzip -c", "./log"]).stdin("one\n").run();
    let told = "multilog: fatal: unable to use & without a code (w) for ./log\n";
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, told.into()));
    assert!(!side.path().join("log").exists());
}
