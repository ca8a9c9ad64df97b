//! envini: daemontools-encore's, as its manual tells. Debian has none to compare with; its own suite runs
//! in `tests/e2e`.

use harness::{Run, Side};

const FILE: &str = "\
; comment
broken
 Message = This is a test.
[sect]
Message=This is only a test.\x20\x20
[other]
Inherited=
";

/// What the variables are with `file` as envi.
fn shown(file: &str, options: &[&str], script: &str) -> Run {
    let side = Side::ours();
    side.write("envi", file);
    let words = [&["envini"], options, &["envi", "sh", "-c", script]].concat();
    side.command(words).env("Inherited", "yes").env("other_Inherited", "no").run()
}

#[test]
fn variables_are_added_by_section() {
    let script = "echo \"$Message|$sect_Message|$Inherited|${other_Inherited-unset}\"";
    let run = shown(FILE, &[], script);
    assert_eq!(run.stdout, b"This is a test.|This is only a test.|yes|\n");
    assert_eq!((run.stderr, run.exit), (vec![], 0));
}

#[test]
fn a_prefix_stands_before_every_name() {
    let script = "echo \"$Message|$p_Message|$p_sect_Message\"";
    let run = shown(FILE, &["-p", "p_"], script);
    assert_eq!(run.stdout, b"|This is a test.|This is only a test.\n");
}

#[test]
fn a_file_and_a_program_are_needed() {
    for words in [&["envini"][..], &["envini", "whatever"], &["envini", "-p"]] {
        let run = Side::ours().run(words);
        let said = String::from_utf8(run.stderr).unwrap();
        let usage = "envini: usage: envini [ -p prefix ] inifile child\n";
        assert!(said.ends_with(usage), "{said}");
        assert_eq!(run.exit, 111);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_fatal() {
    let run = Side::ours().run(["envini", "nonexistent", "echo", "wrong"]);
    assert_eq!(run.stderr, b"envini: fatal: unable to read nonexistent: file does not exist\n");
    assert_eq!((run.stdout, run.exit), (vec![], 111));
    let run = Side::ours().run(["envini", ".", "echo", "wrong"]);
    assert_eq!(run.stderr, b"envini: fatal: unable to read .: is a directory\n");
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    let run = Side::ours().run(["envini", "/dev/null", "./nonexistent"]);
    assert_eq!(run.stderr, b"envini: fatal: unable to run ./nonexistent: file does not exist\n");
    assert_eq!(run.exit, 111);
}
