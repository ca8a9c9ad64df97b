//! usually beside what daemontools 0.53 did.

use harness::{Case, Side, recorded};
use unix::signal::Signal;

fn watched(name: &str, patterns: &str, input: &str) -> Case {
    recorded("usually", name, |side| {
        side.write("patterns", patterns);
        side.command(["usually", "patterns"]).stdin(input).run()
    })
}

#[test]
fn a_file_is_needed() {
    recorded("usually", "usage", |side| side.run(["usually"])).same();
}

#[test]
fn a_file_that_cannot_be_read_is_fatal() {
    recorded("usually", "missing", |side| side.run(["usually", "nonexistent"])).same();
    recorded("usually", "directory", |side| {
        side.directory("folder");
        side.run(["usually", "folder"])
    })
    .same();
}

#[test]
fn everything_is_copied_and_what_no_pattern_matches_is_shown() {
    let patterns = "status: *\n* info: *\nexactly\n";
    let input = "status: 1\nnew msg 7\nx info: y\nx y info: z\nexactly\nexactly not\n\nend\n";
    let case = watched("lines", patterns, input);
    assert_eq!(case.ours().run.stdout, input.as_bytes());
    assert_eq!(case.ours().run.stderr, b"new msg 7\nx y info: z\nexactly not\nend\n");
    case.same();
}

#[test]
fn a_pattern_may_have_no_line_end_and_none_matches_a_blank_line_only() {
    watched("no-end", "one*\ntwo*", "one 1\ntwo 2\nthree\n").same();
    watched("empty", "", "one\n\n").same();
    watched("stars", "*one\n* * x\n", "xone\noone\na b x\na b\n").same();
}

/// To the original the second star is the one that the first stops at.
#[test]
fn two_stars_are_those_of_multilog() {
    watched("two-stars", "**\n", "a*\na*b\nab\n").differing_stderr("ab\n", "a*b\nab\n");
}

#[test]
fn a_line_of_500_bytes_is_cut() {
    let input = ["x".repeat(499), "y".repeat(500), "z".repeat(2000)].join("\n") + "\n";
    watched("long", "", &input).same();
    watched("cut", "*...\n", &input).same();
}

#[test]
fn an_unfinished_line_is_copied_but_not_looked_at() {
    watched("unfinished", "", "one\ntwo").same();
}

#[test]
fn hup_reads_the_patterns_again() {
    let side = Side::ours();
    side.write("patterns", "one\n");
    let mut program = side.command(["usually", "patterns"]).converse();
    assert_eq!(program.talk("one\ntwo\n", "two\n"), "one\ntwo\n");
    program.hears("two\n");
    side.write("patterns", "two\n");
    program.signal(Signal::SIGHUP);
    assert_eq!(program.talk("two\none\n", "one\n"), "two\none\n");
    program.close_input();
    assert_eq!(program.ends(), 0);
    assert_eq!(program.stderr(), b"two\none\n");
}

#[test]
fn patterns_that_are_gone_at_hup_are_fatal() {
    let side = Side::ours();
    side.write("patterns", "one\n");
    let mut program = side.command(["usually", "patterns"]).converse();
    assert_eq!(program.talk("other\n", "other\n"), "other\n");
    program.hears("other\n"); // which is the last that it does
    std::fs::remove_file(side.path().join("patterns")).unwrap();
    program.signal(Signal::SIGHUP);
    assert_eq!(program.talk("two\n", "two\n"), "two\n");
    assert_eq!(program.ends(), 111);
    let said = b"other\nusually: fatal: unable to read patterns: file does not exist\n";
    assert_eq!(program.stderr(), said);
}
