//! Files by age, and a limit to all files of a log.

use std::fs;

use harness::{Side, until};

use crate::{codes, ended, everything, numbered, old_names, started, tell};

#[test]
fn a_file_is_full_when_its_first_line_is_old() {
    let side = Side::ours();
    let mut program = started(&side, &["R1", "./log"]);
    tell(&mut program, "one\n");
    assert!(until(|| old_names(&side, "log").len() == 1), "not turned over");
    tell(&mut program, "two\n");
    assert!(until(|| old_names(&side, "log").len() == 2), "not turned over");
    assert_eq!(ended(program).exit, 0);
    assert_eq!(everything(&side, "log"), "one\ntwo\n");
    assert_eq!(codes(&side, "log"), ["s", "s"]);
}

#[test]
fn age_counts_on_after_a_restart() {
    let side = Side::ours();
    assert_eq!(side.command(["multilog", "./log"]).stdin("one\n").run().exit, 0);
    let program = started(&side, &["R1", "./log"]);
    assert!(until(|| old_names(&side, "log").len() == 1), "not turned over");
    assert_eq!(ended(program).exit, 0);
    assert_eq!(side.read("log/current"), b"");
}

#[test]
fn a_log_has_no_more_bytes_than_it_may() {
    let side = Side::ours();
    let mut program = started(&side, &["s4096", "n99", "S20000", "./log"]);
    let (mut sum, mut most) = (0, 0);
    for line in numbered(400).split_inclusive('\n') {
        let before = side.read("log/current").len();
        tell(&mut program, line);
        assert!(until(|| side.read("log/current").len() != before), "{line} is not logged");
        let names = old_names(&side, "log").into_iter().chain(["current".into()]);
        let sizes = names.filter_map(|name| fs::metadata(side.path().join("log").join(name)).ok());
        sum = sizes.map(|metadata| metadata.len()).sum();
        assert!(sum <= 20_000, "{sum} bytes");
        most = most.max(sum);
    }
    assert!(most > 15_000 && sum > 10_000, "only {most} and {sum} bytes");
    assert_eq!(ended(program).exit, 0);
    let kept = everything(&side, "log");
    assert!(numbered(400).ends_with(&kept));
}

#[test]
fn a_limit_below_the_size_of_a_file_leaves_no_old_one() {
    let side = Side::ours();
    let input = format!("{}\nlast\n", "x".repeat(4094));
    let words = ["multilog", "s4096", "S4000", "./log"];
    assert_eq!(side.command(words).stdin(input).run().exit, 0);
    assert_eq!(everything(&side, "log"), "last\n");
}
