//! Each program of the path dies at each of its system calls in turn, or has each of them fail: what was
//! accepted arrives, whole, and nothing is left that is in the way.
//!
//! A death leaves the disk as the calls before it did, so those that only read or wait are left out: that
//! is the same disk as at the next call that changes something or tells somebody. Of those that are left, every so
//! many are tried, to be done in a minute; `DAISYCHAIN_CRASH=full` tries all.

#[path = "killed/points.rs"]
mod points;
#[path = "killed/world.rs"]
mod world;

use harness::strace;
use points::{Point, Why, record};
use world::World;

/// Calls that fail without a word, and why that is no harm. The table of `doc/queue.md`, section 4.
const HARMLESS: [(&str, &str, &str); 9] = [
    ("qmail-queue", "openat qmail/queue/pid/N", "another name is tried"),
    (
        "qmail-queue",
        "unlinkat qmail/queue/pid/N",
        "qmail-clean removes the name a day and a half later",
    ),
    ("qmail-queued", "openat qmail/queue/pid/N", "another name is tried"),
    (
        "qmail-queued",
        "unlinkat qmail/queue/pid/N",
        "qmail-clean removes the name a day and a half later",
    ),
    ("qmail-queued", "openat qmail/control/extraqueue", "the message goes to qmail-queue"),
    ("qmail-queued", "openat qmail/queue/intd/N", "the message goes to qmail-queue"),
    (
        "qmail-send",
        "openat qmail/queue/info/N/N",
        "what may be in the way is removed, and it is tried again",
    ),
    ("qmail-local", "unlinkat you/Maildir/tmp/N", "a second name of a message that is in new/"),
    ("qmail-local", "unlinkat you/also/tmp/N", "a second name of a message that is in new/"),
];

/// How many points of a program are tried, unless all are.
const POINTS: usize = 12;

/// Some of the points, evenly; the first and the last of them.
fn some(points: Vec<Point>) -> Vec<Point> {
    let all = points.len();
    if std::env::var_os("DAISYCHAIN_CRASH").is_some_and(|how| how == "full") || all <= POINTS {
        return points;
    }
    let chosen = (0..POINTS).map(|number| number * (all - 1) / (POINTS - 1));
    let mut points: Vec<Option<Point>> = points.into_iter().map(Some).collect();
    chosen.filter_map(|place| points[place].take()).collect()
}

/// Tries the points of `program`.
fn each(program: &str, why: Why) {
    let Some(strace) = strace() else { return };
    let Some(mut host) = World::new(&strace, program) else { return };
    let points = record(&mut host, why);
    assert!(!points.is_empty(), "{program} makes no call that counts");
    let all = points.len();
    let points = some(points);
    let (tried, mut twice) = (points.len(), 0);
    let (mut failed, mut silent) = (0, Vec::new());
    for point in &points {
        host.options(&point.options);
        let found = host.round(&point.name);
        twice += found.repeated;
        if let Some(call) = points::failed(&host) {
            failed += 1;
            if !found.is_told {
                silent.push(call);
            }
        }
    }
    host.nothing_stays();
    println!(
        "{program}: {why:?}: {tried} of {all} calls, {failed} failed, {twice} copies too many, silent: {silent:?}"
    );
    let is_harmless = |call: &String| {
        HARMLESS.iter().any(|(who, what, _)| *who == program && call.starts_with(what))
    };
    silent.retain(|call| !is_harmless(call));
    assert!(silent.is_empty(), "{program}: no word of {silent:?}");
}

#[test]
fn qmail_smtpd_may_die() {
    each("qmail-smtpd", Why::Death);
}

#[test]
fn qmail_queue_may_die() {
    each("qmail-queue", Why::Death);
}

#[test]
fn qmail_queued_may_die() {
    each("qmail-queued", Why::Death);
}

#[test]
fn qmail_send_may_die() {
    each("qmail-send", Why::Death);
}

#[test]
fn qmail_clean_may_die() {
    each("qmail-clean", Why::Death);
}

#[test]
fn qmail_lspawn_may_die() {
    each("qmail-lspawn", Why::Death);
}

#[test]
fn qmail_local_may_die() {
    each("qmail-local", Why::Death);
}

#[test]
fn qmail_rspawn_may_die() {
    each("qmail-rspawn", Why::Death);
}

#[test]
fn qmail_remote_may_die() {
    each("qmail-remote", Why::Death);
}

#[test]
fn qmail_queue_may_find_the_disk_full() {
    each("qmail-queue", Why::Full);
}

#[test]
fn qmail_queued_may_find_the_disk_full() {
    each("qmail-queued", Why::Full);
}

#[test]
fn qmail_send_may_find_the_disk_full() {
    each("qmail-send", Why::Full);
}

#[test]
fn qmail_clean_may_find_the_disk_broken() {
    each("qmail-clean", Why::Full);
}

#[test]
fn qmail_local_may_find_the_disk_full() {
    each("qmail-local", Why::Full);
}
