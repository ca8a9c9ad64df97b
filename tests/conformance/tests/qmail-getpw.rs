//! qmail-getpw beside the recordings of the original. Only what does not depend on the machine's accounts
//! is compared; what does is shown in a mount namespace of our own.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;

use harness::{Run, Side, recorded, skipped_for, strace};
use unix::Uid;
use unix::user::User;

/// The strings, with a bar behind each.
fn ask(side: &Side, local: &str) -> (i32, String) {
    let run = side.run(["qmail-getpw", local]);
    assert_eq!(run.stderr, b"");
    (run.exit, String::from_utf8(run.stdout).unwrap().replace('\0', "|"))
}

#[test]
fn wrong_usage() {
    recorded("qmail-getpw", "usage", |side| side.run(["qmail-getpw"])).same();
}

/// In a private home the alias user is the caller.
#[test]
fn what_nobody_has_is_the_alias_user_s() {
    let side = Side::ours();
    let (uid, gid) = (Uid::current(), unix::Gid::current());
    let alias = |ext: &str| {
        (0, format!("alias|{uid}|{gid}|{}|-|{ext}|", side.home().join("alias").display()))
    };
    for local in ["root", "no.such.account", "Root-x", "", "-", "a\nb"] {
        assert_eq!(ask(&side, local), alias(local));
    }
    let long = "x".repeat(100_000);
    assert_eq!(ask(&side, &long), alias(&long));
}

#[test]
fn an_ordinary_user_of_a_private_home_is_his_own() {
    let Ok(Some(user)) = User::from_uid(Uid::current()) else {
        return skipped_for("the tests' user has no account");
    };
    if user.uid.is_root() || fs::metadata(&user.home).is_err() {
        return skipped_for("only an ordinary user with a home receives mail");
    }
    let side = Side::ours();
    let name = String::from_utf8(user.name.clone()).unwrap();
    let (exit, text) = ask(&side, &format!("{}-Ext", name.to_uppercase()));
    assert_eq!(exit, 0);
    assert!(text.starts_with(&format!("{name}|{}|", user.uid)) && text.ends_with("|-|Ext|"));
}

/// Accounts of a machine that exists only for one command. `joe` and `joe-owner` own their homes,
/// `squat` does not, `gone` has none, `Upper` is never asked for.
const PASSWD: &str = "root:x:0:0::WORK/root:/bin/sh\n\
                      joe:x:5001:6001::WORK/joe:/bin/sh\n\
                      joe-owner:x:5002:6002::WORK/owner:/bin/sh\n\
                      squat:x:5003:6003::WORK/joe:/bin/sh\n\
                      gone:x:5004:6004::WORK/gone:/bin/sh\n\
                      Upper:x:5001:6001::WORK/joe:/bin/sh\n\
                      abcdefghijklmnopqrstuvwxyz01234:x:5001:6001::WORK/joe:/bin/sh\n\
                      abcdefghijklmnopqrstuvwxyz012345:x:5001:6001::WORK/joe:/bin/sh\n";
const ALIAS: &str = "alias:x:5009:6009::WORK/alias:/bin/sh\n";

const LOCALS: [&str; 19] = [
    "joe",
    "JOE",
    "joe-",
    "joe-Ext-Two",
    "joe-owner",
    "joe-owner-x",
    "joe-owners",
    "joe.x",
    "squat",
    "squat-joe",
    "gone",
    "upper",
    "Upper",
    "root",
    "root-joe",
    "abcdefghijklmnopqrstuvwxyz01234",
    "abcdefghijklmnopqrstuvwxyz01234-x",
    "abcdefghijklmnopqrstuvwxyz012345",
    "-joe",
];

