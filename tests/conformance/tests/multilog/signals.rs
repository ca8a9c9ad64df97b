//! Signals.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use harness::{Background, Side, case, until};
use unix::signal::Signal;

use crate::{ended, everything, holds, old_names, started, tell, without_times};

/// A line of what the kernel tells about a program.
fn status(program: &Background, name: &str) -> String {
    let path = format!("/proc/{}/status", program.pid());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    line.unwrap_or_default().to_owned()
}

fn is_waiting(program: &Background) -> bool {
    status(program, "State").starts_with('S')
}

/// Sends a signal, and waits until the program has dealt with it and waits again.
fn signal_and_wait(program: &Background, signal: Signal) {
    let sleeps = || status(program, "voluntary_ctxt_switches");
    assert!(until(|| is_waiting(program)), "it does not wait");
    let before = sleeps();
    program.signal(signal);
    assert!(until(|| sleeps() != before && is_waiting(program)), "it does not wait again");
}

#[test]
fn term_ends_it_between_lines() {
    case(|side| {
        let mut program = started(side, &["./log"]);
        tell(&mut program, "one\n");
        holds(side, "log", "one\n");
        // The original does not notice it just before it waits.
        assert!(until(|| is_waiting(&program)));
        program.signal(Signal::SIGTERM);
        assert_eq!(program.ends(), 0);
        ended(program)
    })
    .same();
    case(|side| {
        let mut program = started(side, &["./log"]);
        assert!(until(|| is_waiting(&program)));
        program.signal(Signal::SIGTERM);
        assert_eq!(program.ends(), 0);
        ended(program)
    })
    .same();
}

#[test]
fn term_waits_for_the_end_of_the_line_and_leaves_the_rest() {
    case(|side| {
        assert_eq!(side.run(["mkfifo", "input"]).exit, 0);
        let path = side.path().join("input");
        let nonblock = 0o4000;
        let mut pipe = OpenOptions::new();
        let mut pipe = pipe.read(true).write(true).custom_flags(nonblock).open(path).unwrap();
        let mut program =
            side.command(["sh", "-c", "exec multilog t ./log <input"]).start_in_background();
        pipe.write_all(b"one\ntw").unwrap();
        let current = || side.read("log/current");
        assert!(until(|| current().ends_with(b" one\n")));
        signal_and_wait(&program, Signal::SIGTERM);
        pipe.write_all(b"o\nthree\n").unwrap();
        assert_eq!(program.ends(), 0);
        let mut rest = [0; 100];
        let count = pipe.read(&mut rest).unwrap();
        assert_eq!(rest[..count].escape_ascii().to_string(), "three\\n");
        ended(program)
    })
    .normalised(without_times)
    .same();
}

#[test]
fn alrm_turns_over_what_is_not_empty() {
    case(|side| {
        let mut program = started(side, &["-*b", "./log", "-*", "./empty"]);
        tell(&mut program, "one\n");
        holds(side, "log", "one\n");
        assert!(until(|| is_waiting(&program)));
        program.signal(Signal::SIGALRM);
        assert!(until(|| old_names(side, "log").len() == 1), "not turned over");
        tell(&mut program, "two\n");
        holds(side, "log", "two\n");
        assert_eq!(old_names(side, "empty").len(), 0);
        ended(program)
    })
    .normalised(without_times)
    .same();
}

/// The original ends at once, and loses the line that it was reading.
#[test]
fn other_signals_cost_no_line() {
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2] {
        let case = case(|side| {
            let mut program = started(side, &["./log"]);
            tell(&mut program, "one\ntw");
            holds(side, "log", "one\n");
            program.signal(signal);
            let exit = program.ends();
            harness::Run { stdout: side.read("log/current"), stderr: program.stderr(), exit }
        });
        let _ = case.differing_stdout("one\ntw\n", "one\n").differing_exit(0, -(signal as i32));
    }
}

#[test]
fn a_second_term_does_not_wait_for_the_end_of_the_line() {
    let side = Side::ours();
    let mut program = started(&side, &["./log"]);
    tell(&mut program, "one\ntw");
    holds(&side, "log", "one\n");
    signal_and_wait(&program, Signal::SIGTERM);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.ends(), 0);
    assert_eq!(everything(&side, "log"), "one\ntw\n");
}

#[test]
fn an_end_of_the_input_ends_it() {
    case(|side| {
        let mut program = started(side, &["./log"]);
        tell(&mut program, "one\ntw");
        ended(program)
    })
    .same();
}

/// The original is ended by the signal for a broken pipe.
#[test]
fn a_reader_of_stderr_that_is_gone_costs_no_line() {
    case(|side| {
        let script = "multilog e ./log 2>&1 >&3 | true; cat log/current";
        let input = (0..50_000).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat();
        let run = side
            .command(["sh", "-c", &format!("exec 3>/dev/null; {script} | tail -n 1")])
            .stdin(input)
            .run();
        assert!(!side.is_ours() || run.stdout == b"49999\n", "{:?}", run.stdout.escape_ascii());
        harness::Run { stdout: Vec::new(), ..run }
    })
    .same_exit();
}

#[test]
fn nothing_is_lost_when_signals_come_all_the_time() {
    let side = Side::ours();
    let mut program = started(&side, &["s4096", "n9999", "./log"]);
    let mut expected = String::new();
    for number in 0..300 {
        let line = format!("line {number}\n");
        tell(&mut program, &line);
        expected += &line;
        program.signal(Signal::SIGALRM);
    }
    let run = ended(program);
    assert_eq!((run.exit, run.stderr), (0, Vec::new()));
    assert_eq!(everything(&side, "log"), expected);
}
