//! The files of a log, and when they turn over.

use std::os::unix::fs::symlink;

use harness::{Run, Side, case, until};

use crate::{ended, everything, holds, mode, old_names, started, tell, without_times};

fn lines(count: usize) -> String {
    let line = |number| format!("{number:05} some text up to forty bytes in all\n");
    (0..count).map(line).collect::<Vec<_>>().concat()
}

/// Everything but the names and sizes of old files: what they hold together, and how many there are.
fn summed(side: &Side, run: Run) -> Run {
    let names = old_names(side, "log");
    let text = everything(side, "log");
    let first = text.lines().next().unwrap_or_default().to_owned();
    for name in names {
        let path = side.path().join("log").join(&name);
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length <= 4096, "{name} has {length} bytes");
        assert!(side.read(&format!("log/{name}")).ends_with(b"\n"));
    }
    // Which lines are left depends on how the input came; those that are left are the last.
    let all = lines(2000);
    assert!(all.ends_with(&text), "not the last lines, from {first}");
    run
}

#[test]
fn a_log_is_made_and_closed() {
    case(|side| side.command(["multilog", "./log"]).stdin("one\n").run()).same();
    case(|side| {
        let absolute = side.path().join("log").to_string_lossy().into_owned();
        side.command(["multilog", &absolute]).stdin("one\n").run()
    })
    .same();
}

#[test]
fn a_closed_log_is_appended_to() {
    case(|side| {
        let _ = side.command(["multilog", "./log"]).stdin("one\n").run();
        side.command(["multilog", "./log"]).stdin("two\n").run()
    })
    .same();
}

#[test]
fn a_running_log_has_its_modes() {
    case(|side| {
        let mut program = started(side, &["./log"]);
        tell(&mut program, "one\n");
        holds(side, "log", "one\n");
        let run = side.run(["ls", "-ln", "--time-style=+", "log"]);
        drop(program);
        run
    })
    .same_stdout();
}

#[test]
fn a_directory_above_it_is_not_made() {
    case(|side| side.command(["multilog", "./a/b"]).stdin("one\n").run()).same();
    case(|side| {
        side.write("log", "a file");
        side.command(["multilog", "./log"]).stdin("one\n").run()
    })
    .same();
}

#[test]
fn a_directory_that_is_there_keeps_its_mode() {
    case(|side| {
        side.directory("real");
        symlink("real", side.path().join("log")).unwrap();
        side.command(["multilog", "./log"]).stdin("one\n").run()
    })
    .same();
}

#[test]
fn a_directory_that_may_not_be_used_is_fatal() {
    for mode in [0o000, 0o300, 0o500, 0o600] {
        case(|side| {
            let made = side.run(["sh", "-c", "mkdir -m 755 log; chown 65534 log 2>/dev/null"]);
            assert!(made.stderr.is_empty());
            side.mode("log", mode);
            let run = side.command(["multilog", "./log"]).stdin("one\n").as_user().run();
            side.mode("log", 0o755); // for whoever looks at it and removes it
            run
        })
        .same();
    }
}

#[test]
fn two_multilogs_cannot_use_one_directory() {
    case(|side| {
        let program = started(side, &["./log"]);
        let run = side.command(["multilog", "./log"]).stdin("two\n").run();
        assert_eq!(ended(program).exit, 0);
        run
    })
    .same();
    case(|side| side.command(["multilog", "./log", "./log"]).stdin("one\n").run()).same();
}

#[test]
fn a_line_is_logged_before_the_next_one_comes() {
    case(|side| {
        let mut program = started(side, &["./log"]);
        tell(&mut program, "one\n");
        holds(side, "log", "one\n");
        tell(&mut program, "two\nthr");
        holds(side, "log", "one\ntwo\n");
        tell(&mut program, "ee\n");
        holds(side, "log", "one\ntwo\nthree\n");
        ended(program)
    })
    .same();
}

/// Lines one at a time, so that both see the same writes.
fn one_at_a_time(side: &Side, actions: &[&str]) -> Run {
    let mut program = started(side, actions);
    for line in lines(150).split_inclusive('\n') {
        tell(&mut program, line);
        assert!(until(|| everything(side, "log").ends_with(line)), "{line} is not logged");
    }
    ended(program)
}

