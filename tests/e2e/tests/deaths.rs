//! One process of a host dies while the others live: what it had in hand is done again.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use harness::{Host, Peer, until};
use unix::signal::{self, Signal};
use unix::{Pid, file};

const MESSAGE: &str = "From: a@b.example\nTo: x\nSubject: once\n\nbody\n";

fn send(host: &Host, to: &str) {
    host.sends(MESSAGE, &["-f", "a@b.example", to]);
}

/// Waits for the one process with these words, and kills it; not before qmail-send knows its helpers.
fn kill(host: &Host, words: &[&str]) {
    host.logs("qmail", "status: local ");
    let pid = Pid::from_raw(host.process(words));
    signal::send(pid, Signal::SIGKILL).expect("a process of ours");
}

/// The mbox `you/box`, which takes the mail for `you-box`, with its lock held.
fn locked_box(host: &Host) -> File {
    host.write("you/.qmail-box", "./box\n");
    host.write("you/box", "");
    let held = File::open(host.path("you/box")).unwrap();
    file::lock(&held).unwrap();
    held
}

/// Waits until so many processes wait for the lock.
fn wait_for_lock(host: &Host, held: &File, count: usize) {
    let inode = format!(":{} ", held.metadata().unwrap().ino());
    let waiting = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().filter(|line| line.contains("->") && line.contains(&inode)).count()
    };
    assert!(until(|| waiting() == count), "{} wait\n{}", waiting(), host.said());
}

/// Whole messages in the mbox, to which nobody writes meanwhile.
fn copies(host: &Host) -> usize {
    let held = File::open(host.path("you/box")).unwrap();
    file::lock(&held).unwrap();
    let mbox = fs::read_to_string(host.path("you/box")).unwrap();
    assert!(mbox.is_empty() || mbox.ends_with("\nbody\n\n"), "{mbox}");
    mbox.matches("\nSubject: once\n").count()
}

#[test]
fn what_a_killed_helper_had_in_hand_is_delivered() {
    let host = Host::start();
    let held = locked_box(&host);
    send(&host, "you-box@daisychain.example");
    wait_for_lock(&host, &held, 1);
    kill(&host, &["qmail-local", "-s"]);
    // It is done once more, by a process of its own.
    assert!(until(|| host.processes(&["qmail-local", "--"]).len() == 1), "{}", host.said());
    wait_for_lock(&host, &held, 1);
    assert_eq!(held.metadata().unwrap().len(), 0);
    drop(held);
    host.logs("qmail", "delivery 1: success: did_1+0+0/");
    host.drains();
    assert_eq!(copies(&host), 1);
}

#[test]
fn a_mailbox_that_another_holds_keeps_no_other_delivery_back() {
    let host = Host::start();
    let held = locked_box(&host);
    let (mbox, maildir) = ("you-box@daisychain.example", "you@daisychain.example");
    host.sends(MESSAGE, &["-f", "a@b.example", mbox, maildir]);
    host.logs("qmail", "success: did_1+0+0/"); // one waits for the lock
    wait_for_lock(&host, &held, 1);
    assert_eq!(held.metadata().unwrap().len(), 0);
    drop(held);
    host.drains();
    assert_eq!(copies(&host), 1);
}

#[test]
fn a_delivery_that_is_killed_is_deferred_and_tried_again() {
    let host = Host::start();
    let held = locked_box(&host);
    send(&host, "you-box@daisychain.example");
    wait_for_lock(&host, &held, 1);
    kill(&host, &["qmail-local", "-s"]);
    kill(&host, &["qmail-local", "--"]);
    host.logs("qmail", "delivery 1: deferral: qmail-local_crashed./");
    drop(held);
    host.svc("-a", "qmail");
    host.logs("qmail", "delivery 2: success: did_1+0+0/");
    host.drains();
    assert_eq!(copies(&host), 1);
}

#[test]
fn when_the_local_spawner_dies_everything_is_begun_again() {
    let host = Host::start();
    let held = locked_box(&host);
    send(&host, "you-box@daisychain.example");
    wait_for_lock(&host, &held, 1);
    kill(&host, &["qmail-lspawn", "./Maildir/"]);
    host.logs("qmail", "alert: oh no! lost spawn connection! dying...");
    host.logs("qmail", "status: exiting");
    // Supervise has started qmail again, which does not wait for what was left behind.
    wait_for_lock(&host, &held, 2);
    drop(held);
    host.logs("qmail", "delivery 1: success: did_1+0+0/");
    host.drains();
    assert!((1..=2).contains(&copies(&host)), "{}", host.said());
}

#[test]
fn when_the_remote_spawner_dies_everything_is_begun_again() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write("qmail/control/smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    kill(&host, &["qmail-rspawn"]);
    host.logs("qmail", "alert: oh no! lost spawn connection! dying...");
    host.logs("qmail", "status: exiting");
    send(&host, "friend@elsewhere.example");
    assert_eq!(peer.hears(1).len(), 1, "{}", host.said());
    host.drains();
}

#[test]
fn when_qmail_clean_dies_everything_is_begun_again() {
    let host = Host::start();
    kill(&host, &["qmail-clean"]);
    host.logs("qmail", "alert: oh no! lost qmail-clean connection! dying...");
    host.logs("qmail", "status: exiting");
    send(&host, "you@daisychain.example");
    assert!(host.receives(1)[0].contains("Subject: once\n"));
    host.drains();
}
