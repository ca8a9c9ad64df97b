//! Actions that daemontools-encore has, or nobody: other stamps, other patterns, other names.

use harness::{Side, case};

use crate::{codes, everything};

fn alerts(actions: &[&str], input: &str) -> String {
    let side = Side::ours();
    let words: Vec<&str> = [&["multilog"], actions].concat();
    let run = side.command(words).stdin(input).run();
    assert_eq!(run.exit, 0);
    String::from_utf8(run.stderr).unwrap()
}

/// With every digit as a nine.
fn nines(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

#[test]
fn iso_stamps_can_be_read_by_people_and_by_date() {
    let lines = alerts(&["I", "e"], "one\n\ntwo");
    let stamp = "9999-99-99T99:99:99.999999999Z";
    assert_eq!(nines(&lines), format!("{stamp} one\n{stamp} \n{stamp} two\n"));
    let side = Side::ours();
    let (time, _) = lines.split_once(' ').unwrap();
    let script = format!("test $(($(date +%s) - $(date -d {time} +%s))) -le 60");
    assert_eq!(side.run(["sh", "-c", &script]).exit, 0, "{time}");
}

#[test]
fn patterns_see_iso_stamps_too() {
    assert_eq!(alerts(&["I", "-* one", "e"], "one\n"), "");
}

#[test]
fn unix_stamps_are_seconds_and_microseconds() {
    assert_eq!(nines(&alerts(&["T", "e"], "one\n")), "9999999999.999999 one\n");
}

#[test]
fn a_stamp_of_any_form_comes_first() {
    for word in ["I", "T"] {
        case(|side| side.command(["multilog", "e", word]).stdin("one\n").run())
            .differing_stderr(
                &format!("multilog: fatal: only the first action can be {word}\n"),
                "one\n",
            )
            .differing_exit(100, 0);
    }
}

#[test]
fn file_name_patterns_hold_until_simple_ones() {
    assert_eq!(alerts(&["F", "-*", "e"], "one\n"), "");
    assert_eq!(alerts(&["F", "-*", "+*o*", "e"], "one\ntwo\nx\n"), "one\ntwo\n");
    let lines = "a fatal: b\na b fatal: c\nfatal\n";
    assert_eq!(alerts(&["-*", "F", "+*fatal: [bc]", "e"], lines), "a fatal: b\na b fatal: c\n");
    assert_eq!(alerts(&["F", "-x", "S", "-* fatal: *", "e"], lines), "a b fatal: c\nfatal\n");
}

#[test]
fn file_name_patterns_do_not_reach_into_the_next_line() {
    // As a simple pattern it is for a line that begins with these three bytes.
    let actions = ["-*", "+[x]*", "F", "-nothing", "e"];
    assert_eq!(alerts(&actions, "[x]a\n[x]b\nxc\n"), "[x]a\n[x]b\n");
}

#[test]
fn a_code_is_the_end_of_the_names_of_finished_files() {
    let side = Side::ours();
    let full = format!("{}\n", "x".repeat(4000));
    let words = ["multilog", "s4096", "wtxt", "./log"];
    assert_eq!(side.command(words).stdin(&full).run().exit, 0);
    assert_eq!(codes(&side, "log"), ["txt"]);
    let words = ["multilog", "s4096", "wupper", "!tr a-z A-Z", "./log"];
    assert_eq!(side.command(words).stdin(&full).run().exit, 0);
    assert_eq!(codes(&side, "log"), ["txt", "upper"]);
    assert_eq!(everything(&side, "log"), full.clone() + &full.to_uppercase());
}
