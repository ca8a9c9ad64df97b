//! qmail-tcpto beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// What a program wrote, as text.
fn said(run: &Run) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// A table with `records` at its start.
fn table(records: &[[u8; 16]]) -> Vec<u8> {
    let mut table = records.concat();
    table.resize(1024, 0);
    table
}

fn host(number: u8, count: u8) -> [u8; 16] {
    [192, 0, 2, number, count, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0]
}

fn list(name: &str, table: &[u8]) -> Case {
    let without_age = |text: &str| {
        let words = text.split(' ').map(|word| {
            let is_age = word.len() > 6 && word.bytes().all(|byte| byte.is_ascii_digit());
            if is_age { "AGE" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    recorded("qmail-tcpto", name, |side| {
        side.host_file("queue/lock/tcpto", table);
        side.run(["qmail-tcpto"])
    })
    .normalised(without_age)
}

#[test]
fn hosts_that_did_not_answer_are_listed() {
    list("hosts", &table(&[host(1, 1), host(2, 0), host(3, 10)])).same();
    list("nobody", &table(&[])).same();
}

#[test]
fn a_table_that_is_short_is_read_as_far_as_it_goes() {
    list("empty", b"").same();
    list("short", &table(&[host(1, 1), host(2, 2)])[..31]).same();
}

#[test]
fn hosts_with_ipv6_are_listed_behind() {
    let side = Side::ours();
    side.host_file("queue/lock/tcpto", table(&[host(1, 1)]));
    let mut six = [0; 2048];
    six[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
    (six[15], six[16]) = (9, 3);
    side.host_file("queue/lock/tcpto6", six);
    let text = said(&side.run(["qmail-tcpto"]));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("192.0.2.1 timed out "), "{text}");
    assert!(lines[1].starts_with("2001:db8::9 timed out "), "{text}");
    assert!(lines[1].ends_with(" seconds ago; # recent timeouts: 3"), "{text}");
}

#[test]
fn who_may_only_read_may_look() {
    let side = Side::ours();
    side.host_file("queue/lock/tcpto", table(&[host(1, 1)]));
    let path = side.home().join("queue/lock/tcpto").display().to_string();
    assert_eq!(side.run(["chmod", "0444", &path]).exit, 0);
    let run = side.command([side.program("qmail-tcpto")]).as_user().run();
    assert_eq!(run.exit, 0, "{}", said(&run));
    assert!(said(&run).starts_with("192.0.2.1 timed out "));
}

#[test]
fn without_a_table_it_says_so() {
    let side = Side::ours();
    let text = "fatal: unable to chdir: file does not exist\n";
    let run = side.run(["qmail-tcpto"]);
    assert_eq!((run.exit, said(&run)), (111, text.into()));
    recorded("qmail-tcpto", "missing", |side| {
        std::fs::create_dir_all(side.home().join("queue/lock")).expect("a directory");
        let script = "mv $0/tcpto $0/gone 2>/dev/null
            qmail-tcpto; code=$?; mv $0/gone $0/tcpto 2>/dev/null; exit $code";
        let lock = side.home().join("queue/lock");
        side.run(["sh".into(), "-c".into(), script.into(), lock.into_os_string()])
    })
    .same();
}
