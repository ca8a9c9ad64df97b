//! setuidgid beside the original.

use harness::{Run, Side, case, skipped_for};

fn is_root() -> bool {
    let root = unix::Uid::effective().is_root();
    if !root {
        skipped_for("root, to become another account");
    }
    root
}

#[test]
fn an_account_and_a_program_are_needed() {
    for words in [&["setuidgid"][..], &["setuidgid", "nobody"]] {
        case(|side| side.run(words)).same_stdout().same_exit().differing_stderr(
            "setuidgid: usage: setuidgid [ -s ] account child\n",
            "setuidgid: usage: setuidgid account child\n",
        );
    }
}

#[test]
fn an_account_that_nobody_has_is_unknown() {
    case(|side| side.run(["setuidgid", "no-such-account", "true"])).same();
    case(|side| side.run(["setuidgid", "", "true"])).same();
}

#[test]
fn the_program_has_the_accounts_numbers_and_one_group() {
    if is_root() {
        case(|side| side.run(["setuidgid", "nobody", "id"])).same();
        case(|side| side.run(["setuidgid", "daemon", "id"])).same();
    }
}

#[test]
fn environment_and_directory_stay() {
    if is_root() {
        case(|side| {
            side.command([
                "setuidgid",
                "nobody",
                "sh",
                "-c",
                "pwd; env | grep -vE '^(PATH|QMAILHOME|PWD|OLDPWD|_)=' | sort",
            ])
            .env("KEPT", "yes")
            .env("HOME", "/somewhere")
            .run()
        })
        .same();
    }
}

#[test]
fn who_is_not_root_cannot_become_another() {
    if is_root() {
        case(|side| {
            // From where everybody may read it.
            let script = "cp \"$0\" /tmp/setuidgid.$$ && chmod 755 /tmp/setuidgid.$$ && \
                          /tmp/setuidgid.$$ nobody /tmp/setuidgid.$$ root id; \
                          code=$?; rm /tmp/setuidgid.$$; exit $code";
            let program = side.programs().join("setuidgid");
            side.run(["sh", "-c", script, &program.to_string_lossy()])
        })
        .same();
    }
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    if is_root() {
        case(|side| side.run(["setuidgid", "root", "./nonexistent"])).same();
    }
}

#[test]
fn accounts_that_cannot_be_looked_up_are_not_called_unknown() {
    if is_root() {
        case(|side| {
            // The memory of a process that is gone by then cannot be opened.
            let script = "mount --bind /proc/self/mem /etc/passwd && exec setuidgid daemon true";
            side.run(["unshare", "-m", "sh", "-c", script])
        })
        .differing_stderr(
            "setuidgid: fatal: unable to look up daemon: no such process\n",
            "setuidgid: fatal: unknown account daemon\n",
        )
        .same_exit();
    }
}

/// Runs ours where /etc/passwd and /etc/group are these.
fn within(words: &[&str]) -> Run {
    let side = Side::ours();
    side.write("passwd", "root:x:0:0::/root:/bin/sh\njoe:x:7100:7200:Joe,,:/tmp:/bin/false\n");
    side.write("group", "root:x:0:\nmail:x:8:ann,joe\njoe:x:7200:joe\nnews:x:9:joey\n");
    let see = "mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec \"$@\"";
    side.run([&["unshare", "-m", "sh", "-c", see, "-"], words].concat())
}

/// What `id` says of the user, the group, and all groups of who runs as `account`.
fn numbers(account: &[&str]) -> String {
    let show = ["sh", "-c", "echo $(id -u; id -g; id -G)"];
    let run = within(&[&["setuidgid"], account, &show].concat());
    assert_eq!((run.stderr.escape_ascii().to_string(), run.exit), (String::new(), 0));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn other_groups_can_be_joined_or_named() {
    if is_root() {
        assert_eq!(numbers(&["joe"]), "7100 7200 7200\n");
        assert_eq!(numbers(&["-s", "joe"]), "7100 7200 7200 8\n");
        assert_eq!(numbers(&["joe:mail"]), "7100 8 8\n");
        assert_eq!(numbers(&["joe:news:joe:7"]), "7100 9 9 7 7200\n");
        assert_eq!(numbers(&["-s", "joe:news"]), "7100 9 9 8 7200\n");
    }
}

#[test]
fn numbers_need_not_be_anybody_s() {
    if is_root() {
        assert_eq!(numbers(&[":7300:7400"]), "7300 7400 7400\n");
        assert_eq!(numbers(&[":7300:7400:8:7500"]), "7300 7400 7400 8 7500\n");
    }
}

#[test]
fn an_account_with_a_colon_must_make_sense() {
    let side = Side::ours();
    for (account, said, exit) in [
        ("nobody:", "unable to understand account nobody:\n", 100),
        (":7", "unable to understand account :7\n", 100),
        (":root:root", "unable to understand account :root:root\n", 100),
        ("root:no-such-group", "unknown group no-such-group\n", 111),
        ("no-such-account:root", "unknown account no-such-account\n", 111),
    ] {
        for program in ["setuidgid", "envuidgid"] {
            let run = side.run([program, account, "true"]);
            let said = format!("{program}: fatal: {said}");
            assert_eq!((String::from_utf8(run.stderr).unwrap(), run.exit), (said, exit));
        }
    }
    let run = side.run(["setuidgid", "-s", ":7:8", "true"]);
    let said = "setuidgid: fatal: unable to join groups of :7:8: it has no name\n";
    assert_eq!((String::from_utf8(run.stderr).unwrap().as_str(), run.exit), (said, 100));
}
