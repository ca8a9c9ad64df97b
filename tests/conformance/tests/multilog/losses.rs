//! Nothing that was read is lost: signals under load, lines without end, readers that remove.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::thread::JoinHandle;

use harness::{Background, Side, until};
use unix::signal::Signal;

use crate::{codes, ended, everything, holds, numbered, old_names, started, tell};

/// A fifo that never ends, with lines on their way into it.
fn fed(side: &Side, text: &str) -> (File, JoinHandle<()>) {
    assert_eq!(side.run(["mkfifo", "input"]).exit, 0);
    let path = side.path().join("input");
    let keep = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (mut fifo, text) = (keep.try_clone().unwrap(), text.to_owned());
    (keep, std::thread::spawn(move || fifo.write_all(text.as_bytes()).unwrap()))
}

fn reading(side: &Side, actions: &str) -> Background {
    let script = format!("exec multilog {actions} ./log <input");
    let program = side.command(["sh", "-c", &script]).start_in_background();
    assert!(until(|| side.path().join("log/current").exists()), "no log");
    program
}

/// Bytes in old files.
fn finished(side: &Side) -> u64 {
    let names = old_names(side, "log");
    let sizes = names.iter().filter_map(|name| {
        std::fs::metadata(side.path().join("log").join(name)).ok() // it may just have been removed
    });
    sizes.map(|metadata| metadata.len()).sum()
}

/// What two multilogs log, of which the first gets `signal` in the middle; and how the first ended.
fn interrupted(text: &str, signal: Signal) -> (String, i32) {
    let side = Side::ours();
    let actions = "s100000 n9999";
    let (_keep, writer) = fed(&side, text);
    let mut first = reading(&side, actions);
    assert!(until(|| finished(&side) >= 500_000), "nothing is logged");
    first.signal(signal);
    let exit = first.ends();
    let mut second = reading(&side, actions);
    writer.join().unwrap();
    let is_over = || everything(&side, "log").ends_with(&text[text.len() - 100..]);
    assert!(until(is_over), "the last line is not logged");
    second.signal(Signal::SIGTERM);
    assert_eq!(second.ends(), 0);
    (everything(&side, "log"), exit)
}

#[test]
fn term_under_load_costs_no_line_and_tears_none() {
    let text = numbered(30_000);
    let (logged, exit) = interrupted(&text, Signal::SIGTERM);
    assert_eq!(exit, 0);
    assert!(logged == text);
}

#[test]
fn other_signals_under_load_cost_no_byte() {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let text = numbered(30_000);
        let (logged, exit) = interrupted(&text, signal);
        assert_eq!(exit, 0);
        // A line that has begun is ended, and the next multilog gets its rest.
        assert!(logged.len() <= text.len() + 1);
        assert!(logged.replace('\n', "") == text.replace('\n', ""), "{signal}");
    }
}

/// What was read in one piece, and not yet written, is all that such an end can cost.
#[test]
fn kill_under_load_costs_no_more_than_what_was_in_hand() {
    let text = numbered(30_000);
    let (logged, exit) = interrupted(&text, Signal::SIGKILL);
    assert_eq!(exit, -9);
    let (mut next, mut lost, mut torn) = (0, 0, 0);
    for line in logged.lines() {
        match line.parse::<usize>() {
            Ok(number) if line.len() == 99 => {
                assert!(number >= next, "{number} stands behind {next}");
                lost += number - next;
                next = number + 1;
            }
            _ => torn += 1,
        }
    }
    assert_eq!(next, 30_000);
    // The piece begins in the middle of a line and ends in one.
    assert!(lost * 100 <= 64 * 1024 + 200 && torn <= 1, "{lost} lines lost, {torn} torn");
}

#[test]
fn alrm_under_load_costs_no_line() {
    let side = Side::ours();
    let text = numbered(30_000);
    let (_keep, writer) = fed(&side, &text);
    let mut program = reading(&side, "s4096 n9999");
    let mut turns = 0;
    while !writer.is_finished() {
        let before = old_names(&side, "log").len();
        program.signal(Signal::SIGALRM);
        assert!(until(|| writer.is_finished() || old_names(&side, "log").len() > before));
        turns += 1;
    }
    writer.join().unwrap();
    assert!(until(|| everything(&side, "log").len() == text.len()));
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
    assert!(everything(&side, "log") == text, "after {turns} signals");
    assert!(codes(&side, "log").iter().all(|code| code == "s"));
}

