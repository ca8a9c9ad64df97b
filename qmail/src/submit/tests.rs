use super::*;
use std::os::fd::AsFd;

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home { path: dir.path().to_owned(), private: true };
    (dir, home)
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
    let mut submission = Submission::run(&home, "filter".into(), None, Vec::new()).unwrap();
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
        let mut submission = Submission::run(&home, program.into(), None, Vec::new()).unwrap();
        submission.envelope(b"", [&b"a@b"[..]]);
        assert_eq!(submission.finish(), Verdict::temporary("unable to exec qq (#4.3.0)"));
    }
    let home = Home { path: home.path.join("missing"), private: true };
    let mut submission = Submission::run(&home, "/bin/true".into(), None, Vec::new()).unwrap();
    submission.envelope(b"", [&b"a@b"[..]]);
    assert_eq!(submission.finish(), Verdict::temporary("qq trouble in home directory (#4.3.0)"));
}

#[test]
fn failing_leaves_the_envelope_without_its_end() {
    let (_dir, home) = home();
    let script = "cat; tail -c1 <&1 | grep -qx t && exit 31; exit 0";
    let mut submission = Submission::run(&home, "/bin/sh".into(), None, Vec::new()).unwrap();
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
    let submission = Submission::run(&home, "/bin/true".into(), None, Vec::new()).unwrap();
    for fd in [&submission.pipe, &submission.envelope, &submission.errors] {
        let number = std::os::fd::AsRawFd::as_raw_fd(&fd.as_ref().unwrap().as_fd());
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        assert_eq!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o2_000_000, 0o2_000_000);
    }
}
