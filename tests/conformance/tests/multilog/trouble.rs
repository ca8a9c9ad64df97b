//! Disks that are full, files that others remove, names that are in the way.

use std::fs;

use harness::{Background, Run, Side, case, skipped_for, until};
use unix::signal::Signal;

use crate::{ended, everything, holds, old_names, once, started, tell};

/// `multilog` with a disk of its own, of 64 KiB, at `disk`, which the file `disk/filler` fills; and where it
/// can be seen from here.
fn on_a_full_disk(side: &Side) -> Option<(Background, std::path::PathBuf)> {
    if !unix::Uid::effective().is_root() {
        skipped_for("root, to mount a small disk");
        return None;
    }
    side.directory("disk");
    let script = "mount -t tmpfs -o size=64k none disk && mkdir disk/log && \
                  exec multilog ./disk/log";
    let program = side.command(["unshare", "-m", "sh", "-c", script]).converse();
    let disk = format!("/proc/{}/root{}/disk", program.pid(), side.path().display());
    let disk = std::path::PathBuf::from(disk);
    assert!(until(|| disk.join("log/current").exists()), "no log");
    let _ = fs::write(disk.join("filler"), vec![0; 1 << 20]); // as much as there is room for
    assert_eq!(fs::metadata(disk.join("log/current")).unwrap().len(), 0);
    Some((program, disk))
}

const FULL: &str =
    "multilog: warning: unable to write to ./disk/log/current, pausing: out of disk space\n";

#[test]
fn a_full_disk_is_waited_for() {
    case(|side| {
        let Some((mut program, disk)) = on_a_full_disk(side) else {
            return side.run(["true"]);
        };
        tell(&mut program, "one\n");
        program.hears(FULL);
        fs::remove_file(disk.join("filler")).unwrap();
        tell(&mut program, "two\n");
        assert!(until(|| fs::read(disk.join("log/current")).unwrap() == b"one\ntwo\n"));
        once(ended(program))
    })
    .same_exit()
    .same_stderr();
}

#[test]
fn term_on_a_full_disk_waits_until_the_lines_are_written() {
    let side = Side::ours();
    let Some((mut program, disk)) = on_a_full_disk(&side) else { return };
    tell(&mut program, "one\n");
    program.hears(FULL);
    program.signal(Signal::SIGTERM);
    // It looks again at once, rather than after five seconds.
    program.hears(&FULL.repeat(2));
    let current = fs::File::open(disk.join("log/current")).unwrap();
    fs::remove_file(disk.join("filler")).unwrap();
    assert_eq!(program.ends(), 0);
    assert_eq!(std::io::read_to_string(current).unwrap(), "one\n");
}

/// The original hangs here for ever.
#[test]
fn a_directory_named_like_an_old_file_is_left_alone() {
    let side = Side::ours();
    side.directory("log/@000000000000000000000000");
    side.directory("log/@zzzzzzzzzzzzzzzzzzzzzzzz");
    let input = format!("{}\n", "x".repeat(4000));
    for _ in 0..3 {
        let run = side.command(["multilog", "s4096", "n2", "./log"]).stdin(&input).run();
        assert_eq!((run.exit, run.stderr.escape_ascii().to_string()), (0, String::new()));
    }
    assert_eq!(old_names(&side, "log").len(), 3);
}

/// The original hangs here for ever, too.
#[test]
fn an_old_file_that_cannot_be_removed_is_told_and_left() {
    let side = Side::ours();
    if !unix::Uid::effective().is_root() {
        return skipped_for("root, to mount a file");
    }
    let name = "@000000000000000000000000.s";
    side.write(&format!("log/{name}"), "old\n");
    let script = format!("mount --bind log/{name} log/{name} && exec multilog s4096 n2 ./log");
    let input = format!("{}\n", "x".repeat(4000));
    let run = side.command(["unshare", "-m", "sh", "-c", &script]).stdin(input).run();
    let told = format!("multilog: warning: unable to remove ./log/{name}: device busy\n");
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (0, told));
}

