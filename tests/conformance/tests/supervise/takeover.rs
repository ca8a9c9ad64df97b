//! A service whose supervise was killed.

use harness::Side;
use unix::Pid;
use unix::signal::{self, Signal};

use crate::services::{
    SLEEPER, TALKER, comes_up, holds, process, service, shows, state, supervise, svc,
};

/// A service whose supervise has been killed: its process.
fn orphan(side: &Side, run: &str) -> u32 {
    service(side, "sv", run);
    let mut supervise = supervise(side, "sv");
    let pid = comes_up(side, "sv", 0);
    supervise.signal(Signal::SIGKILL);
    assert_eq!(supervise.ends(), -9);
    side.keep(supervise); // with it would go its process group
    pid
}

#[test]
fn the_next_supervise_takes_it_over() {
    let side = Side::ours();
    let pid = orphan(&side, TALKER);
    holds(&side, "sv/log", "up\n");
    let mut next = supervise(&side, "sv");
    next.hears("supervise: info: taking over sv, which was left running\n");
    shows(&side, "sv", "sv: up (pid PID) S seconds\n");
    assert_eq!((comes_up(&side, "sv", 0), side.read("sv/log")), (pid, b"up\n".to_vec()));
    svc(&side, "-h", "sv");
    holds(&side, "sv/log", "HUP\n");
    // There is one of it at any time.
    svc(&side, "-t", "sv");
    let new = comes_up(&side, "sv", pid);
    holds(&side, "sv/log", "TERM\nup\n");
    assert!(harness::until(|| process(pid).is_none()));
    assert!(["exit", "unkn"].contains(&&state(&side, "sv")[..4]));
    svc(&side, "-dx", "sv");
    assert_eq!((next.ends(), process(new)), (0, None));
    // Its end is known for certain again.
    assert_ne!(state(&side, "sv"), "unknown\n");
}

#[test]
fn it_can_be_taken_down_and_reached_as_a_whole() {
    let side = Side::ours();
    let run = "sleep 600 & echo $! > child; trap '' TERM; while :; do sleep 0.1; done\n";
    let pid = orphan(&side, run);
    holds(&side, "sv/child", "\n");
    let child: u32 = String::from_utf8(side.read("sv/child")).unwrap().trim().parse().unwrap();
    let mut next = supervise(&side, "sv");
    assert_eq!(comes_up(&side, "sv", 0), pid);
    svc(&side, "-+dkx", "sv");
    assert_eq!(next.ends(), 0);
    assert!(harness::until(|| process(pid).is_none() && process(child).is_none()));
}

#[test]
fn a_number_that_belongs_to_another_process_is_not_taken_over() {
    let side = Side::ours();
    let pid = orphan(&side, SLEEPER);
    signal::send(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    assert!(harness::until(|| process(pid).is_none()));
    // The same status, with the number of this test.
    let mut status = side.read("sv/supervise/status");
    status[12..16].copy_from_slice(&std::process::id().to_le_bytes());
    status[..12].copy_from_slice(b"\x40\0\0\0\x6b\x00\xe7\xa3\x16\xca\xe4\x6c");
    side.write("sv/supervise/status", status);
    let supervise = supervise(&side, "sv");
    assert_ne!(comes_up(&side, "sv", std::process::id()), pid);
    assert_eq!(supervise.stderr(), b"");
    side.keep(supervise);
}

#[test]
fn a_clock_that_was_set_back_does_not_hide_it() {
    let side = Side::ours();
    let pid = orphan(&side, TALKER);
    holds(&side, "sv/log", "up\n");
    // An hour ahead: what the clock told then.
    let mut status = side.read("sv/supervise/status");
    let seconds = u64::from_be_bytes(status[..8].try_into().unwrap()) + 3600;
    status[..8].copy_from_slice(&seconds.to_be_bytes());
    side.write("sv/supervise/status", status);
    let mut next = supervise(&side, "sv");
    next.hears("supervise: info: taking over sv, which was left running\n");
    // Nobody is up for a negative time.
    let said = side.run(["svstat", "sv"]).stdout;
    let expected = format!("sv: up (pid {pid}) 0 seconds\n");
    assert_eq!(String::from_utf8(said).unwrap(), expected);
    svc(&side, "-dx", "sv");
    assert_eq!((next.ends(), side.read("sv/log")), (0, b"up\nTERM\n".to_vec()));
}

#[test]
fn a_service_of_another_boot_is_not_taken_over() {
    let side = Side::ours();
    let pid = orphan(&side, SLEEPER);
    let note = String::from_utf8(side.read("sv/supervise/lock")).unwrap();
    let (number, rest) = note.split_once(' ').unwrap();
    assert_eq!(number.parse(), Ok(pid));
    let (at, _) = rest.split_once(' ').unwrap();
    side.write("sv/supervise/lock", format!("{pid} {at} another-boot\n"));
    let mut next = supervise(&side, "sv");
    assert_ne!(comes_up(&side, "sv", pid), pid);
    svc(&side, "-dx", "sv");
    assert_eq!((next.ends(), next.stderr()), (0, Vec::new()));
}