#[test]
fn a_line_of_a_hundred_megabytes_needs_no_more_memory_than_a_short_one() {
    const SIZE: usize = 100_000_000;
    let side = Side::ours();
    let actions = ["t", "-nothing", "e", "=status", "s16777215", "n99", "./log"];
    let mut program = started(&side, &actions);
    let block = "x".repeat(1_000_000);
    for _ in 0..SIZE / block.len() {
        tell(&mut program, &block);
    }
    assert!(until(|| finished(&side) > 80_000_000), "nothing is logged");
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 16_000, "{peak} kB");
    let run = ended(program);
    assert_eq!((run.exit, run.stderr.len()), (0, 204));
    let current = side.read("log/current").len() as u64;
    assert_eq!(finished(&side) + current, SIZE as u64 + 27);
    assert_eq!(side.read("status").len(), 1001);
}

#[test]
fn a_limit_that_is_lifted_lets_it_go_on() {
    let side = Side::ours();
    let script = "ulimit -S -f 8; exec multilog s1000000 ./log";
    let mut program = side.command(["sh", "-c", script]).converse();
    let text = "a line\n".repeat(2000);
    tell(&mut program, &text);
    program.hears("multilog: warning: unable to write to ./log/current, pausing: file too big\n");
    let pid = program.pid().to_string();
    assert_eq!(side.run(["prlimit", "--pid", &pid, "--fsize=unlimited"]).exit, 0);
    holds(&side, "log", &text);
    assert_eq!(ended(program).exit, 0);
}

#[test]
fn a_state_that_is_removed_is_empty_the_next_time() {
    let side = Side::ours();
    let command = "!cat; wc -c <&4 >&2; echo kept >&5";
    let mut program = started(&side, &["s4096", command, "./log"]);
    let full = format!("{}\n", "x".repeat(4000));
    for (turn, told) in [(1, "0\n"), (2, "0\n5\n"), (3, "0\n5\n0\n")] {
        if turn == 3 {
            std::fs::remove_file(side.path().join("log/state")).unwrap();
        }
        tell(&mut program, &full);
        program.hears(told);
        assert!(until(|| old_names(&side, "log").len() == turn), "not turned over");
    }
    assert_eq!(ended(program).exit, 0);
    assert_eq!(everything(&side, "log"), full.repeat(3));
}

#[test]
fn a_log_that_is_removed_while_its_processor_fails_is_made_again() {
    let side = Side::ours();
    let command = "!test -e ../good && cat";
    let mut program = started(&side, &["s4096", command, "./log"]);
    tell(&mut program, &format!("{}\n", "x".repeat(4000)));
    program.hears("processor failed");
    // It goes on failing every five seconds, perhaps just now.
    assert!(until(|| std::fs::remove_dir_all(side.path().join("log")).is_ok()));
    tell(&mut program, "two\n");
    holds(&side, "log", "two\n");
    assert_eq!(ended(program).exit, 0);
}

/// The original would name the new files before the others.
#[test]
fn names_stay_in_order_when_the_clock_was_set_back_by_half_an_hour() {
    let side = Side::ours();
    let script = "printf @%016x%08x.s $((0x400000000000000a + $(date +%s) + 1800)) 0";
    let soon = String::from_utf8(side.run(["sh", "-c", script]).stdout).unwrap();
    side.write("log/@400000003b4a39c23294b13c.s", "a\n");
    side.write(&format!("log/{soon}"), "b\n");
    let input: String = ["c", "d"].map(|letter| letter.repeat(4000) + "\n").concat();
    let words = ["multilog", "s4096", "n4", "./log"];
    assert_eq!(side.command(words).stdin(&input).run().exit, 0);
    let names = old_names(&side, "log");
    assert_eq!(names[0], soon);
    assert_eq!(names[1..], ["1.s", "2.s"].map(|end| soon.replace("0.s", end)));
    assert_eq!(everything(&side, "log"), "b\n".to_owned() + &input);
}
