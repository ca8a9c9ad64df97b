//! Messages with one recipient, delivered straight from todo/ by spawners of ours.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use harness::{Side, sometime, until};
use queue::seal;

use super::daemon::Daemon;

const LOCAL: &str = "x@mail.test";
const REMOTE: &str = "x@remote.test";

/// Begun with spawners of ours, with a message that is being delivered.
fn under_way<'a>(side: &'a Side, recipient: &str) -> Daemon<'a> {
    under_way_with(side, recipient, &format!("u7|p99|Fa@b|T{recipient}|"))
}

/// The same with this envelope, for the recipient.
fn under_way_with<'a>(side: &'a Side, recipient: &str, envelope: &str) -> Daemon<'a> {
    let mut daemon = Daemon::new(side);
    side.control("concurrencylocal", "150\n");
    side.control("concurrencyremote", "150\n");
    daemon.is_wide = true;
    daemon.start(100);
    // It has heard both answers.
    let has_heard = || {
        daemon.answer_questions();
        daemon.log().ends_with("status: local 0/150 remote 0/150\n")
    };
    assert!(until(has_heard), "{}", daemon.log());
    daemon.put(30, envelope);
    daemon.pull();
    let command = daemon.hear(if recipient == LOCAL { "to-local" } else { "to-remote" }, 5);
    assert_eq!(command, format!("\\xff7/30\\x00a@b\\x000\\x00{recipient}\\x00\\x00"));
    daemon
}

fn report(daemon: &Daemon<'_>, recipient: &str, text: &str) {
    let pipe = if recipient == LOCAL { "from-local" } else { "from-remote" };
    daemon.tell(pipe, &[b"\xff0:", text.as_bytes(), b"\0"].concat());
}

/// Which files the message has in todo/, info/, and of recipients.
fn files(daemon: &Daemon<'_>) -> [bool; 4] {
    ["todo/30", "info/7/30", "local/7/30", "remote/7/30"].map(|name| daemon.queue(name).exists())
}

/// The delivery succeeds, and the message leaves no file.
fn succeeds_and_ends(mut daemon: Daemon<'_>) {
    report(&daemon, LOCAL, "Kok\n");
    daemon.clean();
    daemon.logs_last("end msg 30\n");
    assert_eq!(files(&daemon), [false; 4]);
    assert_eq!(daemon.leave().exit, 0);
}

const LYING: [bool; 4] = [true, false, false, false];

#[test]
fn a_success_leaves_no_file_and_is_told_when_the_envelope_is_gone() {
    // A test that is held up for a second takes long itself.
    sometime(|| {
        let side = Side::ours();
        let mut daemon = under_way(&side, LOCAL);
        let lies = files(&daemon) == LYING;
        report(&daemon, LOCAL, "Kok\n");
        assert_eq!(daemon.hear("to-clean", 1), "over/30\\x00");
        if !lies || daemon.log().contains("success") {
            return Err(daemon.log());
        }
        for name in ["todo/30", "mess/7/30"] {
            fs::remove_file(daemon.queue(name)).unwrap();
        }
        daemon.tell("from-clean", b"+");
        daemon.logs_last(
            "new msg 30\n\
             info msg 30: bytes 15 from <a@b> qp 99 uid 7\n\
             starting delivery 1: msg 30 to local x@mail.test\n\
             status: local 1/150 remote 0/150\n\
             delivery 1: success: ok/\n\
             status: local 0/150 remote 0/150\n\
             end msg 30\n",
        );
        assert_eq!(daemon.leave().exit, 0);
        Ok(())
    });
}

#[test]
fn a_qmail_clean_that_knows_no_such_request_is_asked_twice() {
    // As above.
    sometime(|| {
        let side = Side::ours();
        let mut daemon = under_way(&side, LOCAL);
        let lies = files(&daemon) == LYING;
        report(&daemon, LOCAL, "Kok\n");
        assert_eq!(daemon.hear("to-clean", 1), "over/30\\x00");
        if !lies {
            return Err(daemon.log());
        }
        daemon.tell("from-clean", b"x");
        daemon.clean();
        daemon.logs_last("end msg 30\n");
        daemon.clean();
        assert!(!daemon.queue("mess/7/30").exists());
        assert!(!daemon.log().contains("warning"), "{}", daemon.log());
        assert_eq!(daemon.leave().exit, 0);
        Ok(())
    });
}

#[test]
fn who_is_not_reached_at_once_has_a_file() {
    let side = Side::ours();
    let mut daemon = under_way(&side, REMOTE);
    report(&daemon, REMOTE, "Zlater\n");
    daemon.clean();
    daemon.logs_last("delivery 1: deferral: later/\nstatus: local 0/150 remote 0/150\n");
    assert_eq!(files(&daemon), [false, true, false, true]);
    assert_eq!(fs::read(daemon.queue("info/7/30")).unwrap(), b"Fa@b\0");
    assert_eq!(fs::read(daemon.queue("remote/7/30")).unwrap(), b"Tx@remote.test\0");
    assert_eq!(daemon.leave().exit, 0);
}

