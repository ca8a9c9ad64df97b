//! Signals to supervise itself.

use harness::{Side, case, until};
use unix::signal::Signal;

use crate::services::{SLEEPER, TALKER, comes_up, holds, process, service, status, supervise, svc};

/// A service that ignores TERM.
const STUBBORN: &str = "trap '' TERM\necho up >> log\nwhile :; do sleep 600; done\n";

#[test]
fn a_signal_ends_it_together_with_its_service() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let side = Side::ours();
        service(&side, "sv", TALKER);
        let mut supervise = supervise(&side, "sv");
        holds(&side, "sv/log", "up\n");
        let pid = comes_up(&side, "sv", 0);
        supervise.signal(signal);
        assert_eq!(supervise.ends(), 0);
        assert_eq!(process(pid), None);
        assert_eq!(side.read("sv/log"), b"up\nTERM\n");
        assert_eq!(status(&side, "sv"), (0, 0, b'd'));
    }
}

#[test]
fn the_original_leaves_its_service_behind() {
    let case = case(|side| {
        service(side, "sv", TALKER);
        let mut supervise = supervise(side, "sv");
        holds(side, "sv/log", "up\n");
        let pid = comes_up(side, "sv", 0);
        supervise.signal(Signal::SIGTERM);
        let exit = supervise.ends();
        let survives = process(pid).is_some();
        harness::Run { stdout: survives.to_string().into(), stderr: Vec::new(), exit }
    });
    let _ = case.differing_stdout("false", "true").differing_exit(0, -15);
}

#[test]
fn quit_kills_a_service_that_ignores_term() {
    let side = Side::ours();
    service(&side, "sv", STUBBORN);
    let mut supervise = supervise(&side, "sv");
    holds(&side, "sv/log", "up\n");
    let pid = comes_up(&side, "sv", 0);
    supervise.signal(Signal::SIGTERM);
    assert!(until(|| status(&side, "sv") == (pid, 0, b'd')));
    assert!(process(pid).is_some());
    supervise.signal(Signal::SIGQUIT);
    assert_eq!(supervise.ends(), 0);
    assert_eq!(process(pid), None);
}

#[test]
fn usr1_waits_for_the_service_to_end_by_itself() {
    let side = Side::ours();
    service(&side, "sv", "cat > copy\n");
    let mut supervise = side.command(["supervise", "sv"]).converse();
    comes_up(&side, "sv", 0);
    supervise.signal(Signal::SIGUSR1);
    supervise.talk("all of it\n", "");
    supervise.close_input();
    assert_eq!(supervise.ends(), 0);
    assert_eq!(side.read("sv/copy"), b"all of it\n");
}

#[test]
fn nohup_keeps_it() {
    let side = Side::ours();
    service(&side, "sv", TALKER);
    let nohup = ["sh", "-c", "trap '' HUP; exec supervise sv"];
    let mut supervise = side.command(nohup).start_in_background();
    holds(&side, "sv/log", "up\n");
    supervise.signal(Signal::SIGHUP);
    let old = comes_up(&side, "sv", 0);
    svc(&side, "-t", "sv");
    comes_up(&side, "sv", old);
    svc(&side, "-dx", "sv");
    assert_eq!(supervise.ends(), 0);
}

#[test]
fn a_new_supervise_takes_over_after_an_exit() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    for _ in 0..3 {
        let mut supervise = supervise(&side, "sv");
        comes_up(&side, "sv", 0);
        svc(&side, "-dx", "sv");
        assert_eq!(supervise.ends(), 0);
        assert_eq!(side.run(["svok", "sv"]).exit, 100);
    }
}
