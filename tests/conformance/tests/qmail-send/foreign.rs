//! A queue with files in it that are torn, foreign, unreadable or enormous: a line about each, and the
//! other messages go on.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use harness::{Side, skipped_for};

use super::daemon::Daemon;
use super::send;

/// Ends it; gives its log.
fn log_of(daemon: &mut Daemon<'_>) -> String {
    let run = daemon.leave();
    assert_eq!(run.exit, 0);
    String::from_utf8(run.stderr).unwrap()
}

/// A message that nothing is wrong with is delivered, and removed.
fn delivers(daemon: &Daemon<'_>) {
    daemon.put(40, "u7|p99|Fa@b|Tgood@mail.test|");
    daemon.pull();
    let request = daemon.hear("to-clean", 1);
    assert_eq!(request, "todo/40\\x00");
    fs::remove_file(daemon.queue("todo/40")).unwrap();
    daemon.tell("from-clean", b"+");
    let command = daemon.command("local");
    assert!(command.contains("good@mail.test"), "{command}");
    daemon.report("local", 0, "Kok\n");
    daemon.clean();
    daemon.logs("end msg 40\n");
}

#[test]
fn foreign_files_are_left_alone() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let areas = ["mess/7", "info/7", "local/7", "remote/7", "todo", "intd", "bounce", "pid"];
    let names = ["notes", ".hidden", "12x", "-5", "18446744073709551616", "30.lock"];
    for area in areas {
        for name in names {
            daemon.file(&format!("{area}/{name}"), "what is this?");
        }
    }
    daemon.begin();
    delivers(&daemon);
    let log = log_of(&mut daemon);
    for area in areas {
        for name in names {
            assert!(daemon.queue(&format!("{area}/{name}")).exists(), "{area}/{name}");
        }
    }
    assert!(!log.contains("warning"), "{log}");
}

/// What the dead have left is looked for there; what is delivered is not.
#[test]
fn a_directory_of_messages_that_cannot_be_listed_is_told() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    fs::remove_dir(daemon.queue("mess/8")).unwrap();
    daemon.file("mess/8", "what is this?");
    daemon.begin();
    daemon.logs("warning: unable to opendir mess/8; will try again later\n");
    delivers(&daemon);
    log_of(&mut daemon);
    fs::remove_file(daemon.queue("mess/8")).unwrap();
    fs::create_dir(daemon.queue("mess/8")).unwrap();
}

#[test]
fn what_is_named_as_a_message_and_is_no_file_is_told() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    fs::create_dir(daemon.queue("todo/30")).unwrap();
    daemon.file("mess/7/30", "x");
    fs::create_dir(daemon.queue("info/8/31")).unwrap();
    daemon.file("local/8/31", "Tx@mail.test|");
    fs::create_dir(daemon.queue("local/9/32")).unwrap();
    daemon.file("info/9/32", "Fa@b|");
    symlink("33", daemon.queue("todo/33")).unwrap();
    daemon.file("mess/10/33", "x");
    daemon.begin();
    delivers(&daemon);
    for line in [
        "warning: trouble reading todo/30\n",
        "warning: trouble opening info/8/31; will try again later\n",
        "warning: trouble reading local/9/32; will try again later\n",
        "warning: unable to open todo/33\n",
    ] {
        daemon.logs(line);
    }
    // What is compared is read; a symbolic link to itself cannot be.
    fs::remove_file(daemon.queue("todo/33")).unwrap();
    fs::remove_dir(daemon.queue("todo/30")).unwrap();
    fs::remove_dir(daemon.queue("info/8/31")).unwrap();
    fs::remove_dir(daemon.queue("local/9/32")).unwrap();
    assert_eq!(daemon.leave().exit, 0);
}

/// A recipient whose record has no end is nobody: half an address may be somebody else's.
#[test]
fn a_torn_file_of_recipients_serves_those_that_are_whole() {
    let whole = "Tx@mail.test|Ty@mail.testing|";
    for length in 0..whole.len() {
        let side = Side::ours();
        let mut daemon = Daemon::new(&side);
        daemon.put_preprocessed(30, 10, "a@b", "local", &whole[..length]);
        daemon.begin();
        let first = whole.find('|').unwrap();
        if length > first {
            let command = daemon.command("local");
            assert!(command.ends_with("\\x00a@b\\x00x@mail.test\\x00"), "{command}");
            daemon.report("local", 0, "Kok\n");
            daemon.logs("delivery 1: success: ok/\n");
        }
        if length == first + 1 {
            daemon.clean();
        }
        delivers(&daemon);
        let log = log_of(&mut daemon);
        assert!(!log.contains("to local y@mail.test"), "{length}: {log}");
        // That it had another, nobody can see.
        let is_whole = length == first + 1;
        assert!(is_whole || log.contains("local/7/30"), "{length}: nothing is said: {log}");
        assert!(is_whole || daemon.queue("local/7/30").exists(), "{length}: {log}");
    }
}

