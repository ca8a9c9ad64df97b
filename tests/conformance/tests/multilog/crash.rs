//! What a start makes of what a crash has left.

use harness::{Case, Side, case};
use unix::signal::Signal;

use crate::{ended, everything, holds, started, tell, without_times};

const OPEN: u32 = 0o644;
const CLOSED: u32 = 0o744;

/// A start in a directory with these files.
fn start(files: &[(&str, &str, u32)]) -> Case {
    case(|side: &Side| {
        for (name, contents, mode) in files {
            let name = format!("log/{name}");
            side.write(&name, contents);
            side.mode(&name, *mode);
        }
        side.directory("log");
        side.mode("log", 0o700);
        side.command(["multilog", "./log"]).stdin("new\n").run()
    })
    .normalised(without_times)
}

#[test]
fn a_log_that_was_killed_is_finished_as_it_is() {
    case(|side| {
        let mut program = started(side, &["./log"]);
        tell(&mut program, "one\n");
        holds(side, "log", "one\n");
        program.signal(Signal::SIGKILL);
        assert_eq!(ended(program).exit, -9);
        side.command(["multilog", "./log"]).stdin("two\n").run()
    })
    .normalised(without_times)
    .same();
}

#[test]
fn an_empty_directory_is_a_new_log() {
    start(&[]).same();
}

#[test]
fn every_state_of_a_turn_over_is_recovered() {
    // Between fsync and rename.
    start(&[("current", "b\n", OPEN), ("state", "s", OPEN)]).same();
    // Before the new current.
    start(&[("previous", "b\n", OPEN), ("state", "s", OPEN)]).same();
    // Before previous is closed.
    start(&[("previous", "b\n", OPEN), ("current", "", CLOSED)]).same_exit().same_stderr();
    // While the processor runs.
    let halves = [
        ("state", "old", OPEN),
        ("newstate", "ne", OPEN),
        ("previous", "b\n", CLOSED),
        ("processed", "half", OPEN),
    ];
    start(&halves).same();
    // When it has ended.
    let whole = [
        ("state", "old", OPEN),
        ("newstate", "new", OPEN),
        ("previous", "b\n", CLOSED),
        ("processed", "whole\n", CLOSED),
    ];
    start(&whole).same();
    start(&whole[2..]).same();
    start(&whole[3..]).same();
}

#[test]
fn a_closed_log_keeps_its_state() {
    start(&[("current", "a\n", CLOSED), ("state", "kept", OPEN)]).same();
    start(&[("current", "a\n", CLOSED), ("newstate", "kept", OPEN)]).same();
}

#[test]
fn a_file_that_the_original_has_linked_already_is_not_doubled() {
    case(|side| {
        side.write("log/@400000003b4a39c23294b13c.s", "a\n");
        let old = side.path().join("log/@400000003b4a39c23294b13c.s");
        std::fs::hard_link(old, side.path().join("log/previous")).unwrap();
        side.command(["multilog", "./log"]).stdin("new\n").run()
    })
    .same();
}

/// The original removes such a file, and its lines with it.
#[test]
fn a_file_with_another_name_elsewhere_is_kept() {
    case(|side| {
        side.write("log/current", "a\n");
        std::fs::hard_link(side.path().join("log/current"), side.path().join("backup")).unwrap();
        let run = side.command(["multilog", "./log"]).stdin("new\n").run();
        harness::Run { stdout: everything(side, "log").into_bytes(), ..run }
    })
    .differing_stdout("a\nnew\n", "new\n");
}

/// The original makes an empty old file at each start, and so pushes the others out.
#[test]
fn an_empty_log_leaves_no_old_file() {
    case(|side| {
        side.write("log/current", "");
        let run = side.command(["multilog", "./log"]).stdin("new\n").run();
        let count = crate::old_names(side, "log").len();
        harness::Run { stdout: count.to_string().into_bytes(), ..run }
    })
    .differing_stdout("0", "1");
}

/// The original overwrites such a file at the next turn-over.
#[test]
fn a_half_turned_over_file_beside_a_closed_one_is_finished_too() {
    let case = start(&[("previous", "a\n", CLOSED), ("current", "b\n", CLOSED)]);
    let files = &case.ours().files.0;
    assert_eq!(files["log/@TIME.u"].contents, b"a\n");
    assert_eq!(files["log/current"].contents, b"b\nnew\n");
    assert!(!files.contains_key("log/previous"));
}

#[test]
fn what_cannot_be_used_is_fatal() {
    case(|side| {
        side.directory("log/current");
        side.command(["multilog", "./log"]).stdin("new\n").run()
    })
    .same_stderr()
    .same_exit();
    case(|side| {
        side.directory("log/lock");
        side.command(["multilog", "./log"]).stdin("new\n").run()
    })
    .same();
}
