//! setuser: the program of that name in daemontools-encore, which is more than that of daemontools 0.53.

use harness::{Run, Side, recorded, skipped_for};

fn is_root() -> bool {
    let root = unix::Uid::effective().is_root();
    if !root {
        skipped_for("root, to become another account");
    }
    root
}

#[test]
fn an_account_and_a_program_are_needed() {
    for words in [&["setuser"][..], &["setuser", "root"]] {
        let run = Side::ours().run(words);
        assert_eq!(run.stderr, b"setuser: usage: setuser account child\n");
        assert_eq!(run.exit, 100);
    }
}

#[test]
fn an_account_that_nobody_has_is_unknown() {
    recorded("setuser", "unknown", |side| side.run(["setuser", "no-such-account", "true"]))
        .differing_stderr(
            "setuser: fatal: unknown account no-such-account\n",
            "setuser: fatal: unknown username no-such-account\n",
        )
        .same_exit();
}

/// Runs setuser where /etc/passwd and /etc/group are these.
fn within(passwd: &str, group: &str, words: &[&str]) -> Run {
    let side = Side::ours();
    side.write("passwd", passwd);
    side.write("group", group);
    side.directory("home");
    let see = "mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec \"$@\"";
    let words = [&["unshare", "-m", "sh", "-c", see, "-", "setuser"], words].concat();
    side.command(words).env("HOME", "/somewhere").env("KEPT", "yes").run()
}

const SHOW: &str = "id -u; id -g; id -G; pwd; echo $HOME $SHELL $USER $UID $GID $KEPT";

#[test]
fn numbers_groups_home_and_environment_are_the_account_s() {
    if is_root() {
        let passwd = "root:x:0:0::/root:/bin/sh\njoe:x:7100:7200:Joe,,:/tmp:/bin/false\n";
        let group = "root:x:0:\nmail:x:8:ann,joe\njoe:x:7200:joe\nnews:x:9:joey\n";
        let run = within(passwd, group, &["joe", "sh", "-c", SHOW]);
        assert_eq!(run.stderr.escape_ascii().to_string(), "");
        let expected = "7100\n7200\n7200 8\n/tmp\n/tmp /bin/false joe 7100 7200 yes\n";
        assert_eq!(String::from_utf8(run.stdout).unwrap(), expected);
    }
}

#[test]
fn a_home_that_is_not_there_is_fatal() {
    if is_root() {
        let run = within("joe:x:7100:7200::/nonexistent:/bin/sh\n", "", &["joe", "echo", "wrong"]);
        let said =
            "setuser: fatal: unable to switch to directory /nonexistent: file does not exist\n";
        assert_eq!(String::from_utf8(run.stderr).unwrap(), said);
        assert_eq!((run.stdout, run.exit), (vec![], 111));
    }
}

#[test]
fn who_is_not_root_cannot_become_another() {
    let side = Side::ours();
    let run = side.command(["setuser", "root", "echo", "wrong"]).as_user().run();
    let said = String::from_utf8(run.stderr).unwrap();
    let refused = "setuser: fatal: unable to setgid: permission denied\n";
    let homeless = "setuser: fatal: unable to switch to directory /root: access denied\n";
    assert!([refused, homeless].contains(&said.as_str()), "{said}");
    assert_eq!((run.stdout, run.exit), (vec![], 111));
}
