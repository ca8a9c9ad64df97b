//! envuidgid beside the original.

use harness::{Side, case};

#[test]
fn an_account_and_a_program_are_needed() {
    case(|side| side.run(["envuidgid"])).same();
    case(|side| side.run(["envuidgid", "root"])).same();
}

#[test]
fn an_account_that_nobody_has_is_unknown() {
    case(|side| side.run(["envuidgid", "no-such-account", "true"])).same();
}

#[test]
fn the_numbers_are_in_the_environment() {
    case(|side| side.run(["envuidgid", "root", "printenv", "UID", "GID"])).same();
    case(|side| side.run(["envuidgid", "nobody", "printenv", "UID", "GID"])).same();
}

#[test]
fn variables_of_that_name_are_replaced() {
    case(|side| {
        let script = "env | grep -E '^(UID|GID|KEPT)='";
        side.command(["envuidgid", "nobody", "/bin/sh", "-c", script])
            .env("UID", "7")
            .env("GID", "8")
            .env("KEPT", "yes")
            .run()
    })
    .normalised(sorted)
    .same();
}

/// The lines of an escaped text in order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive("\\n").collect();
    lines.sort_unstable();
    lines.concat()
}

#[test]
fn nothing_else_changes() {
    case(|side| side.run(["envuidgid", "nobody", "id", "-u"])).same();
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| side.run(["envuidgid", "root", "./nonexistent"])).same();
}

#[test]
fn numbers_and_another_group_are_passed_on() {
    let side = Side::ours();
    for (account, said) in [(":7300:7400:8", "7300\n7400\n"), ("root:7400", "0\n7400\n")] {
        let run = side.run(["envuidgid", account, "printenv", "UID", "GID"]);
        assert_eq!(String::from_utf8(run.stdout).unwrap(), said);
    }
}
