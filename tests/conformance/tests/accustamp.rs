//! accustamp beside what daemontools 0.53 did.

use harness::{Case, recorded};
use std::time::{SystemTime, UNIX_EPOCH};

fn stamped(name: &str, input: &[u8]) -> Case {
    recorded("accustamp", name, |side| side.command(["accustamp"]).stdin(input).run())
        .normalised(without_times)
}

/// An escaped text with the stamp at the beginning of each line replaced.
fn without_times(text: &str) -> String {
    let lines = text.split_inclusive("\\n").map(|line| {
        let (seconds, rest) = line.split_at_checked(10).unwrap_or_default();
        let (micros, rest) = rest.split_at_checked(8).unwrap_or_default();
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_stamp = is_number(seconds)
            && micros.strip_prefix('.').and_then(|m| m.strip_suffix(' ')).is_some_and(is_number);
        if is_stamp { format!("TIME {rest}") } else { line.to_owned() }
    });
    lines.collect()
}

#[test]
fn every_line_gets_the_time() {
    let case = stamped("lines", b"one\n\ntwo\n");
    assert_eq!(case.ours().run.stdout, b"TIME one\nTIME \nTIME two\n");
    case.same();
    stamped("bytes", b"zero \0 byte\n\xff\n").same();
    stamped("nothing", b"").same();
}

#[test]
fn a_line_without_an_end_is_kept() {
    let case = stamped("unfinished", b"one\ntwo");
    assert_eq!(case.ours().run.stdout, b"TIME one\nTIME two");
    case.same();
}

#[test]
fn the_time_is_now_and_arguments_do_not_matter() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let side = harness::Side::ours();
    let before = now();
    let run = side.command(["accustamp", "-x"]).stdin("x\n").run();
    let text = String::from_utf8(run.stdout).unwrap();
    let seconds: f64 = text.strip_suffix(" x\n").unwrap().parse().unwrap();
    assert!((before - 0.001..=now()).contains(&seconds), "{before} {seconds}");
}

#[test]
fn nothing_waits_for_more_input() {
    let side = harness::Side::ours();
    let mut program = side.command(["accustamp"]).converse();
    assert!(program.talk("first\n", "first\n").ends_with(" first\n"));
    assert!(program.talk("a part", "a part").ends_with(" a part"));
    assert_eq!(program.talk(" of it\n", "\n"), " of it\n");
    program.close_input();
    assert_eq!(program.ends(), 0);
}

#[test]
fn an_output_that_is_full_ends_it() {
    let run = |side: &harness::Side| {
        side.command(["sh", "-c", "accustamp > /dev/full"]).stdin("a\n").run()
    };
    recorded("accustamp", "full", run)
        .differing_stderr("accustamp: fatal: unable to write output: out of disk space\n", "")
        .same_exit();
}
