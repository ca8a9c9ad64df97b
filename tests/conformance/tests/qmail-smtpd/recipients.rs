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

/// A program that writes down who is asked about, and refuses some.
const CHECK: &str = r#"#!/bin/sh
echo "$RECIPIENT ${RCPTFOUND-0} ${RCPTHOSTS-0}" >> asked
case $RECIPIENT in
  root@*) echo "552 mailbox full (#5.2.2)" >&4; exit 100 ;;
  list-*) echo "250 yes" >&4; exit 100 ;;
  *@there.test) exit 100 ;;
esac
"#;

/// What ours says, and what the program in the home was asked. The original asks nobody.
fn checked(controls: &[(&str, &str)], env: &[(&str, &str)]) -> (Run, String) {
    let alone = checked_on(&Side::ours(), controls, env);
    let kept = checked_on(&Side::kept(), controls, env);
    assert_eq!((hears(&kept.0), &kept.1), (hears(&alone.0), &alone.1));
    kept
}

fn checked_on(side: &Side, controls: &[(&str, &str)], env: &[(&str, &str)]) -> (Run, String) {
    side.host_file("check", CHECK);
    side.host_file("knows", "#!/bin/sh\nread -r it <&3; test \"$it\" = root@here.test\n");
    for program in ["check", "knows"] {
        let path = side.home().join(program).display().to_string();
        assert_eq!(side.run(["chmod", "+x", &path]).exit, 0);
    }
    let run = converse(side, controls, env);
    let asked = std::fs::read_to_string(side.home().join("asked")).unwrap_or_default();
    (run, asked)
}

fn hears(run: &Run) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

const FULL: &str = "552 mailbox full (#5.2.2)";
const ODD: &str = "451 temporary problem (#4.4.2)";

#[test]
fn a_program_may_word_the_refusal_and_is_told_what_is_known() {
    let (run, asked) = checked(&[], &[("RCPTCHECK", "check")]);
    assert_eq!(asked, "root@here.test 1 1\nRoot@here.test 1 1\nlist-owner@here.test 1 1\n");
    assert_eq!(hears(&run), said([FULL, OK, NOBODY, ODD, NOBODY, FOREIGN]));
}

#[test]
fn a_program_is_asked_about_what_is_relayed_where_that_is_wanted() {
    let relay = [("RCPTCHECK", "check"), ("RELAYCLIENT", "")];
    for value in ["", "0"] {
        let (_, asked) = checked(&[], &[&relay[..], &[("RCPTCHECKRELAYCLIENT", value)]].concat());
        assert_eq!(asked, "");
    }
    let (run, asked) = checked(&[], &[&relay[..], &[("RCPTCHECKRELAYCLIENT", "1")]].concat());
    assert!(asked.starts_with("root@here.test 0 1\n"), "{asked}");
    assert!(asked.ends_with("\nx@there.test 0 0\n"), "{asked}");
    assert_eq!(hears(&run), said([FULL, OK, OK, ODD, OK, NOBODY]));
}

#[test]
fn programs_may_be_listed_for_all_clients() {
    let (run, _) = checked(&[("rcptchecks", "# none\ncheck\n")], &[]);
    assert_eq!(hears(&run), said([FULL, OK, NOBODY, ODD, NOBODY, FOREIGN]));
}

#[test]
fn a_client_that_guesses_too_often_is_sent_away() {
    let list = ("validrcptto", "x@here.test\n");
    let rcpt = ["a", "b", "x"].map(|name| format!("RCPT TO:<{name}@here.test>\r\n"));
    let turns = [&["MAIL FROM:<a@b>\r\n"][..], &rcpt.each_ref().map(String::as_str)].concat();
    let goodbye = "421 too many invalid addresses, goodbye (#4.3.0)";
    for (controls, env) in [
        (&[list, ("brtlimit", "2\n")][..], &[][..]),
        (&[list, ("brtlimit", "0\n")], &[("BRTLIMIT", "2")]),
    ] {
        let run = ours(&Setup { controls, env }, &turns);
        let replies = ["220 mail.test ESMTP", OK, NOBODY, NOBODY, goodbye, ""].join("\r\n");
        assert_eq!((hears(&run), run.exit), (replies, 1));
    }
}

#[test]
fn each_domain_may_have_somebody_who_knows_its_recipients() {
    let rules = ("recipients", "@here.test|./knows\n@there.test:users/there.cdb\n");
    let (run, _) = checked(&[rules, ("rcpthosts", "here.test\nthere.test\n")], &[]);
    // There is no such database.
    let later = "451 unable to verify recipient (#4.3.0)";
    assert_eq!(hears(&run), said([OK, OK, NOBODY, NOBODY, NOBODY, later]));
}

#[test]
fn what_a_client_says_is_no_function_of_the_shell() {
    let side = Side::ours();
    side.host_file("check", "#!/bin/sh\necho \"$HELO+$SENDER+$RECIPIENT\" > asked\n");
    let path = side.home().join("check").display().to_string();
    assert_eq!(side.run(["chmod", "+x", &path]).exit, 0);
    let turns = [
        "HELO () { h\0; }\r\n",
        "MAIL FROM:<() { s; }@b>\r\n",
        "RCPT TO:<() { r; }@here.test>\r\n",
        "QUIT\r\n",
    ];
    let controls = [("locals", "here.test\n"), ("checkrecipient", "0\n")];
    let run = talk(&side, &Setup { controls: &controls, env: &[("RCPTCHECK", "check")] }, &turns);
    let asked = std::fs::read_to_string(side.home().join("asked")).unwrap();
    assert_eq!(asked, "_) { h?; }+_) { s; }@b+_) { r; }@here.test\n");
    let heard = ["220 mail.test ESMTP", "250 mail.test", OK, OK, "221 mail.test", ""];
    assert_eq!((hears(&run), run.exit), (heard.join("\r\n"), 0));
}

#[test]
fn a_limit_that_cannot_be_read_ends_the_session() {
    let side = Side::ours();
    std::fs::create_dir_all(side.home().join("control/brtlimit")).unwrap();
    let controls = [("validrcptto", "x@here.test\n")];
    let turns = ["MAIL FROM:<a@b>\r\n", "RCPT TO:<a@here.test>\r\n", "RCPT TO:<x@here.test>\r\n"];
    let run = talk(&side, &Setup { controls: &controls, env: &[] }, &turns);
    let trouble = "421 unable to read controls (#4.3.0)";
    let heard = ["220 mail.test ESMTP", OK, NOBODY, trouble, ""].join("\r\n");
    assert_eq!((hears(&run), run.exit), (heard, 1));
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(log.contains("unable to read control/brtlimit: "), "{log}");
}

#[test]
fn a_list_that_is_named_and_missing_takes_nobody() {
    let env = [("VALIDRCPTTO", "control/missing")];
    let turns = ["MAIL FROM:<a@b>\r\n", "RCPT TO:<a@here.test>\r\n", "QUIT\r\n"];
    let run = ours(&Setup { controls: &[], env: &env }, &turns);
    let later = "451 unable to verify recipient (#4.3.0)";
    let heard = ["220 mail.test ESMTP", OK, later, "221 mail.test", ""];
    assert_eq!(hears(&run), heard.join("\r\n"));
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(log.contains("unable to look a recipient up: control/missing does not exist"), "{log}");
}
