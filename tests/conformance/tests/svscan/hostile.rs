//! Directories that cannot be used, and a machine that gives no processes.

use unix::signal::Signal;

use crate::services::{SLEEPER, comes_up, service};
use crate::{by_user, sides};

#[test]
fn a_service_that_may_not_be_entered_does_not_hold_up_the_others() {
    let warning = "supervise: fatal: unable to chdir to locked: access denied\n";
    for side in sides() {
        service(&side, "services/locked", SLEEPER);
        service(&side, "services/sv", SLEEPER);
        side.mode("services/locked", 0);
        let svscan = by_user(&side, &["svscan", "services"]).start_in_background();
        // Whether it has a log cannot be told; that alone is a reason to leave it.
        svscan.hears("svscan: warning: unable to stat locked/log: access denied\n");
        comes_up(&side, "services/sv", 0);
        assert!(!String::from_utf8(svscan.stderr()).unwrap().contains(warning));
        side.mode("services/locked", 0o755);
        comes_up(&side, "services/locked", 0);
        side.keep(svscan);
    }
}

#[test]
fn a_directory_that_may_not_be_read_is_tried_again() {
    for side in sides() {
        service(&side, "services/sv", SLEEPER);
        side.mode("services", 0o300);
        let svscan = by_user(&side, &["svscan", "services"]).start_in_background();
        svscan.hears("svscan: warning: unable to read directory: access denied\n");
        side.mode("services", 0o755);
        comes_up(&side, "services/sv", 0);
        side.keep(svscan);
    }
}

#[test]
fn without_processes_it_warns_and_tries_again() {
    let case = harness::case(|side| {
        service(side, "services/sv", SLEEPER);
        let words = ["softlimit", "-p", "0", "svscan", "services"];
        let svscan = by_user(side, &words).start_in_background();
        svscan.hears("\n");
        svscan.signal(Signal::SIGTERM);
        crate::first_line(&svscan)
    });
    let said = "svscan: warning: unable to fork for sv: temporary failure\n";
    let _ = case.differing_stderr(said, said);
}

#[test]
fn a_directory_that_is_removed_ends_nothing() {
    let side = harness::Side::ours();
    service(&side, "services/sv", SLEEPER);
    let mut svscan = crate::svscan(&side);
    let pid = comes_up(&side, "services/sv", 0);
    std::fs::remove_dir_all(side.path().join("services")).unwrap();
    // It goes on, and can still be told to end.
    assert!(crate::services::process(pid).is_some());
    svscan.signal(Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
    assert_eq!(crate::services::process(pid), None);
}