/// qmail-queued, which was told that the disk had failed, has emptied its envelope.
#[test]
fn what_was_refused_meanwhile_has_no_file_in_the_end() {
    // As above.
    sometime(|| {
        let side = Side::ours();
        let records = format!("Fa@b\0T{REMOTE}\0");
        let envelope = seal::envelope(7, 99, &[b"Subject: 30\n\nx\n"], records.as_bytes());
        let envelope = String::from_utf8(envelope).unwrap();
        let mut daemon = under_way_with(&side, REMOTE, &envelope);
        File::options().write(true).open(daemon.queue("todo/30")).unwrap().set_len(0).unwrap();
        if files(&daemon) != LYING {
            return Err(daemon.log());
        }
        report(&daemon, REMOTE, "Dno such mailbox\n");
        daemon.logs("delivery 1: deferral: no_such_mailbox/\n");
        daemon.pull();
        daemon.logs("warning: todo/30 is torn; removing it\n");
        daemon.clean();
        assert_eq!(files(&daemon), [false; 4]);
        assert_eq!(daemon.leave().exit, 0);
        Ok(())
    });
}

#[test]
fn a_delivery_that_takes_long_has_a_file_meanwhile() {
    let side = Side::ours();
    let daemon = under_way(&side, LOCAL);
    daemon.clean();
    assert_eq!(files(&daemon), [false, true, true, false]);
    succeeds_and_ends(daemon);
}

#[test]
fn a_message_that_was_half_preprocessed_is_not_delivered_straight() {
    let side = Side::ours();
    let daemon = under_way(&side, LOCAL);
    report(&daemon, LOCAL, "Kok\n");
    daemon.clean();
    daemon.file("info/7/30", "Fother@b|");
    daemon.file("local/7/30", "Tother@mail.test|");
    daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
    daemon.pull();
    daemon.clean();
    daemon.hear("to-local", 5);
    assert_eq!(fs::read(daemon.queue("local/7/30")).unwrap(), b"Tx@mail.test\0");
    succeeds_and_ends(daemon);
}

#[test]
fn one_of_which_nothing_can_be_noted_is_not_attempted_again_before_that_can_be() {
    // A test that is held up for a second finds it preprocessed.
    sometime(|| {
        let side = Side::ours();
        let mut daemon = under_way(&side, REMOTE);
        let (info, aside) = (daemon.queue("info/7"), daemon.queue("info/aside"));
        fs::rename(&info, &aside).unwrap();
        if files(&daemon) != LYING {
            return Err(daemon.log());
        }
        report(&daemon, REMOTE, "Zlater\n");
        let told = "delivery 1: deferral: later/\nstatus: local 0/150 remote 0/150\n";
        daemon.logs(told);
        daemon.pull();
        daemon.logs(&format!("{told}warning: unable to create info/7/30\n"));
        fs::rename(&aside, &info).unwrap();
        daemon.pull();
        daemon.clean();
        daemon.hear("to-remote", 5);
        assert_eq!(files(&daemon), [false, true, false, true]);
        report(&daemon, REMOTE, "Kok\n");
        daemon.clean();
        daemon.logs_last("end msg 30\n");
        assert_eq!(files(&daemon), [false; 4]);
        assert_eq!(daemon.leave().exit, 0);
        Ok(())
    });
}

/// After a clean stop the queue is one that any qmail-send carries on with.
#[test]
fn what_waits_at_the_end_is_where_it_was() {
    // In a second neither message has waited for long.
    sometime(|| {
        let side = Side::ours();
        let before = Instant::now();
        let mut daemon = under_way(&side, LOCAL);
        side.control("concurrencylocal", "1\n");
        daemon.signal(unix::signal::Signal::SIGHUP);
        daemon.logs_last("status: local 1/1 remote 0/150\n");
        daemon.put(31, "u7|p99|Fa@b|Ty@mail.test|");
        daemon.pull();
        daemon.logs("info msg 31: ");
        daemon.signal(unix::signal::Signal::SIGTERM);
        report(&daemon, LOCAL, "Dno\n");
        if before.elapsed() > Duration::from_secs(1) {
            return Err(before.elapsed());
        }
        daemon.clean();
        daemon.clean();
        let run = daemon.end();
        assert_eq!(run.exit, 0);
        assert_eq!(files(&daemon), [false; 4]);
        let log = String::from_utf8(run.stderr).unwrap();
        assert!(log.contains("bounce msg 30 qp ") && log.ends_with("status: exiting\n"), "{log}");
        Ok(())
    });
}