#[test]
fn a_file_is_full_when_a_line_ends_close_to_the_size() {
    let sizes = |side: &Side, run: Run| {
        let names = old_names(side, "log");
        let sizes = names.iter().map(|name| side.read(&format!("log/{name}")).len().to_string());
        Run { stdout: sizes.collect::<Vec<_>>().join(" ").into_bytes(), ..run }
    };
    let case = case(|side| sizes(side, one_at_a_time(side, &["s4096", "n9", "./log"])));
    // The first line that ends at 2096 bytes or behind them ends the file.
    assert_eq!(case.ours().run.stdout.escape_ascii().to_string(), "2132 2132");
    let _ = case.same_exit().same_stdout().same_stderr();
}

#[test]
fn a_line_longer_than_a_file_is_cut() {
    let input = "x".repeat(10_000);
    let sizes = case(|side| {
        let run = side.command(["multilog", "s4096", "./log"]).stdin(&input).run();
        let names = old_names(side, "log");
        let sizes = names.iter().map(|name| side.read(&format!("log/{name}")).len().to_string());
        let mut stdout = sizes.collect::<Vec<_>>().join(" ").into_bytes();
        stdout.extend_from_slice(&side.read("log/current"));
        Run { stdout, ..run }
    });
    assert!(sizes.ours().run.stdout.starts_with(b"4096 4096"));
    let _ = sizes.same_exit().same_stdout().same_stderr();
}

#[test]
fn one_old_file_less_than_the_number_is_kept() {
    for (number, kept) in [("n5", 4), ("n2", 1), ("n1", 1), ("n0", 1), ("n", 1)] {
        let case = case(|side| {
            let words = ["multilog", "s4096", number, "./log"];
            let run = summed(side, side.command(words).stdin(lines(2000)).run());
            Run { stdout: old_names(side, "log").len().to_string().into_bytes(), ..run }
        });
        assert_eq!(case.ours().run.stdout, kept.to_string().into_bytes());
        let _ = case.same_exit().same_stdout().same_stderr();
    }
}

#[test]
fn no_line_is_lost_or_torn_by_turning_over() {
    case(|side| {
        let words = ["multilog", "s1", "n9999", "./log"];
        let run = side.command(words).stdin(lines(2000)).run();
        assert_eq!(everything(side, "log"), lines(2000));
        summed(side, run)
    })
    .same_exit()
    .same_stderr();
}

#[test]
fn an_old_file_is_closed_and_named_by_its_time() {
    let case = case(|side| {
        let input = format!("{}\n", "x".repeat(4000));
        let run = side.command(["multilog", "s4096", "./log"]).stdin(input).run();
        let [name] = &old_names(side, "log")[..] else { panic!("one old file") };
        let script = format!("echo {name} | tai64nlocal | cut -c 1-13; date -u '+%Y-%m-%d %H'");
        let hours = String::from_utf8(side.run(["sh", "-c", &script]).stdout).unwrap();
        let (file, now) = hours.split_once('\n').unwrap();
        assert_eq!(file, now.trim_end()); // but for the turn of an hour
        run
    })
    .normalised(without_times);
    assert_eq!(mode(&case.ours().files, "log/@TIME.s"), 0o744);
    case.same();
}

#[test]
fn what_only_looks_like_an_old_file_is_counted_by_its_name() {
    case(|side| {
        let directory = |name: &str| side.write(&format!("log/{name}"), "kept?");
        directory("@short");
        directory("@aaaaaaaaaaaaaaaaaaaaaaaaa");
        directory("@0000000000000000000000000");
        let input = format!("{}\n", "x".repeat(4000));
        side.command(["multilog", "s4096", "n3", "./log"]).stdin(input).run()
    })
    .normalised(without_times)
    .same();
}

#[test]
fn files_from_before_the_clock_was_set_back_go_first() {
    let future = "@4000000fffffffff00000001.s";
    case(|side| {
        side.write(&format!("log/{future}"), "from the future\n");
        let input = format!("{}\n", "x".repeat(4000));
        let run = side.command(["multilog", "s4096", "n2", "./log"]).stdin(input).run();
        let is_there = side.path().join("log").join(future).exists();
        Run { stdout: is_there.to_string().into_bytes(), ..run }
    })
    .differing_stdout("false", "true");
}