#[test]
fn a_torn_sender_or_envelope_waits_and_is_told() {
    let sender = "Fa@b|";
    for length in 0..sender.len() {
        let side = Side::ours();
        let mut daemon = Daemon::new(&side);
        daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|");
        daemon.file("info/7/30", &sender[..length]);
        daemon.begin();
        daemon.logs("warning: trouble opening info/7/30; will try again later\n");
        delivers(&daemon);
        assert_eq!(daemon.leave().exit, 0);
        assert!(daemon.queue("local/7/30").exists());
    }
    let envelope = "u7|p99|Fa@b|Tx@mail.test|";
    for length in [8, 11, 13, 23] {
        let side = Side::ours();
        let mut daemon = Daemon::new(&side);
        daemon.put(30, &envelope[..length]);
        daemon.begin();
        daemon.logs("todo/30\n");
        delivers(&daemon);
        let log = log_of(&mut daemon);
        assert!(daemon.queue("todo/30").exists(), "{length}");
        assert!(!log.contains("to local x"), "{length}: {log}");
    }
}

#[test]
fn a_directory_that_is_a_file_keeps_only_its_messages_waiting() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.begin();
    fs::remove_dir(daemon.queue("local/7")).unwrap();
    daemon.file("local/7", "no directory");
    daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
    daemon.pull();
    daemon.logs("warning: unable to create local/7/30\n");
    delivers(&daemon);
    fs::remove_file(daemon.queue("local/7")).unwrap();
    fs::create_dir(daemon.queue("local/7")).unwrap();
    daemon.pull();
    daemon.clean();
    daemon.command("local");
    daemon.report("local", 0, "Kok\n");
    daemon.clean();
    daemon.logs("end msg 30\n");
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn what_another_owns_waits_and_is_told() {
    if unix::Uid::current().is_root() {
        skipped_for("root may read what another owns");
        return;
    }
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
    daemon.put_preprocessed(31, 10, "a@b", "local", "Tx@mail.test|");
    daemon.put_preprocessed(32, 10, "a@b", "remote", "Tx@remote.test|");
    let names = ["todo/30", "info/8/31", "remote/9/32"];
    for name in names {
        fs::set_permissions(daemon.queue(name), Permissions::from_mode(0o0)).unwrap();
    }
    daemon.begin();
    delivers(&daemon);
    for name in names {
        daemon.logs(name);
        fs::set_permissions(daemon.queue(name), Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn a_message_beyond_two_gibibytes_has_its_size_told() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
    // It has no bytes, but a length.
    let file = File::options().write(true).open(daemon.queue("mess/7/30")).unwrap();
    file.set_len(5_000_000_000).unwrap();
    daemon.begin();
    daemon.logs("info msg 30: bytes 5000000000 from <a@b> qp 99 uid 7\n");
    daemon.delivers(30);
}

#[test]
fn half_a_million_recipients_take_no_memory() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.put(30, &format!("u7|p99|Fa@b|{}", "Tsomebody.or.other@mail.test|".repeat(500_000)));
    daemon.begin();
    daemon.clean();
    (0..10).for_each(|_| drop(daemon.command("local")));
    let peak = daemon.peak();
    assert!(peak < 24 * 1024, "{peak} KiB");
    for number in 0..10 {
        daemon.report("local", number, "Kok\n");
        daemon.command("local");
    }
    (0..10).for_each(|number| daemon.report("local", number, "Znot now\n"));
    (0..10).for_each(|_| drop(daemon.command("local")));
    assert!(daemon.peak() < 24 * 1024, "{} KiB", daemon.peak());
}

#[test]
fn a_file_of_recipients_that_goes_meanwhile_is_told() {
    send("unmarked", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|Ty@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("local");
        let file = daemon.queue("local/7/30");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        daemon.report("local", 0, "Kok\n");
        daemon.logs("warning: trouble marking local/7/30; message will be delivered twice!\n");
        fs::remove_dir(&file).unwrap();
        daemon.file("local/7/30", "Tx@mail.test|Ty@mail.test|");
        daemon.logs_last("status: local 1/10 remote 0/20\n");
        daemon.report("local", 1, "Kok\n");
        daemon.clean();
        daemon.leave()
    })
    .same();
    send("untimed", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.report("local", 0, "Znot yet\n");
        daemon.logs_last("status: local 0/10 remote 0/20\n");
        fs::remove_file(daemon.queue("local/7/30")).unwrap();
        daemon.leave()
    })
    .same();
}
