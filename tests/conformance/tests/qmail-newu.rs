//! qmail-newu beside the recordings of the original.

use std::fs;

use harness::{Case, Run, Side, recorded};
use lookup::cdb::Cdb;

/// Compiles `assign`; users/cdb is then a file of the case.
fn compile(side: &Side, assign: &str) -> Run {
    side.host_file("users/assign", assign);
    let run = side.run(["qmail-newu"]);
    for name in ["cdb", "cdb.tmp"] {
        if let Ok(bytes) = fs::read(side.home().join("users").join(name)) {
            side.write(name, bytes);
        }
    }
    run
}

fn case(name: &str, assign: &str) -> Case {
    recorded("qmail-newu", name, |side| compile(side, assign))
}

const USERS: &str = "=joe.shmoe:joe:507:100:/home/joe:::\n\
                     +joe-:joe:507:100:/home/joe:-::\n\
                     =Sue:sue:508:100:/home/sue:-:default:x:y\n\
                     +sue.:sue:508:100:/home/sue:-:list-:\n\
                     +:alias:7790:2108:/var/qmail/alias:-::\n\
                     =sue:other:509:100:/home/other:::\n\
                     xann:ann:510:100:/home/ann:::\n\
                     .\nrubbish\n";

/// The same bytes, so that the original's qmail-lspawn reads what ours writes.
#[test]
fn the_database_is_the_original_s_byte_for_byte() {
    case("users", USERS).same();
    case("nobody", ".\n").same();
    case("no-newline", "=joe:joe:507:100:/home/joe:::\n.").same();
    let mut many = Vec::new();
    for number in 0..300 {
        many.push(format!("=u{number}:u{number}:{number}:100:/home/u{number}:::\n"));
    }
    let many = format!("{}.\n", many.concat());
    recorded("qmail-newu", "many", |side| {
        let run = compile(side, &many);
        // A recording need not hold all of it.
        let sum = side.run(["cksum", "cdb"]);
        fs::remove_file(side.path().join("cdb")).unwrap();
        Run { stdout: sum.stdout, ..run }
    })
    .same();
}

#[test]
fn what_is_no_assignment_is_refused() {
    for (name, assign) in [
        ("no-end", "=joe:joe:507:100:/home/joe:::\n"),
        ("empty", ""),
        ("no-colon", "joe\n.\n"),
        ("colon-first", ":joe:507:100:/home/joe::::\n.\n"),
        ("six-colons", "=joe:joe:507:100:/home/joe::\n.\n"),
        ("blank-line", "\n.\n"),
        ("zero-byte", "=joe:joe:507:100:/home/joe:\0::\n.\n"),
        ("cut-line", "=joe:joe:507:100:/home/joe:::"),
    ] {
        // The original leaves what it has written in users/cdb.tmp.
        let case = case(name, assign).same_exit().same_stdout().same_stderr();
        assert!(case.ours().files.0.is_empty(), "{name}");
    }
}

#[test]
fn an_error_leaves_the_old_database() {
    let side = Side::ours();
    assert_eq!(compile(&side, USERS).exit, 0);
    let old = side.read("cdb");
    assert_eq!(compile(&side, "rubbish\n").exit, 111);
    assert!(side.read("cdb") == old);
    assert!(!side.home().join("users/cdb.tmp").exists());
}

#[test]
fn what_cannot_be_opened() {
    recorded("qmail-newu", "no-assign", |side| side.run(["qmail-newu"])).same();
    let side = Side::ours();
    side.host_file("users/assign", ".\n");
    let run = side.command(["qmail-newu"]).env("QMAILHOME", side.path().join("missing")).run();
    assert_eq!((run.exit, run.stderr), (111, b"qmail-newu: fatal: unable to chdir\n".to_vec()));
    fs::create_dir(side.home().join("users/cdb.tmp")).unwrap();
    let run = side.run(["qmail-newu"]);
    let text = b"qmail-newu: fatal: unable to open users/cdb.tmp\n";
    assert_eq!((run.exit, run.stderr), (111, text.to_vec()));
    fs::remove_dir(side.home().join("users/cdb.tmp")).unwrap();
    fs::create_dir_all(side.home().join("users/cdb/x")).unwrap();
    let run = side.run(["qmail-newu"]);
    let text = b"qmail-newu: fatal: unable to move users/cdb.tmp to users/cdb\n";
    assert_eq!((run.exit, run.stderr), (111, text.to_vec()));
}

#[test]
fn an_upper_case_wildcard_is_listed_as_it_is_looked_for() {
    let side = Side::ours();
    assert_eq!(compile(&side, "+JOE:joe:507:100:/home/joe:-::\n.\n").exit, 0);
    let cdb = Cdb::open(&side.path().join("cdb")).unwrap();
    assert_eq!(cdb.find(b"").unwrap(), Some(b"e".to_vec()));
    assert!(cdb.find(b"!joe").unwrap().is_some());
}

#[test]
fn everybody_may_read_it() {
    recorded("qmail-newu", "mode", |side| {
        side.host_file("users/assign", ".\n");
        let path = side.home().join("users").display().to_string();
        let script = "umask 077; qmail-newu && stat -c %a \"$0/cdb\"";
        side.run(["sh", "-c", script, &path])
    })
    .same();
}
