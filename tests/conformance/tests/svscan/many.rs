//! More services than the original takes.

use harness::{Side, until};
use unix::limit::{self, Resource};
use unix::signal::Signal;

use crate::services::{comes_up, service};

#[test]
fn three_hundred_services_start_and_stop() {
    let side = Side::ours();
    for number in 0..300 {
        service(&side, &format!("services/{number}"), "exec sleep 600\n");
    }
    for number in 0..30 {
        service(&side, &format!("services/{number}/log"), "exec cat > /dev/null\n");
    }
    // Pipes for thirty logs do not fit into what this leaves.
    let start = "ulimit -Sn 40; exec svscan services";
    let mut svscan = side.command(["sh", "-c", start]).start_in_background();
    for number in 0..300 {
        comes_up(&side, &format!("services/{number}"), 0);
    }
    for number in 0..30 {
        comes_up(&side, &format!("services/{number}/log"), 0);
    }
    assert_eq!(svscan.stderr(), b"");
    svscan.signal(Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
}

#[test]
fn two_thousand_services_are_supervised() {
    // Two descriptors for each pipe to a log, and five hundred of these.
    if limit::get(Resource::RLIMIT_NOFILE).unwrap().1 < 1100 {
        return harness::skipped_for("1100 open files (ulimit -Hn)");
    }
    let side = Side::ours();
    let mut names: Vec<String> = (0..2000).map(|number| format!("services/{number}")).collect();
    names.extend((0..500).map(|number| format!("services/{number}/log")));
    for name in &names {
        side.write(&format!("{name}/down"), ""); // their supervises are what counts
    }
    let start = "ulimit -Sn 256; exec svscan services";
    let mut svscan = side.command(["sh", "-c", start]).start_in_background();
    for name in &names {
        let status = side.path().join(name).join("supervise/status");
        assert!(until(|| status.exists()), "{}", svscan.stderr().escape_ascii());
    }
    // One that comes last is started like the first.
    service(&side, "services/late", "exec sleep 600\n");
    comes_up(&side, "services/late", 0);
    assert_eq!(svscan.stderr(), b"");
    svscan.signal(Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
}
