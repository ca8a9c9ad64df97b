//! Messages that came with a seal: believed if they prove themselves.

use std::fs;
use std::os::unix::fs::symlink;

use harness::Side;
use queue::seal;

use super::daemon::Daemon;

const MESSAGE: &str = "Subject: 30\n\nx\n"; // as Daemon::put writes it

fn envelope() -> String {
    let records = b"Fa@b\0Tx@mail.test\0";
    String::from_utf8(seal::envelope(7, 99, &[MESSAGE.as_bytes()], records)).unwrap()
}

/// Begun with a message that has this envelope, after `change`.
fn begun<'a>(side: &'a Side, envelope: &str, change: impl Fn(&Daemon<'_>)) -> Daemon<'a> {
    let mut daemon = Daemon::new(side);
    daemon.put(30, envelope);
    change(&daemon);
    daemon.begin();
    daemon
}

/// It is removed, with this in the log, and its message is left.
fn is_removed(daemon: Daemon<'_>, warning: &str) {
    // Whoever it is for is told of where that can be read.
    let whose = "warning: todo/30 was from <a@b> to ";
    let told = if warning == "is torn" { "" } else { whose };
    daemon.logs(&format!("warning: todo/30 {warning}; removing it\n{told}"));
    assert_eq!(daemon.log().contains(whose), !told.is_empty());
    let has_message = daemon.queue("mess/7/30").exists();
    daemon.clean();
    assert!(!daemon.queue("todo/30").exists());
    assert_eq!(daemon.queue("mess/7/30").exists(), has_message);
    for left in ["info/7/30", "local/7/30"] {
        assert!(!daemon.queue(left).exists(), "{left}");
    }
    // Its number may be another message's.
    daemon.put(30, &envelope());
    daemon.pull();
    daemon.logs("info msg 30: bytes 15 from <a@b> qp 99 uid 7\n");
    assert_eq!(daemon.delivers(30), "7/30\\x00a@b\\x00x@mail.test\\x00");
}

#[test]
fn a_message_that_proves_itself_is_delivered() {
    let side = Side::ours();
    let mut daemon = begun(&side, &envelope(), |_| {});
    daemon.logs("info msg 30: bytes 15 from <a@b> qp 99 uid 7\n");
    daemon.clean();
    assert_eq!(fs::read(daemon.queue("info/7/30")).unwrap(), b"Fa@b\0");
    daemon.command("local");
    daemon.report("local", 0, "Kok\n");
    daemon.clean();
    daemon.logs("end msg 30\n");
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn one_with_many_recipients_proves_itself_too() {
    let side = Side::ours();
    let records = [b"Fa@b\0".as_slice(), &b"Tx@mail.test\0".repeat(2000)].concat();
    let envelope = seal::envelope(7, 99, &[MESSAGE.as_bytes()], &records);
    let mut daemon = Daemon::new(&side);
    side.control("concurrencylocal", "0\n"); // a delivery would be waited for in the end
    daemon.put(30, &String::from_utf8(envelope.clone()).unwrap());
    daemon.start(100);
    daemon.logs("info msg 30: bytes 15 from <a@b> qp 99 uid 7\n");
    daemon.clean();
    assert_eq!(fs::read(daemon.queue("local/7/30")).unwrap(), records[5..]);
    assert_eq!(daemon.leave().exit, 0);

    let side = Side::ours();
    let torn = String::from_utf8(envelope[..9000].to_vec()).unwrap();
    is_removed(begun(&side, &torn, |_| {}), "does not prove mess/7/30");
}

#[test]
fn what_does_not_prove_itself_is_removed() {
    for torn in
        ["", "Subject: 30\n\nx", "Subject: 30\n\ny\n", "Subject: 30\n\nx\nx", "|||||||||||||||"]
    {
        let side = Side::ours();
        let daemon = begun(&side, &envelope(), |daemon| daemon.file("mess/7/30", torn));
        is_removed(daemon, "does not prove mess/7/30");
    }
    let side = Side::ours();
    let remove = |daemon: &Daemon<'_>| fs::remove_file(daemon.queue("mess/7/30")).unwrap();
    is_removed(begun(&side, &envelope(), remove), "has no message");
}

#[test]
fn an_envelope_without_its_head_is_removed() {
    let envelope = envelope();
    for length in [0, 1, 3, 6, 12, 20] {
        let side = Side::ours();
        is_removed(begun(&side, &envelope[..length], |_| {}), "is torn");
        let side = Side::ours();
        let zeros = format!("{}{}", &envelope[..length], "|".repeat(envelope.len() - length));
        is_removed(begun(&side, &zeros, |_| {}), "is torn");
    }
}

/// Without an envelope they would be taken for a message that is preprocessed.
#[test]
fn what_an_attempt_to_preprocess_has_left_goes_first() {
    let side = Side::ours();
    let daemon = begun(&side, &envelope(), |daemon| {
        daemon.file("mess/7/30", "");
        daemon.file("info/7/30", "Fa@b|");
        daemon.file("local/7/30", "Tx@mail.test|");
    });
    is_removed(daemon, "does not prove mess/7/30");
}

#[test]
fn a_message_that_cannot_be_read_proves_nothing_neither_way() {
    let side = Side::ours();
    let mut daemon = begun(&side, &envelope(), |daemon| {
        fs::remove_file(daemon.queue("mess/7/30")).unwrap();
        symlink("30", daemon.queue("mess/7/30")).unwrap();
    });
    daemon.logs_last("warning: unable to open mess/7/30\n");
    fs::remove_file(daemon.queue("mess/7/30")).unwrap();
    daemon.file("mess/7/30", MESSAGE);
    daemon.pull();
    daemon.logs("info msg 30: bytes 15 from <a@b> qp 99 uid 7\n");
    assert_eq!(daemon.leave().exit, 0);
}

/// It may be on a file system that is not mounted yet.
#[test]
fn a_message_whose_directory_is_missing_is_waited_for() {
    let side = Side::ours();
    let daemon = begun(&side, &envelope(), |daemon| {
        fs::rename(daemon.queue("mess/7"), daemon.queue("mess/aside")).unwrap();
    });
    daemon.logs("warning: unable to open mess/7/30\n");
    assert!(daemon.queue("todo/30").exists() && !daemon.log().contains("removing"));
    fs::rename(daemon.queue("mess/aside"), daemon.queue("mess/7")).unwrap();
    daemon.pull();
    daemon.logs("info msg 30: bytes 15 from <a@b> qp 99 uid 7\n");
    assert_eq!(daemon.delivers(30), "7/30\\x00a@b\\x00x@mail.test\\x00");
}

#[test]
fn a_head_that_nobody_writes_waits_and_is_told() {
    let side = Side::ours();
    let mut daemon = begun(&side, "u7|p99 15|Fa@b|Tx@mail.test|", |_| {});
    daemon.logs_last("warning: unknown record type in todo/30\n");
    assert!(daemon.queue("todo/30").exists());
    assert_eq!(daemon.leave().exit, 0);
}

/// A disk may have lost the first part of one that was accepted.
#[test]
fn records_behind_zeros_wait_as_long_as_there_is_a_message() {
    for zeros in [6, 512, 4096, 9000] {
        let side = Side::ours();
        let envelope = format!("{}Fa@b|Tx@mail.test|Ty@mail.test|", "|".repeat(zeros));
        let mut daemon = begun(&side, &envelope, |_| {});
        daemon.logs_last("warning: unknown record type in todo/30\n");
        assert!(daemon.queue("todo/30").exists());
        fs::remove_file(daemon.queue("mess/7/30")).unwrap();
        daemon.pull();
        daemon.logs_last(
            "warning: todo/30 has no message; removing it\n\
             warning: todo/30 was from <a@b> to 2: <x@mail.test> <y@mail.test>\n",
        );
        daemon.clean();
        assert!(!daemon.queue("todo/30").exists());
        assert_eq!(daemon.leave().exit, 0);
    }
}
