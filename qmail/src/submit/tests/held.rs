//! Messages for qmail-queued, which a thread stands in for.

use super::*;
use queue::hand::{self, Offer};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};
use unix::dir::Dir;
use unix::socket;

/// What `bin/qmail-queue` does: it writes down what it is given, once for each message.
const QUEUE: &str = "cat >> ${0%/*}/got; tr '\\000' '\\n' <&1 >> ${0%/*}/got";

/// A home with a socket at which somebody listens.
fn listening() -> (tempfile::TempDir, Home, OwnedFd) {
    let (dir, home) = home_with_queue(QUEUE);
    std::fs::create_dir(home.join("run")).unwrap();
    let run = Dir::open(&home.join("run")).unwrap();
    let listener = socket::listen_at(&run, "queue".as_ref(), 5).unwrap();
    (dir, home, listener)
}

/// A home where a packet is received and answered for each of `answers`, and then nobody listens any more;
/// gives the packets.
fn answered(answers: &[&[u8]], client: impl FnOnce(&Home)) -> Vec<Vec<u8>> {
    let (_dir, home, listener) = listening();
    thread::scope(|scope| {
        let daemon =
            scope.spawn(move || answers.iter().map(|answer| serve(&listener, answer)).collect());
        client(&home);
        daemon.join().unwrap()
    })
}

fn serve(listener: &OwnedFd, answer: &[u8]) -> Vec<u8> {
    let client = next(listener);
    let mut packet = vec![0; hand::PACKET + 1];
    assert!(comes(&client));
    let length = socket::receive(&client, &mut packet).unwrap();
    packet.truncate(length);
    if !answer.is_empty() {
        socket::send(&client, answer).unwrap();
    }
    packet
}

fn next(listener: &OwnedFd) -> OwnedFd {
    assert!(comes(listener));
    socket::accept_local(listener).unwrap()
}

fn comes(socket: &OwnedFd) -> bool {
    poll::until(socket, false, Some(Instant::now() + Duration::from_secs(20))).unwrap()
}

fn send(submission: io::Result<Submission>, message: &[u8]) -> (Verdict, Option<Idle>) {
    let mut submission = submission.unwrap();
    submission.write_all(message).unwrap();
    submission.envelope(b"a@b", [&b"c@d"[..]]);
    submission.conclude()
}

/// What `bin/qmail-queue` was given.
fn got(home: &Home) -> String {
    std::fs::read_to_string(home.join("bin/got")).unwrap_or_default()
}

const QUEUED: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 99];
const ENVELOPE: &[u8] = b"Fa@b\0Tc@d\0\0";
/// An envelope as `bin/qmail-queue` writes it down.
const WRITTEN: &str = "Fa@b\nTc@d\n\n";

#[test]
fn a_small_message_is_one_packet_and_nothing_is_started() {
    let packets = answered(&[QUEUED, QUEUED], |home| {
        let (verdict, _) = send(Submission::start(home), b"x\n");
        assert_eq!(verdict, Verdict::Accepted { qp: 99 });
        let mut starter = Starter::new(home);
        assert!(starter.early().is_none());
        let (verdict, idle) = send(starter.begin(), b"");
        assert_eq!((verdict, idle.is_none()), (Verdict::Accepted { qp: 99 }, true));
        assert_eq!(got(home), "");
    });
    let packet = |message| Offer { message, envelope: ENVELOPE }.to_packet().unwrap();
    assert_eq!(packets, [packet(b"x\n"), packet(b"")]);
}

#[test]
fn a_refusal_is_worded_as_that_of_the_program() {
    answered(&[&[53, 0, 0, 0, 0, 0, 0, 0, 9], &[11, 0, 0, 0, 0, 0, 0, 0, 9]], |home| {
        let full = Verdict::temporary("qq write error or disk full (#4.3.0)");
        assert_eq!(send(Submission::start(home), b"x\n").0, full);
        let long = Verdict::permanent("envelope address too long for qq (#5.1.3)");
        assert_eq!(send(Submission::start(home), b"x\n").0, long);
        assert_eq!(got(home), "");
    });
}

#[test]
fn who_is_not_answered_gives_the_message_to_the_program() {
    for answer in [&b""[..], b"\0\0", b"0123456789"] {
        let packets = answered(&[answer], |home| {
            let (verdict, _) = send(Submission::start(home), b"x\n");
            assert!(matches!(verdict, Verdict::Accepted { qp } if qp != 99), "{verdict:?}");
            assert_eq!(got(home), format!("x\n{WRITTEN}"));
            // Now nobody listens.
            let (verdict, _) = send(Submission::start(home), b"y\n");
            assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
            assert_eq!(got(home), format!("x\n{WRITTEN}y\n{WRITTEN}"));
        });
        assert_eq!(packets[0].len(), hand::HEADER + 2 + ENVELOPE.len());
    }
}

