//! tailocal beside what daemontools 0.53 did.

use harness::{Case, recorded};

fn shown(name: &str, input: &str, zone: &str) -> Case {
    recorded("tailocal", name, |side| side.command(["tailocal"]).stdin(input).env("TZ", zone).run())
}

#[test]
fn seconds_are_shown_in_local_time_and_the_rest_stays() {
    let lines = "994720184.848605 status: x\n994720184\n1 y\n4102444800.5\n";
    let case = shown("utc", lines, "UTC");
    assert!(case.ours().run.stdout.starts_with(b"2001-07-09 23:09:44.848605 status: x\n"));
    case.same();
    shown("berlin", lines, "CET-1CEST,M3.5.0,M10.5.0/3").same();
}

#[test]
fn a_line_without_a_number_begins_with_the_epoch() {
    let case = shown("none", "x\n\n 5\n-7\n@400000003b4a39c23294b13c y\n", "UTC");
    assert!(case.ours().run.stdout.starts_with(b"1970-01-01 00:00:00x\n1970-01-01 00:00:00\n"));
    case.same();
}

#[test]
fn the_last_line_may_have_no_end() {
    shown("unfinished", "994720184 x\n994720184 y", "UTC").same();
    shown("nothing", "", "UTC").same();
}

/// The original loses what it has read of it.
#[test]
fn a_number_at_the_end_of_the_input_is_not_lost() {
    shown("cut", "x\n994720184", "UTC")
        .differing_stdout("1970-01-01 00:00:00x\n2001-07-09 23:09:44", "1970-01-01 00:00:00x\n");
}

/// The original shows another time, or crashes.
#[test]
fn a_number_that_is_no_time_stays_as_it_is() {
    let line = "99999999999999999999 x\n";
    assert_eq!(shown("huge", line, "UTC").ours().run.stdout, line.as_bytes());
}

#[test]
fn many_lines_come_through() {
    let input = "994720184.848605 a line of text\n".repeat(9000);
    let side = harness::Side::ours();
    let run = side.command(["tailocal"]).stdin(&input).run();
    let expected = "2001-07-09 23:09:44.848605 a line of text\n".repeat(9000);
    assert!(run.stdout == expected.as_bytes());
}
