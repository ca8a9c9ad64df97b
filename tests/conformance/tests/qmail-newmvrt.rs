//! qmail-newmvrt. The original belongs to patches that Debian has not; what it writes is what they read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::Side;

#[test]
fn recipients_are_found_in_the_database() {
    let side = Side::ours();
    side.control("me", "here.test\n");
    side.control("morevalidrcptto", "Joe@Here.test \t\n# nobody\n-ann@here.test\n@there.test");
    let run = side.run(["qmail-newmvrt"]);
    assert_eq!((run.exit, run.stdout, run.stderr), (0, Vec::new(), Vec::new()));
    for (recipient, exit) in
        [("JOE@here.test", 0), ("ann@here.test", 100), ("bob@here.test", 100), ("x@there.test", 0)]
    {
        let command = side.command(["qmail-rcptcheck-realrcptto"]).env("RECIPIENT", recipient);
        assert_eq!(command.run().exit, exit, "{recipient}");
    }
    let control = side.home().join("control");
    let mode = fs::metadata(control.join("morevalidrcptto.cdb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(!control.join("morevalidrcptto.tmp").exists());
}

#[test]
fn without_the_list_the_old_database_stays() {
    let side = Side::ours();
    side.control("morevalidrcptto.cdb", "old\n");
    let run = side.run(["qmail-newmvrt"]);
    assert_eq!(run.exit, 111);
    let text =
        "qmail-newmvrt: fatal: unable to read control/morevalidrcptto: file does not exist\n";
    assert_eq!(String::from_utf8_lossy(&run.stderr), text);
    let left = fs::read(side.home().join("control/morevalidrcptto.cdb")).unwrap();
    assert_eq!(left, b"old\n");
}
