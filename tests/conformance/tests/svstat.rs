//! svstat beside the original.

#[path = "svstat/forms.rs"]
mod forms;
mod services;
#[path = "svstat/whole.rs"]
mod whole;

use harness::{Case, Run, Side, case};
use services::{SLEEPER, Story, same_story, service, shows, supervise, supervised, svc};

#[test]
fn without_directories_it_says_nothing() {
    case(|side| side.run(["svstat"])).same();
}

/// Runs svstat on `sv`, for which somebody reads `ok`, and whose status is `status`, in printf's words.
fn shown(status: &str, normally_down: bool) -> Case {
    case(|side| {
        side.directory("sv/supervise");
        if normally_down {
            side.write("sv/down", "");
        }
        let script = format!(
            "mkfifo sv/supervise/ok; exec 3<>sv/supervise/ok; printf '{status}' > \
             sv/supervise/status; svstat sv"
        );
        side.run(["sh", "-c", &script])
    })
}

/// A time still to come, which is shown as 0 seconds; octal because printf is the shell's.
const LATER: &str = r"\100\0\0\0\377\0\0\0\0\0\0\0";

#[test]
fn every_situation_has_its_words() {
    let pid = r"\1\1\0\0";
    let none = r"\0\0\0\0";
    let all = [(pid, "up (pid 257) 0 seconds", true), (none, "down 0 seconds", false)];
    for (pid, words, is_up) in all {
        for paused in [r"\0", r"\1"] {
            for want in ["u", "d", r"\0", "x"] {
                for normally_down in [false, true] {
                    let case = shown(&format!("{LATER}{pid}{paused}{want}"), normally_down);
                    let expected = [
                        ("sv: ", true),
                        (words, true),
                        (", normally down", is_up && normally_down),
                        (", normally up", !is_up && !normally_down),
                        (", paused", is_up && paused == r"\1"),
                        (", want up", !is_up && want == "u"),
                        (", want down", is_up && want == "d"),
                        ("\n", true),
                    ];
                    let expected: String =
                        expected.iter().filter(|(_, is)| *is).map(|(text, _)| *text).collect();
                    case.differing_stdout(&expected, &expected).same();
                }
            }
        }
    }
}

#[test]
fn what_successors_append_is_ignored() {
    shown(&format!(r"{LATER}\1\1\0\0\0u\3\0"), false).same();
}

#[test]
fn a_large_process_number_is_shown() {
    shown(&format!(r"{LATER}\377\377\377\0\0u"), false).same();
}

#[test]
fn a_status_that_is_too_short_has_a_bad_format() {
    for status in ["", "short", r"\100\0\0\0\377\0\0\0\0\0\0\0\1\1\0\0\0"] {
        let words = "sv: unable to read supervise/status: bad format\n";
        let _ = shown(status, false).differing_stdout(words, words).differing_exit(111, 0);
    }
}

#[test]
fn trouble_is_told_in_the_line() {
    let case = case(|side| {
        side.write("file", "");
        side.directory("never");
        side.directory("loop");
        std::os::unix::fs::symlink("down", side.path().join("loop/down")).unwrap();
        side.write("odd/supervise", "");
        service(side, "over", SLEEPER);
        side.write("over/down", "");
        let mut supervise = supervise(side, "over");
        svc(side, "-x", "over");
        assert_eq!(supervise.ends(), 0);
        side.run(["svstat", "nonexistent", "file", "never", "loop", "odd", "over", ""])
    });
    let case = case.same_stdout().same_stderr().differing_exit(111, 0);
    let stdout = String::from_utf8(case.ours().run.stdout.clone()).unwrap();
    let expected = [
        "nonexistent: unable to chdir: file does not exist",
        "file: unable to chdir: not a directory",
        "never: unable to open supervise/ok: file does not exist",
        "loop: unable to stat down: symbolic link loop",
        "odd: unable to open supervise/ok: not a directory",
        "over: supervise not running",
        ": unable to chdir: file does not exist",
    ];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
}

