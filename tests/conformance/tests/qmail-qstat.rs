//! qmail-qstat beside the recordings of the original.

use std::fs;

use harness::{Run, Side, recorded};

/// What a program wrote, as text.
fn said(run: &Run) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

fn queue(side: &Side, files: &[&str]) {
    for area in ["mess/0", "mess/7", "mess/22", "todo"] {
        fs::create_dir_all(side.home().join("queue").join(area)).expect("a directory");
    }
    for file in files {
        side.host_file(&format!("queue/{file}"), "");
    }
}

#[test]
fn messages_are_counted() {
    for (name, files) in
        [("empty", &[][..]), ("several", &["mess/7/421", "mess/22/45", "mess/0/23", "todo/23"])]
    {
        recorded("qmail-qstat", name, |side| {
            queue(side, files);
            side.run(["qmail-qstat"])
        })
        .same();
    }
}

#[test]
fn a_queue_that_cannot_be_counted_is_not_an_empty_one() {
    let side = Side::ours();
    let run = side.run(["qmail-qstat"]);
    assert_eq!((run.exit, said(&run)), (111, String::new()));
    fs::create_dir_all(side.home().join("queue/mess")).expect("a directory");
    let run = side.run(["qmail-qstat"]);
    let text = b"qmail-qstat: fatal: unable to read queue/todo\n";
    assert_eq!(
        (run.exit, run.stdout.as_slice(), run.stderr.as_slice()),
        (111, &b""[..], &text[..])
    );
    let run = side.run(["qmail-qstat", "more"]);
    assert_eq!((run.exit, run.stderr), (100, b"qmail-qstat: usage: qmail-qstat\n".to_vec()));
}