/// The original writes to the removed file until the next turn-over, and then hangs.
#[test]
fn a_current_that_is_removed_is_begun_again() {
    let side = Side::ours();
    let mut program = started(&side, &["./log"]);
    tell(&mut program, "one\n");
    holds(&side, "log", "one\n");
    fs::remove_file(side.path().join("log/current")).unwrap();
    tell(&mut program, "two\n");
    holds(&side, "log", "two\n");
    program.signal(Signal::SIGALRM);
    assert!(until(|| old_names(&side, "log").len() == 1));
    // The next one is made a moment later.
    assert!(until(|| fs::remove_file(side.path().join("log/current")).is_ok()));
    program.signal(Signal::SIGALRM);
    tell(&mut program, "three\n");
    assert_eq!(ended(program).exit, 0);
    assert_eq!(everything(&side, "log"), "two\nthree\n");
}

#[test]
fn a_log_that_is_removed_is_made_again() {
    let side = Side::ours();
    let mut program = started(&side, &["./log"]);
    tell(&mut program, "one\n");
    holds(&side, "log", "one\n");
    fs::remove_dir_all(side.path().join("log")).unwrap();
    tell(&mut program, "two\n");
    holds(&side, "log", "two\n");
    assert_eq!(ended(program).exit, 0);
    let locked = started(&side, &["./log"]);
    assert_eq!(side.run(["multilog", "./log"]).exit, 111);
    drop(locked);
}

#[test]
fn a_reader_that_removes_old_files_costs_no_other() {
    let side = Side::ours();
    let mut program = started(&side, &["n4", "./log"]);
    for number in 0..20 {
        tell(&mut program, &format!("{number}\n"));
        holds(&side, "log", &format!("{number}\n"));
        let before = old_names(&side, "log").pop();
        program.signal(Signal::SIGALRM);
        assert!(until(|| old_names(&side, "log").pop() > before), "not turned over");
        if number % 3 == 0 {
            let name = old_names(&side, "log").pop().unwrap();
            fs::remove_file(side.path().join("log").join(name)).unwrap();
        }
    }
    assert_eq!(ended(program), Run { stdout: Vec::new(), stderr: Vec::new(), exit: 0 });
    assert_eq!(everything(&side, "log"), "16\n17\n19\n");
}

#[test]
fn a_limit_on_the_size_of_files_is_waited_for_too() {
    let side = Side::ours();
    let script = "ulimit -f 8; exec multilog s1000000 ./log";
    let mut program = side.command(["sh", "-c", script]).converse();
    tell(&mut program, &"a line\n".repeat(2000));
    program.hears("multilog: warning: unable to write to ./log/current, pausing: file too big\n");
}

#[test]
fn an_input_that_cannot_be_read_has_ended() {
    case(|side| side.run(["sh", "-c", "exec multilog ./log < ."]))
        .differing_stderr("multilog: warning: unable to read input: is a directory\n", "")
        .same_exit()
        .same_files();
}

#[test]
fn an_input_that_does_not_wait_is_waited_for() {
    let side = Side::ours();
    assert_eq!(side.run(["mkfifo", "input"]).exit, 0);
    // Debian's smallest system has perl, and no python.
    let script = "use Fcntl;\n\
                  sysopen(IN, 'input', O_RDWR | O_NONBLOCK) or die;\n\
                  open(STDIN, '<&', 'IN') or die;\n\
                  exec 'multilog', './log'";
    let mut program = side.command(["perl", "-e", script]).start_in_background();
    assert!(until(|| side.path().join("log/current").exists()));
    fs::write(side.path().join("input"), "one\n").unwrap();
    holds(&side, "log", "one\n");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
}

#[test]
fn term_leaves_a_turn_over_that_cannot_be_ended() {
    let side = Side::ours();
    let mut program = started(&side, &["s4096", "!cat", "./log"]);
    side.directory("log/previous/in-the-way");
    let text = format!("{}\n", "x".repeat(3000));
    tell(&mut program, &text);
    program.hears(
        "multilog: warning: unable to rename current to previous in directory ./log, pausing: \
         is a directory\n",
    );
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 111);
    assert_eq!(side.read("log/current"), text.as_bytes());
    fs::remove_dir_all(side.path().join("log/previous")).unwrap();
    assert_eq!(side.run(["multilog", "./log"]).exit, 0);
    assert_eq!(everything(&side, "log"), text);
}