/// Runs svstat on `sv`, for which somebody reads `ok`, and whose status is made by a command.
fn made(command: &str) -> Case {
    case(|side| {
        side.directory("sv/supervise");
        let make = "mkfifo sv/supervise/ok; exec 3<>sv/supervise/ok";
        side.run(["sh", "-c", &format!("{make}; {command}; exec svstat sv")])
    })
}

#[test]
fn a_status_that_cannot_be_opened_or_read_is_trouble() {
    let missing = "sv: unable to open supervise/status: file does not exist\n";
    let _ = made("true").differing_stdout(missing, missing).differing_exit(111, 0);
    // The original shows what happens to be in its memory.
    let case = made("mkdir sv/supervise/status");
    let ours = &case.ours().run;
    let said = "sv: unable to read supervise/status: is a directory\n";
    assert_eq!((String::from_utf8_lossy(&ours.stdout).as_ref(), ours.exit), (said, 111));
}

/// A service that nobody supervises.
fn unsupervised(side: &Side, env: Option<&str>) -> Run {
    side.directory("sv");
    let command = side.command(["svstat", "sv"]);
    env.map_or(side.command(["svstat", "sv"]), |name| command.env(name, "")).run()
}

#[test]
fn a_service_without_supervise_is_100_and_a_variable_makes_it_0() {
    let _ = case(|side| unsupervised(side, None)).same_stdout().differing_exit(100, 0);
    case(|side| unsupervised(side, Some("SVEXIT0"))).same();
}

#[test]
fn a_service_is_followed_from_up_to_down() {
    same_story(|side: &Side, story: &mut Story| {
        supervised(side, "sv", SLEEPER);
        shows(side, "sv", "up (pid PID) S seconds\n");
        story.svstat(side, "sv");
        svc(side, "-p", "sv");
        shows(side, "sv", "paused");
        story.svstat(side, "sv");
        // It ends only when it goes on.
        side.write("sv/down", "");
        svc(side, "-c", "sv");
        shows(side, "sv", "seconds, normally down\n");
        story.svstat(side, "sv");
        svc(side, "-d", "sv");
        shows(side, "sv", "down S seconds\n");
        story.svstat(side, "sv");
    });
}

#[test]
fn the_original_understands_our_supervise_and_ours_the_original() {
    let (ours, Some(original)) = (Side::ours(), Side::debian()) else {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
        return;
    };
    for (watched, watcher) in [(&ours, &original), (&original, &ours)] {
        supervised(watched, "sv", SLEEPER);
        let path = watched.path().join("sv").into_os_string().into_string().unwrap();
        shows(watcher, &path, "sv: up (pid PID) S seconds\n");
        svc(watched, "-p", "sv");
        shows(watcher, &path, "seconds, paused\n");
        svc(watched, "-d", "sv");
        shows(watcher, &path, "sv: down S seconds, normally up\n");
        svc(watched, "-x", "sv");
        shows(watcher, &path, "sv: supervise not running\n");
    }
}

#[test]
fn the_working_directory_need_not_be_readable() {
    let is_root = unix::Uid::effective().is_root();
    for program in ["svstat", "svc"] {
        let case = case(|side| {
            side.directory("closed");
            side.directory("sv");
            side.mode("closed", 0o311);
            let path = side.path().join("sv").into_os_string().into_string().unwrap();
            let words: &[&str] = if is_root { &["setuidgid", "nobody"] } else { &[] };
            let run =
                side.command([words, &[program, &path]].concat()).in_directory("closed").run();
            side.mode("closed", 0o755);
            run
        });
        let told = [case.ours().run.stdout.clone(), case.ours().run.stderr.clone()].concat();
        assert!(String::from_utf8_lossy(&told).ends_with(": file does not exist\n"));
        if let Some(original) = case.original() {
            let fatal =
                format!("{program}: fatal: unable to open current directory: access denied\n");
            assert_eq!(String::from_utf8_lossy(&original.run.stderr), fatal);
        }
    }
}
