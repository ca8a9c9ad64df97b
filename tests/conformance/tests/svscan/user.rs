//! A tree of services that belongs to an ordinary user.

use std::fs;
use std::os::unix::fs::MetadataExt;

use harness::Side;
use unix::signal::Signal;

use crate::by_user;
use crate::services::{comes_up, holds, service, status};

#[test]
fn it_needs_no_root() {
    let side = Side::ours();
    service(&side, "services/sv", "id -u > uid; echo up; exec sleep 600\n");
    service(&side, "services/sv/log", "exec multilog ./main\n");
    let mut svscan = by_user(&side, &["svscan", "services"]).start_in_background();
    let pid = comes_up(&side, "services/sv", 0);
    holds(&side, "services/sv/log/main/current", "up\n");
    let owner = fs::metadata(side.path().join("services")).unwrap().uid();
    assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), owner);
    assert_eq!(side.read("services/sv/uid"), format!("{owner}\n").into_bytes());
    for words in [
        &["svok", "services/sv"][..],
        &["svstat", "services/sv", "services/sv/log"],
        &["svc", "-tWr", "-T", "20000", "services/sv"],
        &["svc", "-+dWD", "-T", "20000", "services/sv"],
    ] {
        let run = by_user(&side, words).run();
        assert_eq!((run.exit, run.stderr), (0, Vec::new()), "{words:?}");
    }
    assert_eq!(status(&side, "services/sv"), (0, 0, b'd'));
    svscan.signal(Signal::SIGTERM);
    assert_eq!((svscan.ends(), svscan.stderr()), (0, Vec::new()));
}
