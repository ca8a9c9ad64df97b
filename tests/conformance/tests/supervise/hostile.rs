//! Services and users that do what nobody should.

use harness::{Side, until};
use unix::signal::Signal;

use crate::services::{
    SLEEPER, TALKER, comes_up, holds, process, service, shows, state, status, supervise,
    supervised, svc,
};

#[test]
fn a_directory_that_is_removed_is_warned_of_and_the_service_can_be_ended() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    let mut supervise = supervise(&side, "sv");
    let pid = comes_up(&side, "sv", 0);
    std::fs::remove_dir_all(side.path().join("sv")).unwrap();
    supervise.signal(Signal::SIGTERM);
    assert_eq!((supervise.ends(), process(pid)), (0, None));
    supervise
        .hears("supervise: warning: unable to open sv/supervise/state.new: file does not exist\n");
    supervise
        .hears("supervise: warning: unable to open sv/supervise/status.new: file does not exist\n");
}

#[test]
fn a_flood_from_many_does_not_hold_up_a_command() {
    let side = Side::ours();
    supervised(&side, "sv", TALKER);
    holds(&side, "sv/log", "up\n");
    let flood = "while :; do head -c 60000 /dev/zero; done > sv/supervise/control";
    for _ in 0..3 {
        side.keep(side.command(["sh", "-c", flood]).start_in_background());
    }
    svc(&side, "-dWD", "sv");
    assert_eq!(status(&side, "sv"), (0, 0, b'd'));
    svc(&side, "-uWU", "sv");
}

#[test]
fn a_notification_without_end_is_read_and_forgotten() {
    let side = Side::ours();
    side.write("sv/notification-fd", "3");
    service(&side, "sv", "head -c 3000000 /dev/zero >&3; echo >&3; exec sleep 600\n");
    let supervise = supervise(&side, "sv");
    let pid = comes_up(&side, "sv", 0);
    assert!(until(|| state(&side, "sv") == format!("ready {pid}\n")), "{}", state(&side, "sv"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", supervise.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u32 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 8000, "{kib} kB");
    side.keep(supervise);
}

#[test]
fn a_status_that_is_garbage_is_replaced() {
    let side = Side::ours();
    for garbage in [&b""[..], b"\x40", &[0xff; 18], &[0xff; 5000]] {
        side.write("sv/supervise/status", garbage);
        service(&side, "sv", SLEEPER);
        let mut supervise = supervise(&side, "sv");
        comes_up(&side, "sv", 0);
        shows(&side, "sv", "sv: up (pid PID) S seconds\n");
        svc(&side, "-dx", "sv");
        assert_eq!((supervise.ends(), supervise.stderr()), (0, Vec::new()));
    }
}

#[test]
fn a_run_that_kills_its_supervise_is_taken_over_by_the_next() {
    let side = Side::ours();
    let run = "until [ -s supervise/status ]; do sleep 0.01; done; kill -9 $PPID; exec sleep 600\n";
    service(&side, "sv", run);
    let mut first = side.command(["supervise", "sv"]).start_in_background();
    assert_eq!(first.ends(), -9);
    let mut second = supervise(&side, "sv");
    let pid = comes_up(&side, "sv", 0);
    assert!(process(pid).is_some());
    svc(&side, "-dx", "sv");
    assert_eq!(second.ends(), 0);
    // Its parent is gone, so it is for process 1 to reap it.
    let has_ended = || process(pid).is_none_or(|(state, ..)| state == 'Z');
    assert!(until(has_ended), "the service has ended");
    side.keep(first);
}