/// Asks for each of the local parts on a machine with these accounts.
fn on_machine(side: &Side, passwd: &str) -> Run {
    for (home, uid) in [("joe", 5001), ("owner", 5002), ("root", 0), ("alias", 5009)] {
        side.directory(home);
        chown(side.path().join(home), Some(uid), None).unwrap();
    }
    side.write("passwd", passwd.replace("WORK", &side.path().display().to_string()));
    side.write("nsswitch", "passwd: files\ngroup: files\n");
    let script = "mount --bind passwd /etc/passwd && mount --bind nsswitch /etc/nsswitch.conf
        for local; do
          printf '%s: ' \"$local\"; qmail-getpw \"$local\" | tr '\\000' '|'; echo
          qmail-getpw \"$local\" > /dev/null; code=$?; [ $code = 0 ] || echo exit $code
        done";
    let words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
    let run = side.command([&words[..], &LOCALS].concat()).unset("QMAILHOME").run();
    for name in ["passwd", "nsswitch"] {
        fs::remove_file(side.path().join(name)).unwrap();
    }
    run
}

/// Whether a command can be given accounts of its own here.
fn is_possible() -> bool {
    if !Uid::current().is_root() {
        skipped_for("only root can give a command accounts of its own");
        return false;
    }
    let possible = Side::ours().run(["unshare", "--mount", "true"]).exit == 0;
    if !possible {
        skipped_for("mount namespaces");
    }
    possible
}

#[test]
fn the_longest_account_that_owns_its_home_is_the_owner() {
    if !is_possible() {
        return;
    }
    recorded("qmail-getpw", "accounts", |side| on_machine(side, &format!("{PASSWD}{ALIAS}")))
        .same();
}

/// The accounts of other sources are asked of getent(1), which stands for a directory that is down.
#[test]
fn while_accounts_cannot_be_looked_up_nothing_belongs_to_anybody_else() {
    if !is_possible() {
        return;
    }
    let side = Side::ours();
    side.write("nsswitch", "passwd: files ldap\n");
    side.script("getent", "#!/bin/sh\nexit 1\n");
    let script = "mount --bind nsswitch /etc/nsswitch.conf && mount --bind getent /usr/bin/getent
        exec qmail-getpw no-such-account";
    let words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script];
    let run = side.run(words);
    assert_eq!((run.exit, run.stdout, run.stderr), (118, vec![], vec![]));
    side.script("getent", "#!/bin/sh\nexit 2\n");
    let run = side.run(words);
    assert_eq!((run.exit, run.stderr), (0, vec![]));
    assert!(run.stdout.starts_with(b"alias\0"));
}

/// Otherwise the mail would be the alias user's for as long as the file server is away.
#[test]
fn a_home_that_is_away_keeps_the_mail_waiting() {
    let Some(strace) = strace().filter(|_| is_possible()) else { return };
    let side = Side::ours();
    side.directory("joe");
    chown(side.path().join("joe"), Some(5001), None).unwrap();
    side.write("passwd", PASSWD.replace("WORK", &side.path().display().to_string()));
    let script = "mount --bind passwd /etc/passwd && exec \"$@\"";
    let ends = |error: &str| {
        let inject = format!("inject=?stat,?newfstatat,?statx:error={error}");
        let mut words: Vec<OsString> =
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
                .map(OsString::from)
                .into();
        words.extend(strace.iter().cloned());
        words.extend(["-o".into(), "/dev/null".into(), "-e".into(), inject.into(), "-P".into()]);
        words.push(side.path().join("joe").into());
        words.extend([side.program("qmail-getpw").into(), "joe-x".into()]);
        side.command(words).unset("QMAILHOME").run().exit
    };
    for error in ["ESTALE", "EIO", "ETIMEDOUT"] {
        assert_eq!(ends(error), 115, "{error}");
    }
    // Who has no home at all is nobody: the alias user is asked for, and there is none.
    assert_eq!(ends("ENOENT"), 116);
}

#[test]
fn without_an_alias_user_what_nobody_has_is_nobody_s() {
    if !is_possible() {
        return;
    }
    recorded("qmail-getpw", "no-alias", |side| on_machine(side, PASSWD)).same();
}
