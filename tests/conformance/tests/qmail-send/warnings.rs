//! What goes wrong under a qmail-send that runs: the line about it, and that it goes on once it is mended.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use harness::Side;
use unix::signal::Signal;

use super::daemon::Daemon;

/// Puts a directory in a file's place.
fn becomes_directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

/// Puts a directory aside, and a file in its place; gives where it is.
fn becomes_file(path: &Path) -> PathBuf {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside).unwrap();
    fs::write(path, "no directory").unwrap();
    aside
}

/// Puts it back.
fn comes_back(path: &Path, aside: &Path) {
    fs::remove_file(path).unwrap();
    fs::rename(aside, path).unwrap();
}

/// A message with these recipients, who are asked for in turn.
fn begins(daemon: &mut Daemon<'_>, recipients: &str) {
    daemon.begin();
    daemon.put(30, &format!("u7|p99|Fa@b|{recipients}"));
    daemon.pull();
    daemon.clean();
    for _ in 0..recipients.matches('|').count() {
        daemon.command("local");
    }
}

#[test]
fn it_does_not_start_without_its_home() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let aside = side.home().with_extension("aside");
    fs::rename(side.home(), &aside).unwrap();
    daemon.start(100);
    daemon.logs_last("alert: cannot start: unable to switch to home directory\n");
    fs::rename(&aside, side.home()).unwrap();
    assert_eq!(daemon.end().exit, 111);
}

#[test]
fn a_home_that_is_gone_is_not_read_again() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.begin();
    let aside = side.home().with_extension("aside");
    fs::rename(side.home(), &aside).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.logs_last("alert: unable to reread controls: unable to switch to home directory\n");
    fs::rename(&aside, side.home()).unwrap();
    side.control("concurrencylocal", "7\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logs_last("status: local 0/7 remote 0/20\n");
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn a_directory_that_cannot_be_listed_at_the_start_is_waited_for() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let info = daemon.queue("info/7");
    let aside = becomes_file(&info);
    daemon.start(100);
    daemon.logs("alert: unable to opendir info/7, sleeping...\n");
    comes_back(&info, &aside);
    daemon.logs_last("status: local 0/10 remote 0/20\n");
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn a_message_that_cannot_be_looked_at_is_told_and_stays() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|");
    let file = daemon.queue("local/7/30");
    fs::remove_file(&file).unwrap();
    symlink("30", &file).unwrap();
    daemon.begin();
    daemon.logs("warning: unable to stat local/7/30; will try again later\n");
    fs::remove_file(&file).unwrap();
    assert_eq!(daemon.leave().exit, 0);
    assert!(daemon.queue("info/7/30").exists());
}

#[test]
fn a_bounce_that_cannot_be_written_is_waited_for() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    begins(&mut daemon, "Tx@mail.test|");
    let bounces = daemon.queue("bounce");
    let aside = becomes_file(&bounces);
    daemon.report("local", 0, "Dno\n");
    daemon.logs("alert: unable to append to bounce message; HELP! sleeping...\n");
    comes_back(&bounces, &aside);
    daemon.clean();
    daemon.logs("end msg 30\n");
    assert_eq!(daemon.leave().exit, 0);
    let bounce = String::from_utf8(side.read("bounce")).unwrap();
    assert!(bounce.contains("\n<x@mail.test>:\nno\n"), "{bounce}");
}

#[test]
fn a_bounce_that_cannot_be_looked_at_waits() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    begins(&mut daemon, "Tx@mail.test|Ty@mail.test|");
    daemon.report("local", 0, "Dno\n");
    daemon.logs("delivery 1: failure: no/\n");
    let bounces = daemon.queue("bounce");
    let aside = becomes_file(&bounces);
    daemon.report("local", 1, "Kok\n");
    daemon.logs("warning: unable to stat bounce/30\n");
    comes_back(&bounces, &aside);
    assert!(!daemon.log().contains("end msg"));
    assert_eq!(daemon.leave().exit, 0);
}

#[test]
fn a_bounce_that_cannot_be_removed_keeps_the_message() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    let bounce = daemon.queue("bounce/30");
    side.script(
        "obstruct",
        &format!("#!/bin/sh\ncat > /dev/null; rm {0} && mkdir {0}\n", bounce.display()),
    );
    daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|");
    daemon.start_with(100, "obstruct", &[]);
    daemon.command("local");
    daemon.report("local", 0, "Dno\n");
    daemon.logs_last("warning: unable to unlink bounce/30\n");
    assert!(daemon.log().contains("bounce msg 30 qp "));
    fs::remove_dir(bounce).unwrap();
    assert_eq!(daemon.leave().exit, 0);
    assert!(daemon.queue("info/7/30").exists());
}

#[test]
fn a_sender_that_cannot_be_removed_keeps_the_message() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    begins(&mut daemon, "Tx@mail.test|");
    let sender = daemon.queue("info/7/30");
    becomes_directory(&sender);
    daemon.report("local", 0, "Kok\n");
    daemon.logs("end msg 30\nwarning: unable to unlink info/7/30; will try again later\n");
    fs::remove_dir(sender).unwrap();
    assert_eq!(daemon.leave().exit, 0);
    assert!(daemon.queue("mess/7/30").exists());
}

#[test]
fn recipients_who_are_done_and_cannot_be_removed_are_told() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    begins(&mut daemon, "Tx@mail.test|");
    let recipients = daemon.queue("local/7/30");
    becomes_directory(&recipients);
    daemon.report("local", 0, "Kok\n");
    daemon.logs("warning: unable to unlink local/7/30; will try again later\n");
    fs::remove_dir(recipients).unwrap();
    assert_eq!(daemon.leave().exit, 0);
    assert!(daemon.queue("info/7/30").exists());
}
