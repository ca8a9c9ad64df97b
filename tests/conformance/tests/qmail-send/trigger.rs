//! A trigger that is of no use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use harness::{Side, skipped_for};

use super::daemon::Daemon;

/// Whether a message is noticed once the trigger is pulled.
fn delivers(daemon: &mut Daemon<'_>) {
    daemon.put(30, "u7|p99|Fa@b|Tjoe@mail.test|");
    daemon.pull();
    daemon.clean();
    daemon.command("local");
    daemon.report("local", 0, "Kok\n");
    daemon.clean();
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn a_trigger_that_is_no_use_is_mended() {
    for (is_there, expected) in [
        (false, "trigger: lock/trigger was missing; made it\n"),
        (true, "trigger: lock/trigger was no fifo; replaced it\n"),
    ] {
        let side = Side::ours();
        let mut daemon = Daemon::new(&side);
        fs::remove_file(daemon.queue("lock/trigger")).unwrap();
        if is_there {
            daemon.file("lock/trigger", "");
        }
        daemon.begin();
        daemon.logs(expected);
        delivers(&mut daemon);
    }
}

#[test]
fn a_trigger_that_not_everybody_may_pull_is_mended() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let trigger = daemon.queue("lock/trigger");
    fs::set_permissions(&trigger, Permissions::from_mode(0o600)).unwrap();
    daemon.begin();
    daemon.logs("trigger: lock/trigger was not for everybody to write to; mended\n");
    assert_eq!(fs::metadata(trigger).unwrap().permissions().mode() & 0o777, 0o622);
    delivers(&mut daemon);
}

#[test]
fn a_trigger_that_cannot_be_mended_is_told() {
    if unix::Uid::current().is_root() {
        skipped_for("root may write to every directory");
        return;
    }
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let lock = daemon.queue("lock");
    fs::remove_file(daemon.queue("lock/trigger")).unwrap();
    fs::set_permissions(&lock, Permissions::from_mode(0o500)).unwrap();
    daemon.begin();
    daemon.logs(
        "trigger: unable to watch lock/trigger: file does not exist; looking for new mail every \
         30 seconds\n",
    );
    fs::set_permissions(&lock, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(daemon.leave().exit, 0);
}
