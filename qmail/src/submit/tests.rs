use super::idle::{Programs, Waiting};
use super::*;
use prog::Chain;
use std::os::fd::AsFd;
use unix::poll;

mod held;

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home { path: dir.path().to_owned(), private: true };
    (dir, home)
}

fn run(home: &Home, program: &str) -> Submission {
    Submission::by(Way::Piped(Piped::run(home, program.into(), Vec::new()).unwrap()))
}

/// Submits to a shell script that lies in the home.
fn submit(script: &str, message: &[u8], recipients: &[&[u8]]) -> (Verdict, String) {
    let (dir, home) = home();
    // Written by a child: while we held it open for writing, a child of another test could
    // inherit it, and then nobody could execute it.
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > filter; chmod +x filter";
    let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
    chain.directory(dir.path());
    assert!(chain.spawn().unwrap().wait().unwrap().is_success());
    let mut submission = run(&home, "filter");
    submission.write_all(message).unwrap();
    submission.envelope(b"a@b", recipients.iter().copied());
    let verdict = submission.finish();
    (verdict, std::fs::read_to_string(dir.path().join("got")).unwrap_or_default())
}

#[test]
fn the_program_gets_message_and_envelope() {
    let script = "cat > got; tr '\\000' '\\n' <&1 >> got";
    let (verdict, got) = submit(script, b"Subject: x\n\n", &[b"c@d", b"e@f"]);
    assert!(matches!(verdict, Verdict::Accepted { qp } if qp > 0), "{verdict:?}");
    assert_eq!(got, "Subject: x\n\nFa@b\nTc@d\nTe@f\n\n");
}

#[test]
fn a_program_that_dies_early_ends_the_writing() {
    let (verdict, _) = submit("exit 53", &vec![b'x'; 1 << 20], &[b"c@d"]);
    assert_eq!(verdict, Verdict::temporary("qq write error or disk full (#4.3.0)"));
}

#[test]
fn success_is_not_believed_if_not_everything_was_read() {
    let (verdict, _) = submit("exit 0", &vec![b'x'; 1 << 20], &[b"c@d"]);
    assert_eq!(verdict, Verdict::temporary("qq read error (#4.3.0)"));
}

#[test]
fn a_program_that_talks_without_reading_blocks_nobody() {
    let script = "head -c 300000 /dev/zero | tr '\\000' D >&6; cat >/dev/null; exit 82";
    let (verdict, _) = submit(script, &vec![b'x'; 1 << 20], &[b"c@d"]);
    assert_eq!(verdict, Verdict::Permanent("D".repeat(254).into_bytes().into()));
}

#[test]
fn a_program_that_cannot_be_run_is_temporary() {
    let (_dir, home) = home();
    for program in ["", "bin/qmail-queue", "sh"] {
        let mut submission = run(&home, program);
        submission.envelope(b"", [&b"a@b"[..]]);
        assert_eq!(submission.finish(), Verdict::temporary("unable to exec qq (#4.3.0)"));
    }
    let home = Home { path: home.path.join("missing"), private: true };
    let mut submission = run(&home, "/bin/true");
    submission.envelope(b"", [&b"a@b"[..]]);
    assert_eq!(submission.finish(), Verdict::temporary("qq trouble in home directory (#4.3.0)"));
}

/// A home whose queue program is a shell script.
fn home_with_queue(script: &str) -> (tempfile::TempDir, Home) {
    let (dir, home) = home();
    let write =
        "mkdir bin; printf '#!/bin/sh\\n%s\\n' \"$1\" > bin/qmail-queue; chmod +x bin/qmail-queue";
    let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
    chain.directory(dir.path());
    assert!(chain.spawn().unwrap().wait().unwrap().is_success());
    (dir, home)
}

