//! qmail-rcptcheck-realrcptto. The original belongs to a collection that Debian has not; its exit codes are
//! those of the variable `RCPTCHECK`.

use harness::Side;

fn check(side: &Side, recipient: &str) -> i32 {
    side.command(["qmail-rcptcheck-realrcptto"]).env("RECIPIENT", recipient).run().exit
}

#[test]
fn the_exit_code_says_whether_somebody_has_it() {
    let side = Side::ours();
    side.control("me", "here.test\n");
    side.host_file("alias/.qmail-root", "");
    assert_eq!(check(&side, "Root@here.test"), 0);
    assert_eq!(check(&side, "nobody-at-all@here.test"), 100);
    assert_eq!(check(&side, "x@there.test"), 0);
    side.host_file("users/cdb", "torn");
    assert_eq!(check(&side, "nobody-at-all@here.test"), 111);
}

#[test]
fn it_looks_where_qmail_smtpd_does() {
    let side = Side::ours();
    side.control("me", "here.test\n");
    side.host_file("lists/few", "joe@here.test\n");
    let ends = |recipient: &str, variable: &str, value: &str| {
        let command = side.command(["qmail-rcptcheck-realrcptto"]).env("RECIPIENT", recipient);
        command.env(variable, value).run().exit
    };
    assert_eq!(ends("nobody-at-all@here.test", "CHECKRECIPIENT", "1"), 100);
    assert_eq!(ends("nobody-at-all@here.test", "CHECKRECIPIENT", "0"), 0);
    assert_eq!(ends("joe@here.test", "VALIDRCPTTO", "lists/few"), 0);
    assert_eq!(ends("ann@here.test", "VALIDRCPTTO", "lists/few"), 100);
    assert_eq!(ends("joe@here.test", "VALIDRCPTTO", "lists/missing"), 111);
    side.control("checkrecipient", "0\n");
    assert_eq!(ends("nobody-at-all@here.test", "X", ""), 0);
}

#[test]
fn it_must_be_told_whom_to_look_for() {
    let run = Side::ours().run(["qmail-rcptcheck-realrcptto"]);
    assert_eq!(run.exit, 111);
    assert_eq!(run.stderr, b"qmail-rcptcheck-realrcptto: fatal: RECIPIENT not set\n");
}
