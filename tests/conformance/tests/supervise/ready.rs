//! Readiness: by a notification, or by a check.

use harness::{Side, until};

use crate::services::{comes_up, service, state, states, supervise, supervised, svc};

#[test]
fn a_line_on_the_notification_descriptor_makes_it_ready() {
    let side = Side::ours();
    side.write("sv/notification-fd", "7\n");
    let run = "printf al >&7; until [ -e go ]; do sleep 0.01; done; echo most >&7\n\
               exec sleep 600\n";
    supervised(&side, "sv", run);
    let pid = comes_up(&side, "sv", 0);
    assert_eq!(state(&side, "sv"), format!("unready {pid}\n"));
    side.write("sv/go", "");
    assert!(until(|| state(&side, "sv") == format!("ready {pid}\n")));
    svc(&side, "-t", "sv");
    let pid = comes_up(&side, "sv", pid);
    states(&side, "sv", &format!("\nready {pid}\n"));
}

#[test]
fn a_service_that_closes_its_descriptor_without_a_word_is_not_ready() {
    let side = Side::ours();
    side.write("sv/notification-fd", "3");
    supervised(&side, "sv", "exec 3>&-; echo closed > log; exec sleep 600\n");
    let pid = comes_up(&side, "sv", 0);
    crate::services::holds(&side, "sv/log", "closed\n");
    svc(&side, "-h", "sv"); // one more turn of supervise
    comes_up(&side, "sv", pid);
    assert!(state(&side, "sv").contains("unready"));
}

#[test]
fn a_check_that_exits_0_makes_it_ready() {
    let side = Side::ours();
    side.script("sv/check", "#!/bin/sh\necho asked >> log; test -e good\n");
    supervised(&side, "sv", "exec sleep 600\n");
    let pid = comes_up(&side, "sv", 0);
    let asked = || String::from_utf8(side.read("sv/log")).unwrap().lines().count();
    assert!(until(|| asked() >= 3));
    assert_eq!(state(&side, "sv"), format!("unready {pid}\n"));
    side.write("sv/good", "");
    assert!(until(|| state(&side, "sv") == format!("ready {pid}\n")));
}

#[test]
fn a_number_that_makes_no_sense_is_warned_of() {
    let side = Side::ours();
    service(&side, "sv", "exec sleep 600\n");
    side.write("sv/notification-fd", "three\n");
    let supervise = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    supervise.hears(
        "supervise: warning: unable to read sv/notification-fd: not the number of a descriptor\n",
    );
    assert_eq!(state(&side, "sv"), "");
    side.keep(supervise);
}