#[test]
fn a_program_that_waits_for_a_message_is_given_one() {
    let (dir, home) =
        home_with_queue("echo $* > ${0%/*}/got; cat >> ${0%/*}/got; cat <&1 >/dev/null");
    let mut submission = Starter::new(&home).early().unwrap().next().unwrap();
    let Way::Piped(Piped { qp: pid, .. }) = submission.way else { panic!("{submission:?}") };
    submission.write_all(b"one").unwrap();
    submission.envelope(b"a@b", [&b"c@d"[..]]);
    // It says nothing of another message: the series ends with it.
    let (verdict, next) = submission.conclude();
    assert_eq!((verdict, next.is_none()), (Verdict::Accepted { qp: pid }, true));
    assert_eq!(std::fs::read(dir.path().join("bin/got")).unwrap(), b"series\none");
}

#[test]
fn a_program_that_waits_in_vain_is_waited_for() {
    let (dir, home) = home_with_queue("cat >/dev/null; cat <&1; echo over > ${0%/*}/got; exit 54");
    drop(Starter::new(&home).early().unwrap());
    assert_eq!(std::fs::read(dir.path().join("bin/got")).unwrap(), b"over\n");
}

#[test]
fn a_program_that_has_ended_takes_no_message() {
    let (_dir, home) = home();
    let idle = Starter::new(&home).early().unwrap();
    let Some(Waiting::First(piped)) = &idle.0 else { panic!("{idle:?}") };
    // Its end is seen when it comes; before, a message may be begun, and its verdict tells.
    assert!(poll::until(piped.series.as_ref().unwrap(), false, None).unwrap());
    assert!(idle.next().is_none());
    let mut submission = match Starter::new(&home).early().unwrap().0.take() {
        Some(Waiting::First(piped)) => Submission::by(Way::Piped(*piped)),
        other => panic!("{other:?}"),
    };
    submission.envelope(b"", [&b"a@b"[..]]);
    assert_eq!(submission.finish(), Verdict::temporary("unable to exec qq (#4.3.0)"));
}

#[test]
fn one_starter_serves_many_messages() {
    let (_dir, home) = home_with_queue("cat >/dev/null; cat <&1 >/dev/null");
    let mut starter = Starter::new(&home);
    for round in 0..20 {
        let early = if round % 2 == 0 { starter.early().unwrap().next() } else { None };
        let mut submission = early.map_or_else(|| starter.begin(), Ok).unwrap();
        submission.envelope(b"a@b", [&b"c@d"[..]]);
        assert!(matches!(submission.finish(), Verdict::Accepted { .. }));
    }
}

#[test]
fn who_could_not_start_early_waits_for_the_message() {
    let (_dir, good) = home_with_queue("cat >/dev/null; cat <&1 >/dev/null");
    let bad = Home { path: "/a\0b".into(), private: true };
    let mut starter = Starter::new(&bad);
    assert!(starter.early().is_none());
    // It could now, but does not try before there is a message.
    starter.programs = Programs::of(&good);
    assert!(starter.early().is_none());
    drop(starter.begin().unwrap());
    drop(starter.early().unwrap());
}

#[test]
fn failing_leaves_the_envelope_without_its_end() {
    let (_dir, home) = home();
    let script = "cat; tail -c1 <&1 | grep -qx t && exit 31; exit 0";
    let mut submission = run(&home, "/bin/sh");
    submission.write_all(script.as_bytes()).unwrap();
    submission.fail();
    submission.envelope(b"a@b", [&b"c@d"[..]]);
    assert_eq!(submission.finish(), Verdict::temporary("qq read error (#4.3.0)"));
}

#[test]
fn an_address_with_a_zero_byte_is_not_queued() {
    let (verdict, _) = submit("cat >/dev/null; cat <&1 >got", b"", &[b"a\0b@c"]);
    assert_eq!(verdict, Verdict::temporary("qq read error (#4.3.0)"));
}

#[test]
fn our_ends_of_the_pipes_do_not_reach_other_programs() {
    let (_dir, home) = home();
    let piped = Piped::run(&home, "/bin/true".into(), Vec::new()).unwrap();
    for fd in [&piped.pipe, &piped.envelope, &piped.errors] {
        let number = std::os::fd::AsRawFd::as_raw_fd(&fd.as_ref().unwrap().as_fd());
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        assert_eq!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000, 0o2_000_000);
    }
}
