//! setuidgid beside the original.

use harness::{case, skipped_for};

fn is_root() -> bool {
    let root = unix::Uid::effective().is_root();
    if !root {
        skipped_for("root, to become another account");
    }
    root
}

#[test]
fn an_account_and_a_program_are_needed() {
    case(|side| side.run(["setuidgid"])).same();
    case(|side| side.run(["setuidgid", "nobody"])).same();
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
