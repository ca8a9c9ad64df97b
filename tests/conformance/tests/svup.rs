//! svup: daemontools-encore's, without its options. Debian has none to compare with; what it tells is held
//! against svstat, and it is asked about supervises of both sides.

mod services;

use harness::{Run, Side};
use services::{SLEEPER, comes_up, service, shows, supervise, supervised, svc};

/// What our svup says of a service, whoever supervises it.
fn up(side: &Side, dir: &str) -> Run {
    let own = Side::ours();
    let program = own.programs().join("svup");
    side.run([program.to_str().unwrap(), dir])
}

fn sides() -> impl Iterator<Item = Side> {
    [Some(Side::ours()), Side::debian()].into_iter().flatten()
}

#[test]
fn a_service_that_is_up_is_0_and_one_that_is_down_100() {
    for side in sides() {
        supervised(&side, "sv", SLEEPER);
        comes_up(&side, "sv", 0);
        assert_eq!(up(&side, "sv"), Run { stdout: vec![], stderr: vec![], exit: 0 });
        svc(&side, "-d", "sv");
        shows(&side, "sv", ": down ");
        assert_eq!(up(&side, "sv"), Run { stdout: vec![], stderr: vec![], exit: 100 });
    }
}

#[test]
fn one_that_is_not_supervised_is_100() {
    for side in sides() {
        service(&side, "sv", SLEEPER);
        assert_eq!(up(&side, "sv").exit, 100);
        side.write("sv/down", "");
        let mut supervise = supervise(&side, "sv");
        svc(&side, "-x", "sv");
        assert_eq!(supervise.ends(), 0);
        assert_eq!(up(&side, "sv").exit, 100);
    }
}

#[test]
fn what_cannot_be_found_out_is_111() {
    let side = Side::ours();
    let run = side.run(["svup", "nonexistent"]);
    let said = b"svup: fatal: unable to chdir to nonexistent: file does not exist\n";
    assert_eq!((run.stderr.as_slice(), run.exit), (&said[..], 111));
    supervised(&side, "sv", SLEEPER);
    comes_up(&side, "sv", 0);
    side.write("sv/supervise/status", "torn");
    let run = side.run(["svup", "sv"]);
    let said = b"svup: fatal: unable to read sv/supervise/status: bad format\n";
    assert_eq!((run.stderr.as_slice(), run.exit), (&said[..], 111));
}

#[test]
fn a_directory_is_needed_and_there_are_no_options() {
    for words in [&["svup"][..], &["svup", "-l", "sv"], &["svup", "-L", "sv"]] {
        let run = Side::ours().run(words);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(said.ends_with("svup: usage: svup dir\n"), "{said}");
        assert_eq!(run.exit, 100);
    }
}
