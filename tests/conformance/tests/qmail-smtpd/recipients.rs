//! Recipients of which it is known that nobody has them.

use super::*;

/// A host that delivers here.test itself, to what its alias files say.
fn converse(side: &Side, controls: &[(&str, &str)], env: &[(&str, &str)]) -> Run {
    let getpw = side.home().join("bin/qmail-getpw");
    if !getpw.exists() {
        std::fs::create_dir_all(side.home().join("bin")).unwrap();
        std::os::unix::fs::symlink(side.program("qmail-getpw"), &getpw).unwrap();
    }
    side.host_file("alias/.qmail-root", "");
    side.host_file("alias/.qmail-list-default", "");
    let controls = [&[("locals", "here.test\n"), ("checkrecipient", "missing")], controls].concat();
    let recipients = ["root", "Root", "nobody-at-all", "list-owner", "list"];
    let rcpt: Vec<String> =
        recipients.iter().map(|name| format!("RCPT TO:<{name}@here.test>\r\n")).collect();
    let mut turns = vec!["MAIL FROM:<a@b>\r\n"];
    turns.extend(rcpt.iter().map(String::as_str));
    turns.extend(["RCPT TO:<x@there.test>\r\n", "QUIT\r\n"]);
    talk(side, &Setup { controls: &controls, env }, &turns)
}

fn said(replies: [&str; 6]) -> String {
    format!("220 mail.test ESMTP\r\n250 ok\r\n{}\r\n221 mail.test\r\n", replies.join("\r\n"))
}

const OK: &str = "250 ok";
const NOBODY: &str = "550 sorry, no mailbox here by that name (#5.1.1)";
const FOREIGN: &str = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";

#[test]
fn a_recipient_that_nobody_has_is_refused() {
    let case = recorded("qmail-smtpd", "nobody", |side| converse(side, &[], &[]));
    let ours = said([OK, OK, NOBODY, OK, NOBODY, FOREIGN]);
    let theirs = said([OK, OK, OK, OK, OK, FOREIGN]);
    let log = String::from_utf8(case.ours().run.stderr.clone()).unwrap();
    assert!(log.contains("nobody-at-all@here.test"), "{log}");
    let _ = case.same_exit().differing_stdout(&ours, &theirs);
}

#[test]
fn the_administrator_may_take_every_recipient() {
    let case = recorded("qmail-smtpd", "nobody-is-taken", |side| {
        converse(side, &[("checkrecipient", "0\n")], &[])
    });
    let _ = case.same_exit().same_stdout();
}

#[test]
fn a_client_that_may_relay_is_not_asked() {
    let case = recorded("qmail-smtpd", "nobody-relayed", |side| {
        converse(side, &[], &[("RELAYCLIENT", "")])
    });
    let _ = case.same_exit().same_stdout();
}

#[test]
fn a_list_and_a_program_may_say_who_there_is() {
    let list = [("validrcptto", "list-owner@here.test\n")];
    let case = recorded("qmail-smtpd", "listed", |side| converse(side, &list, &[]));
    let ours = said([NOBODY, NOBODY, NOBODY, OK, NOBODY, FOREIGN]);
    let _ = case.differing_stdout(&ours, &said([OK, OK, OK, OK, OK, FOREIGN]));

    let case = recorded("qmail-smtpd", "asked", |side| {
        side.script(
            "check",
            "#!/bin/sh\ntest \"$RECIPIENT\" = root@here.test && exit 100\nexit 0\n",
        );
        let run = converse(side, &[], &[("RCPTCHECK", "WORK/check")]);
        std::fs::remove_file(side.path().join("check")).unwrap();
        run
    });
    let ours = said([NOBODY, OK, NOBODY, OK, NOBODY, FOREIGN]);
    let _ = case.differing_stdout(&ours, &said([OK, OK, OK, OK, OK, FOREIGN]));
}

#[test]
fn accounts_that_cannot_be_read_are_a_temporary_failure() {
    let case = recorded("qmail-smtpd", "torn", |side| {
        side.host_file("users/cdb", "torn");
        converse(side, &[], &[])
    });
    let later = "451 unable to verify recipient (#4.3.0)";
    let ours = said([later, later, later, later, later, FOREIGN]);
    let _ = case.differing_stdout(&ours, &said([OK, OK, OK, OK, OK, FOREIGN]));
}
