//! matchtest beside what the original did.

use harness::{Case, recorded};

fn shown(name: &str, words: &[&str]) -> Case {
    recorded("matchtest", name, |side| side.run([&["matchtest"], words].concat()))
}

#[test]
fn a_line_that_matches_has_a_plus() {
    let case = shown("plus", &["* fatal: *", "a fatal: b"]);
    assert_eq!(case.ours().run.stdout, b"+* fatal: * (a fatal: b)\n");
    case.same();
}

#[test]
fn a_line_that_does_not_match_has_a_minus() {
    let case = shown("minus", &["* fatal: *", "a b fatal: c"]);
    assert_eq!(case.ours().run.stdout, b"-* fatal: * (a b fatal: c)\n");
    case.same();
}

#[test]
fn words_that_are_not_there_are_empty() {
    shown("nothing", &[]).same();
    shown("no-line", &["*"]).same();
    shown("no-line-wanted", &["x"]).same();
}

#[test]
fn further_words_and_dashes_do_not_matter() {
    shown("further", &["-a", "-a", "x"]).same();
    shown("two-stars", &["**", "a*b"]).same();
    shown("newline", &["a*", "a\nb"]).same();
}