#[test]
fn one_that_closes_without_reading_has_not_answered() {
    let (_dir, home, listener) = listening();
    thread::scope(|scope| {
        scope.spawn(|| drop(next(&listener)));
        let (verdict, _) = send(Submission::start(&home), b"x\n");
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    });
    assert_eq!(got(&home), format!("x\n{WRITTEN}"));
}

#[test]
fn one_that_never_answers_is_not_waited_for_any_longer() {
    let (_dir, home, listener) = listening();
    let give = |patience| {
        let mut held = Held::new(Reserve::Program(home.clone()));
        assert!(held.put(b"x\n"));
        held.end_message();
        assert!(held.put(b"Fa@b\0Tc@d\0"));
        held.hand_over_within(patience)
    };
    thread::scope(|scope| {
        // It reads the packet, and no more is heard of it.
        let daemon = scope.spawn(|| {
            let client = next(&listener);
            assert!(comes(&client));
            client
        });
        let held = give(Duration::from_millis(50)).unwrap_err();
        let (verdict, _) = held.pipe().conclude(true);
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
        drop(daemon.join().unwrap());
    });
    // It does not even accept.
    let held = give(Duration::from_millis(50)).unwrap_err();
    let (verdict, _) = held.pipe().conclude(true);
    assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
    assert_eq!(got(&home), format!("x\n{WRITTEN}").repeat(2));
}

#[test]
fn what_just_fits_is_one_packet() {
    let most = hand::MOST - ENVELOPE.len();
    let packets = answered(&[QUEUED], |home| {
        let (verdict, _) = send(Submission::start(home), &vec![b'x'; most]);
        assert_eq!(verdict, Verdict::Accepted { qp: 99 });
    });
    assert_eq!(packets[0].len(), hand::PACKET);
}

#[test]
fn what_does_not_fit_goes_to_the_program_from_its_first_byte_to_its_last() {
    let (_dir, home, listener) = listening();
    let most = hand::MOST - ENVELOPE.len();
    let mut expected = String::new();
    for length in [most + 1, most + ENVELOPE.len() + 1, 300_000] {
        let message = "0123456789".repeat(length / 10) + &"z".repeat(length % 10);
        let (verdict, _) = send(Submission::start(&home), message.as_bytes());
        assert!(matches!(verdict, Verdict::Accepted { .. }), "{verdict:?}");
        expected.extend([&*message, WRITTEN]);
        assert!(got(&home) == expected, "{length}");
    }
    assert!(socket::accept_local(&listener).is_err());
}

#[test]
fn an_envelope_that_does_not_fit_goes_with_its_message() {
    let (_dir, home, listener) = listening();
    let recipients: Vec<Vec<u8>> =
        (0..9000).map(|number| format!("user-{number}@host.example").into_bytes()).collect();
    let mut submission = Submission::start(&home).unwrap();
    submission.write_all(b"x\n").unwrap();
    submission.envelope(b"a@b", recipients.iter().map(Vec::as_slice));
    assert!(matches!(submission.finish(), Verdict::Accepted { .. }));
    let lines: Vec<String> =
        recipients.iter().map(|one| format!("T{}\n", String::from_utf8_lossy(one))).collect();
    assert!(got(&home) == format!("x\nFa@b\n{}\n", lines.concat()));
    assert!(socket::accept_local(&listener).is_err());
}

#[test]
fn what_is_given_up_is_nobodys() {
    let (_dir, home, listener) = listening();
    let incomplete = Verdict::temporary("qq read error (#4.3.0)");
    let mut submission = Submission::start(&home).unwrap();
    submission.write_all(b"x").unwrap();
    submission.fail();
    submission.write_all(&vec![b'x'; 100_000]).unwrap();
    submission.envelope(b"a@b", [&b"c@d"[..]]);
    assert_eq!(submission.finish(), incomplete);
    let mut submission = Submission::start(&home).unwrap();
    submission.envelope(b"a@b", [&b"c\0@d"[..]]);
    assert_eq!(submission.finish(), incomplete);
    let submission = Submission::start(&home).unwrap();
    assert_eq!(submission.finish(), incomplete);
    drop(Submission::start(&home).unwrap());
    assert!(socket::accept_local(&listener).is_err());
    assert_eq!(got(&home), "");
}

#[test]
fn a_program_that_is_missing_is_missed_by_those_who_need_it() {
    answered(&[QUEUED], |home| {
        std::fs::remove_file(home.join("bin/qmail-queue")).unwrap();
        let mut starter = Starter::new(home);
        assert_eq!(send(starter.begin(), b"x").0, Verdict::Accepted { qp: 99 });
        for message in [b"x".to_vec(), vec![b'x'; 70_000]] {
            let missing = Verdict::temporary("unable to exec qq (#4.3.0)");
            assert_eq!(send(starter.begin(), &message).0, missing);
            assert_eq!(send(Submission::start(home), &message).0, missing);
        }
    });
}
