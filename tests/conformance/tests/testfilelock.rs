//! testfilelock beside what daemontools 0.53 did.

use harness::recorded;

#[test]
fn a_file_is_needed() {
    recorded("testfilelock", "usage", |side| side.run(["testfilelock"])).same();
}

#[test]
fn a_file_that_cannot_be_opened_is_111() {
    recorded("testfilelock", "missing", |side| side.run(["testfilelock", "nonexistent"])).same();
    recorded("testfilelock", "folder", |side| side.run(["testfilelock", "."])).same();
}

#[test]
fn a_file_that_nobody_has_locked_is_100() {
    recorded("testfilelock", "free", |side| {
        side.write("lock", "");
        side.run(["testfilelock", "lock"])
    })
    .same();
}

#[test]
fn a_locked_file_is_0() {
    recorded("testfilelock", "locked", |side| {
        side.write("lock", "");
        let own = side.programs().join("testfilelock");
        side.run(["flock", "lock", own.to_str().unwrap(), "lock"])
    })
    .same();
}
