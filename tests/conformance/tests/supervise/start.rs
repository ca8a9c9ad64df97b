//! How a supervise begins, and what its service finds.

use std::os::unix::fs::PermissionsExt;

use harness::{Side, case, until};

use crate::services::{
    SLEEPER, TALKER, comes_up, holds, is_supervised, listing, process, service, shows, states,
    status, supervise, supervised, svc,
};

#[test]
fn exactly_one_directory_is_wanted() {
    case(|side| side.run(["supervise"])).same();
    case(|side| side.run(["supervise", "sv", "sv"])).same();
}

#[test]
fn a_directory_that_cannot_be_entered_is_fatal() {
    case(|side| side.run(["supervise", "nonexistent"])).same();
    case(|side| {
        side.write("file", "");
        side.run(["supervise", "file"])
    })
    .same();
}

#[test]
fn files_that_cannot_be_used_are_fatal() {
    case(|side| {
        side.directory("sv");
        std::os::unix::fs::symlink("down", side.path().join("sv/down")).unwrap();
        side.run(["supervise", "sv"])
    })
    .same();
    case(|side| {
        side.write("sv/supervise", "");
        side.run(["supervise", "sv"])
    })
    .same();
    for name in ["lock", "control"] {
        case(|side| {
            side.directory(&format!("sv/supervise/{name}"));
            side.run(["supervise", "sv"])
        })
        .same_stderr()
        .same();
    }
}

#[test]
fn a_second_supervise_is_refused() {
    let case = case(|side| {
        supervised(side, "sv", SLEEPER);
        side.run(["supervise", "sv"])
    });
    let _ = case.same_stdout().same_stderr().same_exit();
}

#[test]
fn its_files_are_those_of_the_original() {
    let case = case(|side| {
        service(side, "sv", "exec true\n");
        let mut supervise = supervise(side, "sv");
        svc(side, "-dx", "sv");
        assert_eq!(supervise.ends(), 0);
        side.run(["true"])
    });
    let expected = [
        "fifo 0600 sv/supervise/control",
        "file 0600 sv/supervise/lock",
        "fifo 0600 sv/supervise/ok",
        "file 0644 sv/supervise/state",
        "file 0644 sv/supervise/status",
    ];
    assert_eq!(listing(case.ours(), "sv/supervise"), expected);
    assert_eq!(case.ours().files.0["sv/supervise"].mode, 0o700);
    if let Some(original) = case.original() {
        let ours = listing(case.ours(), "sv");
        let others: Vec<_> = ours.into_iter().filter(|line| !line.ends_with("/state")).collect();
        assert_eq!(listing(original, "sv"), others);
    }
}

#[test]
fn a_link_to_nothing_is_followed_and_its_target_made() {
    for side in [Some(Side::ours()), Side::debian()].into_iter().flatten() {
        side.directory("state");
        service(&side, "sv", SLEEPER);
        let state = side.path().join("state/sv");
        std::os::unix::fs::symlink(&state, side.path().join("sv/supervise")).unwrap();
        side.keep(supervise(&side, "sv"));
        comes_up(&side, "sv", 0);
        let mode = std::fs::metadata(&state).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
        assert!(state.join("status").is_file());
    }
}

#[test]
fn a_service_that_cannot_be_written_keeps_its_state_elsewhere() {
    let side = Side::ours();
    side.directory("state");
    service(&side, "sv", "touch here 2> ../said; exec sleep 600\n");
    std::os::unix::fs::symlink("../state/sv", side.path().join("sv/supervise")).unwrap();
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    if side.run([&unshare[..], &["true"]].concat()).exit != 0 {
        return harness::skipped_for("user and mount namespaces (unshare)");
    }
    let see = "mount --bind sv sv && mount -o remount,bind,ro sv && exec supervise sv";
    let words = [&unshare[..], &["sh", "-c", see]].concat();
    let mut supervise = side.command(words).start_in_background();
    is_supervised(&side, "sv");
    let old = comes_up(&side, "sv", 0);
    holds(&side, "said", "Read-only file system\n");
    svc(&side, "-t", "sv");
    comes_up(&side, "sv", old);
    states(&side, "sv", "signal 15\n");
    svc(&side, "-dx", "sv");
    assert_eq!((supervise.ends(), supervise.stderr()), (0, vec![]));
}

#[test]
fn a_file_named_down_keeps_the_service_down() {
    let _ = case(|side| {
        service(side, "sv", "echo up >> log\n");
        side.write("sv/down", "");
        side.keep(supervise(side, "sv"));
        shows(side, "sv", "sv: down S seconds\n");
        assert_eq!(side.read("sv/log"), b"");
        svc(side, "-o", "sv");
        holds(side, "sv/log", "up\n");
        shows(side, "sv", "sv: down S seconds\n");
        side.run(["cat", "sv/log"])
    })
    .same_stdout();
}

