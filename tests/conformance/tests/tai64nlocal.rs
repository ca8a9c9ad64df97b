//! tai64nlocal beside the original.

use harness::{Case, case};

const LABEL: &str = "@400000003b4a39c23294b13c";

fn shown(input: &str, zone: &str) -> Case {
    case(|side| side.command(["tai64nlocal"]).stdin(input).env("TZ", zone).run())
}

#[test]
fn a_label_is_shown_in_local_time() {
    for zone in ["UTC", "", "America/New_York", ":Asia/Kolkata", "XYZ+5:30", "CET-1CEST"] {
        shown(&format!("{LABEL} fatal: x\n"), zone).same();
    }
    let utc = shown(&format!("{LABEL} fatal: x\n"), "UTC");
    assert_eq!(utc.ours().run.stdout, b"2001-07-09 23:09:44.848605500 fatal: x\n");
}

#[test]
fn years_long_ago_and_far_away_are_shown() {
    for label in [
        "@400000000000000a00000000",
        "@3fffffff00000000075bcd15",
        "@400000007fffffff3b9ac9ff",
        "@4000000fffffffff00000001",
        "@40000fffffffffff00000001",
    ] {
        shown(&format!("{label} x\n"), "Europe/Berlin").same();
    }
}

#[test]
fn other_lines_are_copied() {
    shown("one\ntwo\n", "UTC").same();
    shown(&format!("x {LABEL}\n\n {LABEL} y\nno newline"), "UTC").same();
    shown("", "UTC").same();
}

#[test]
fn what_follows_a_label_does_not_matter() {
    for rest in ["\n", ".x\n", "G\n", "@\n", " no newline", "\0\n", &LABEL.repeat(2)] {
        shown(&format!("{LABEL}{rest}"), "UTC").same();
    }
}

#[test]
fn labels_and_lines_of_all_lengths_come_through() {
    let mut input = String::new();
    for length in 0..3000 {
        input.extend([LABEL, " ", &"x".repeat(length % 97), "\n"]);
    }
    shown(&input, "UTC").same();
}

/// The original crashes on these, and loses what it had to say before.
#[test]
fn a_line_without_a_good_label_is_copied() {
    for line in ["@foo bar\n", "@\n", "@400000003b4a39c2 x\n", "@400000003B4A39C23294B13C x\n"] {
        shown(&format!("one\n{line}two\n"), "UTC")
            .differing_stdout(&format!("one\n{line}two\n"), "")
            .differing_exit(0, -11);
    }
    let long = format!("{LABEL}012 x\n");
    assert_eq!(shown(&long, "UTC").ours().run.stdout, long.as_bytes());
}

#[test]
fn a_label_at_the_end_of_the_input_is_not_lost() {
    shown(&format!("one\n{LABEL}"), "UTC")
        .differing_stdout("one\n2001-07-09 23:09:44.848605500", "one\n");
    shown("one\n@4000", "UTC").differing_stdout("one\n@4000", "one\n");
}

#[test]
fn a_nanosecond_too_many_makes_no_label() {
    shown("@400000003b4a39c23b9aca00 x\n", "UTC")
        .differing_stdout("@400000003b4a39c23b9aca00 x\n", "2001-07-09 23:09:44.1000000000 x\n");
}

#[test]
fn an_output_that_is_full_ends_it() {
    case(|side| side.command(["sh", "-c", "tai64nlocal > /dev/full"]).stdin("a\n").run())
        .differing_stderr("tai64nlocal: fatal: unable to write output: out of disk space\n", "");
}
