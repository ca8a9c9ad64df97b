//! qmail-tcpok beside the recordings of the original.

use std::fs;

use harness::{Run, Side, recorded};

/// Runs it on tables with something in them; they are then files of the case.
fn clear(side: &Side) -> Run {
    side.host_file("queue/lock/tcpto", [7; 1024]);
    let run = side.run(["qmail-tcpok"]);
    side.write("tcpto", fs::read(side.home().join("queue/lock/tcpto")).expect("the table"));
    run
}

#[test]
fn every_host_is_forgotten() {
    recorded("qmail-tcpok", "clear", clear).same();
    let side = Side::ours();
    side.host_file("queue/lock/tcpto6", [7; 2048]);
    assert_eq!(clear(&side).exit, 0);
    assert_eq!(side.read("tcpto"), [0; 1024]);
    assert_eq!(fs::read(side.home().join("queue/lock/tcpto6")).expect("a table"), [0; 2048]);
}

#[test]
fn without_a_table_there_is_nothing_to_forget() {
    let side = Side::ours();
    fs::create_dir_all(side.home().join("queue/lock")).expect("a directory");
    let run = side.run(["qmail-tcpok"]);
    assert_eq!((run.exit, run.stderr), (0, Vec::new()));
    assert!(!side.home().join("queue/lock/tcpto").exists());
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let side = Side::ours();
    let lock = side.home().join("queue/lock");
    let run = side.run(["qmail-tcpok"]);
    let expected =
        format!("qmail-tcpok: fatal: unable to chdir to {}: file does not exist\n", lock.display());
    assert_eq!((run.exit, run.stderr), (111, expected.into_bytes()));
}