/// A run script that shows what it finds.
const CURIOUS: &str = "\
echo \"$0 $# $(pwd | sed 's,.*/\\([^/]*/\\),\\1,') $VARIABLE\"
read -r line; echo \"stdin $line\"
ls /proc/self/fd
grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
umask
echo over
exec sleep 600
";

#[test]
fn the_service_finds_what_supervise_was_given() {
    let _ = case(|side| {
        service(side, "sv", CURIOUS);
        let supervise = side.command(["supervise", "sv"]).env("VARIABLE", "value").stdin("line\n");
        let supervise = supervise.start_in_background();
        supervise.says("over");
        is_supervised(side, "sv");
        harness::Run { stdout: supervise.stdout(), stderr: supervise.stderr(), exit: 0 }
    })
    .same_stdout()
    .same_stderr();
}

#[test]
fn the_service_is_in_the_group_and_session_of_its_supervise() {
    for side in [Some(Side::ours()), Side::debian()].into_iter().flatten() {
        service(&side, "sv", SLEEPER);
        let supervise = supervise(&side, "sv");
        let pid = comes_up(&side, "sv", 0);
        let (_, _, group, session) = process(supervise.pid()).unwrap();
        let (_, parent, its_group, its_session) = process(pid).unwrap();
        assert_eq!((parent, its_group, its_session), (supervise.pid(), group, session));
        side.keep(supervise);
    }
}

#[test]
fn a_program_that_cannot_be_run_is_told_every_second_and_is_down() {
    for make in [
        "true",
        "mkdir sv/run",
        "echo x > sv/run",
        "printf '#!/nonexistent' > sv/run; chmod 755 sv/run",
    ] {
        let case = case(|side| {
            side.directory("sv");
            assert_eq!(side.run(["sh", "-c", make]).exit, 0);
            let supervise = supervise(side, "sv");
            let twice = || String::from_utf8_lossy(&supervise.stderr()).lines().count() >= 2;
            assert!(until(twice), "{}", supervise.stderr().escape_ascii());
            let text = String::from_utf8(supervise.stderr()).unwrap();
            if side.is_ours() {
                shows(side, "sv", "sv: down S seconds, normally up, want up\n");
                assert_eq!(status(side, "sv"), (0, 0, b'u'));
            }
            side.keep(supervise);
            let lines: Vec<&str> = text.lines().take(2).collect();
            side.run(["printf", "%s\n", lines[0], lines[1]])
        });
        let _ = case.same_stdout();
    }
}

#[test]
fn a_program_that_is_wanted_once_and_cannot_be_run_is_told_once() {
    let case = case(|side| {
        side.directory("sv");
        side.write("sv/down", "");
        let supervise = supervise(side, "sv");
        shows(side, "sv", "down");
        svc(side, "-o", "sv");
        let told = || supervise.stderr().ends_with(b"\n");
        assert!(until(told), "{}", supervise.stderr().escape_ascii());
        // By then a second attempt would have come.
        let is_later = || {
            let said = String::from_utf8(side.run(["svstat", "sv"]).stdout).unwrap();
            (2..600).any(|age| said == format!("sv: down {age} seconds\n"))
        };
        assert!(until(is_later));
        let text = String::from_utf8(supervise.stderr()).unwrap();
        side.keep(supervise);
        side.run(["printf", "%s", &text])
    });
    let _ = case.same_stdout();
}

#[test]
fn a_program_that_is_made_later_is_started() {
    let side = Side::ours();
    side.directory("sv");
    side.keep(supervise(&side, "sv"));
    shows(&side, "sv", "want up");
    service(&side, "new", TALKER);
    std::fs::rename(side.path().join("new/run"), side.path().join("sv/run")).unwrap();
    comes_up(&side, "sv", 0);
    holds(&side, "sv/log", "up\n");
}

#[test]
fn a_status_that_cannot_be_written_is_warned_of() {
    for name in ["status.new", "status"] {
        let _ = case(|side| {
            service(side, "sv", SLEEPER);
            side.directory(&format!("sv/supervise/{name}"));
            let supervise = side.command(["supervise", "sv"]).start_in_background();
            is_supervised(side, "sv");
            let text = String::from_utf8(supervise.stderr()).unwrap();
            side.keep(supervise);
            side.run(["echo", text.lines().next().unwrap()])
        })
        .same_stdout();
    }
}

#[test]
fn without_processes_it_waits_and_obeys() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    side.mode("sv", 0o777);
    let words = ["setuidgid", "nobody", "softlimit", "-p", "0", "supervise", "sv"];
    let skip = if unix::Uid::effective().is_root() { 0 } else { 2 };
    let mut supervise = side.command(&words[skip..]).start_in_background();
    supervise.hears("\n");
    let said =
        "supervise: warning: unable to fork for sv, sleeping 60 seconds: temporary failure\n";
    assert_eq!(String::from_utf8(supervise.stderr()).unwrap(), said);
    is_supervised(&side, "sv");
    assert_eq!(status(&side, "sv"), (0, 0, b'u'));
    svc(&side, "-dx", "sv");
    assert_eq!(supervise.ends(), 0);
}
