//! qmail-newmrh beside the recordings of the original.

use std::fs;

use harness::{Run, Side, recorded};
use lookup::cdb::Cdb;

/// Compiles `hosts`; the database is then a file of the case.
fn compile(side: &Side, hosts: &str) -> Run {
    side.control("morercpthosts", hosts);
    let run = side.run(["qmail-newmrh"]);
    if let Ok(bytes) = fs::read(side.home().join("control/morercpthosts.cdb")) {
        side.write("cdb", bytes);
    }
    run
}

/// The same bytes, so that the original's qmail-smtpd reads what ours writes.
#[test]
fn the_database_is_the_original_s_byte_for_byte() {
    for (name, hosts) in [
        ("hosts", "Example.TEST \t\n\n# none\n.Example.org\nlast.example"),
        ("nobody", "#\n \n"),
        ("empty", ""),
    ] {
        recorded("qmail-newmrh", name, |side| {
            let run = compile(side, hosts);
            let sum = side.run(["cksum", "cdb"]); // most of a database is zero bytes
            fs::remove_file(side.path().join("cdb")).expect("the database");
            Run { stdout: sum.stdout, ..run }
        })
        .same();
    }
}

#[test]
fn hosts_are_found_in_lower_case() {
    let side = Side::ours();
    assert_eq!(compile(&side, "Example.TEST\n.example.org\n").exit, 0);
    let cdb = Cdb::open(&side.path().join("cdb")).expect("a database");
    for (key, there) in [("example.test", true), (".example.org", true), ("Example.TEST", false)] {
        assert_eq!(cdb.find(key.as_bytes()).expect("a lookup").is_some(), there, "{key}");
    }
}

#[test]
fn without_the_list_the_old_database_stays() {
    recorded("qmail-newmrh", "missing", |side| {
        side.control("morercpthosts.cdb", "old\n");
        let run = side.run(["qmail-newmrh"]);
        let left = fs::read(side.home().join("control/morercpthosts.cdb"));
        side.write("cdb", left.expect("the old database"));
        run
    })
    .same();
}

#[test]
fn what_cannot_be_written_is_told() {
    recorded("qmail-newmrh", "unwritable", |side| {
        side.control("morercpthosts", "a\n");
        let aside = side.home().join("control/morercpthosts.tmp");
        fs::create_dir(&aside).expect("a directory");
        let run = side.run(["qmail-newmrh"]);
        fs::remove_dir(&aside).expect("the directory");
        run
    })
    .same();
}
