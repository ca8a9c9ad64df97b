//! What happens to lines.

use harness::{Case, Run, Side, case};

use crate::without_times;

fn filtered(actions: &[&str], input: impl AsRef<[u8]>) -> Case {
    case(|side| {
        let words: Vec<&str> = [&["multilog"], actions].concat();
        side.command(words).stdin(&input).run()
    })
    .normalised(without_times)
}

#[test]
fn without_actions_nothing_is_printed() {
    filtered(&[], "one\ntwo\n").same();
}

#[test]
fn e_prints_to_stderr() {
    filtered(&["e"], "one\ntwo\n").same();
    filtered(&["e", "e"], "one\ntwo\n").same();
    filtered(&["exx"], "one\n").same();
}

#[test]
fn a_partial_last_line_is_ended() {
    filtered(&["e"], "one\ntwo").same();
    filtered(&["t", "e", "./log"], "a\n\nb").same();
    filtered(&["e", "./log"], "").same();
    filtered(&["e", "./log"], "\n").same();
}

#[test]
fn patterns_select() {
    filtered(&["-*", "e"], "one\ntwo\n").same();
    filtered(&["-*", "+one", "e"], "one\ntwo\n").same();
    filtered(&["+two", "e"], "one\ntwo\n").same();
    filtered(&["-one", "e", "+*", "e", "-two", "e"], "one\ntwo\n").same();
}

#[test]
fn patterns_match_as_the_original_matches() {
    let lines = "\none\non\nonf\none*\nonetwo\nxone\noone\n one\nx one\n* one\nxy one\n two\n  one\n\
                 xy one \nx  one\n y one\nx y one\n   one\na fatal: b\na b fatal: c\na*b\nab\n*\n";
    for pattern in [
        "one",
        "",
        "*",
        "one*",
        "* one",
        "* * one",
        "*one",
        "* fatal: *",
        "**",
        "***",
        "*n*",
        "o*e",
    ] {
        filtered(&[&format!("-{pattern}"), "e"], lines).same();
        filtered(&["-*", &format!("+{pattern}"), "e"], lines).same();
    }
}

#[test]
fn patterns_see_the_timestamp() {
    filtered(&["t", "-one", "e"], "one\n").same();
    filtered(&["t", "-@* one", "e"], "one\ntwo\n").same();
}

#[test]
fn stderr_shows_two_hundred_bytes_of_a_line() {
    for length in [199, 200, 201, 999, 1000, 1001, 5000] {
        filtered(&["e"], format!("{}\n", "x".repeat(length))).same();
        filtered(&["t", "e"], format!("{}\n", "x".repeat(length - 26))).same();
    }
}

#[test]
fn long_lines_are_logged_whole_and_known_by_their_beginning() {
    for length in [999, 1000, 1001, 3000] {
        let line = format!("{}tail\n", "x".repeat(length));
        let pattern = format!("-{}", "x".repeat(1000));
        filtered(&["./log"], &line).same();
        filtered(&["t", "./log"], &line).same();
        filtered(&[&pattern, "./log"], format!("{line}short\n")).same();
        filtered(&["-*tail", "./log", "e"], format!("{line}short\n")).same();
    }
    filtered(&["./log"], "x".repeat(1000)).same();
    filtered(&["./log"], format!("{}\n", "x".repeat(1000))).same();
}

#[test]
fn zero_bytes_are_kept() {
    filtered(&["-*b*", "./log", "e"], b"a\0x\na\0b\n\0\n").same();
}

#[test]
fn a_status_file_holds_the_last_line() {
    for length in [0, 1, 998, 999, 1000, 1001, 2000] {
        filtered(&["=status"], format!("one\n{}\n", "x".repeat(length))).same();
    }
    filtered(&["t", "=status"], "one\ntwo\n").same();
    filtered(&["-two", "=status", "+*", "=other"], "one\ntwo\n").same();
    filtered(&["=status"], "").same();
}

#[test]
fn a_status_file_is_overwritten_from_its_beginning() {
    case(|side| {
        side.write("status", "old\n".repeat(500));
        side.command(["multilog", "=status"]).stdin("new\n").run()
    })
    .same();
}

#[test]
fn a_status_file_that_cannot_be_made_is_fatal() {
    filtered(&["=nonexistent/status", "./log"], "one\n").same();
    filtered(&["=", "./log"], "one\n").same();
    filtered(&["=.", "./log"], "one\n").same();
}

#[test]
fn a_timestamp_is_asked_for_in_the_first_place() {
    filtered(&["t", "e"], "ONE\nTWO\n").same();
    filtered(&["tai64n", "e"], "ONE\n").same();
}

/// One action that the original passes over.
fn not_understood(actions: &[&str], ours: &str) {
    filtered(actions, "one\n")
        .differing_stderr(&format!("multilog: fatal: {ours}\n"), "one\n")
        .differing_exit(100, 0);
}

#[test]
fn what_is_no_action_is_an_error() {
    not_understood(&["main", "e"], "unable to understand action main");
    not_understood(&["", "e"], "unable to understand action ");
    not_understood(&["e", "E"], "unable to understand action E");
    not_understood(&["e", "t"], "only the first action can be t");
}

/// The same lines for both, a block at a time.
fn bulk(side: &Side, actions: &[&str]) -> Run {
    let mut input = String::new();
    for number in 0_u32..20_000 {
        let word = ["status", "deliver", "new"][(number % 3) as usize];
        input.extend([word, " ", &"x".repeat((number % 131) as usize), "\n"]);
    }
    let words: Vec<&str> = [&["multilog"], actions].concat();
    side.command(words).stdin(&input).run()
}

#[test]
fn much_input_is_treated_as_little_is() {
    let actions = ["s16777215", "./all", "-*", "+deliver*", "./some", "e", "=status"];
    case(|side| bulk(side, &actions)).same();
    let stamped = [&["t"], &actions[..2], &["-*", "+@* new *", "./some"]].concat();
    case(|side| bulk(side, &stamped)).normalised(without_times).same();
}
