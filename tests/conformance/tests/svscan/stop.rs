//! How a svscan ends.

use std::time::{Duration, Instant};

use harness::{Run, Side, case, quickly};
use unix::signal::Signal;

use crate::services::{TALKER, comes_up, holds, process, service, status};
use crate::svscan;

/// Says its last words when it gets TERM, and leaves nobody behind.
const POLITE: &str = "\
trap 'kill $!; echo the last words; exit' TERM
sleep 600 &
echo up
wait
";

#[test]
fn services_end_first_and_then_their_logs_and_nothing_is_lost() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let side = Side::ours();
        service(&side, "services/a", TALKER);
        service(&side, "services/b", POLITE);
        service(&side, "services/b/log", "exec cat > said\n");
        let mut svscan = svscan(&side);
        holds(&side, "services/a/log", "up\n");
        holds(&side, "services/b/log/said", "up\n");
        let pids = ["a", "b", "b/log"].map(|name| comes_up(&side, &format!("services/{name}"), 0));
        svscan.signal(signal);
        assert_eq!((svscan.ends(), svscan.stderr()), (0, Vec::new()));
        assert_eq!(pids.map(process), [None, None, None]);
        assert_eq!(side.read("services/a/log"), b"up\nTERM\n");
        assert_eq!(side.read("services/b/log/said"), b"up\nthe last words\n");
    }
}

#[test]
fn a_log_keeps_what_its_service_said_however_much() {
    let run = "trap 'kill $!; seq 20000; exit' TERM; sleep 600 & echo up; wait\n";
    // At the end of the pipe, not at the end of patience.
    quickly(Duration::from_secs(2), || {
        let side = Side::ours();
        service(&side, "services/sv", run);
        service(&side, "services/sv/log", "exec multilog s16000000 ./main\n");
        let mut svscan = svscan(&side);
        holds(&side, "services/sv/log/main/current", "up\n");
        let before = Instant::now();
        svscan.signal(Signal::SIGTERM);
        assert_eq!(svscan.ends(), 0);
        let took = before.elapsed();
        let text = String::from_utf8(side.read("services/sv/log/main/current")).unwrap();
        assert_eq!((text.lines().count(), text.lines().last()), (20001, Some("20000")));
        took
    });
}

#[test]
fn what_ignores_term_is_killed_after_the_time_that_was_given() {
    let side = Side::ours();
    service(&side, "services/sv", "trap '' TERM; echo up >> heard; while :; do sleep 600; done\n");
    let svscan = side.command(["svscan", "-t", "1", "services"]);
    let mut svscan = svscan.start_in_background();
    holds(&side, "services/sv/heard", "up\n");
    let pid = comes_up(&side, "services/sv", 0);
    let before = Instant::now();
    svscan.signal(Signal::SIGTERM);
    assert_eq!((svscan.ends(), svscan.stderr()), (0, Vec::new()));
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!(process(pid), None);
    assert_eq!(status(&side, "services/sv"), (0, 0, b'd'));
}

#[test]
fn a_log_whose_pipe_somebody_keeps_open_is_ended_too() {
    let side = Side::ours();
    // The sleep outlives the service, with the pipe.
    let run = "sleep 600 & echo $! > orphan; echo up; trap exit TERM; wait\n";
    service(&side, "services/sv", run);
    service(&side, "services/sv/log", "exec multilog ./main\n");
    let mut svscan = svscan(&side);
    holds(&side, "services/sv/log/main/current", "up\n");
    let log = comes_up(&side, "services/sv/log", 0);
    svscan.signal(Signal::SIGTERM);
    assert_eq!((svscan.ends(), svscan.stderr()), (0, Vec::new()));
    assert_eq!(process(log), None);
}

#[test]
fn a_service_that_is_down_or_cannot_be_started_holds_nothing_up() {
    quickly(Duration::from_secs(6), || {
        let side = Side::ours();
        service(&side, "services/a", TALKER);
        side.write("services/a/down", "");
        side.directory("services/b/log");
        let mut svscan = svscan(&side);
        svscan.hears("unable to start b/run");
        svscan.hears("unable to start log/run");
        let before = Instant::now();
        svscan.signal(Signal::SIGTERM);
        assert_eq!(svscan.ends(), 0);
        before.elapsed()
    });
}

#[test]
fn the_original_leaves_everything_behind() {
    let case = case(|side| {
        service(side, "services/sv", TALKER);
        let mut svscan = svscan(side);
        holds(side, "services/sv/log", "up\n");
        let pid = comes_up(side, "services/sv", 0);
        svscan.signal(Signal::SIGTERM);
        let exit = svscan.ends();
        let survives = process(pid).is_some();
        Run { stdout: survives.to_string().into(), stderr: Vec::new(), exit }
    });
    let _ = case.differing_stdout("false", "true").differing_exit(0, -15);
}

#[test]
fn a_program_behind_the_directory_hears_all_errors() {
    let side = Side::ours();
    service(&side, "services/sv", "echo out; echo err >&2; exec sleep 600\n");
    std::os::unix::fs::symlink("nowhere", side.path().join("services/dangling")).unwrap();
    let words = ["svscan", "services", "sh", "-c", "exec cat > ../errors"];
    let mut svscan = side.command(words).start_in_background();
    for word in ["out\n", "err\n"] {
        holds(&side, "errors", word);
    }
    holds(&side, "errors", "svscan: warning: unable to stat dangling: file does not exist\n");
    svscan.signal(Signal::SIGTERM);
    assert_eq!((svscan.ends(), svscan.stderr()), (0, Vec::new()));
}

#[test]
fn a_program_that_cannot_be_run_is_fatal() {
    let side = Side::ours();
    side.directory("services");
    let run = side.run(["svscan", "services", "./nonexistent"]);
    let said = "svscan: fatal: unable to run ./nonexistent: file does not exist\n";
    assert_eq!((run.exit, String::from_utf8_lossy(&run.stderr).as_ref()), (111, said));
}
