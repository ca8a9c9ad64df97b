//! Every process of the host is killed again and again while mail comes in: nothing acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harness::{ADDRESS, Host, client, until};

const MESSAGES: usize = 2_000;
const KILLS: usize = 10;
const SENDERS: usize = 4;
const LENGTH: &str = "4000";

/// Sends one message with smtp-source; true if it was answered 250.
fn send(port: u16, number: usize) -> bool {
    let server = format!("127.0.0.1:{port}");
    let subject = format!("crash-{number}-end");
    let args = [
        "-s",
        "1",
        "-m",
        "1",
        "-l",
        LENGTH,
        "-f",
        "a@b.example",
        "-t",
        ADDRESS,
        "-S",
        &subject,
        &server,
    ];
    let mut command = client("smtp-source", args).expect("looked for before");
    harness::output(&mut command).is_ok_and(|run| run.status.success())
}

/// The number in a message's subject.
fn number(mail: &str) -> usize {
    let subject = mail.split("crash-").nth(1).expect("a subject");
    subject.split('-').next().and_then(|digits| digits.parse().ok()).expect("a number")
}

/// When to kill, as numbers of messages sent: scattered, and the same in every run.
fn moments() -> Vec<usize> {
    let mut state = 12_345_u64;
    let mut moments: Vec<usize> = (0..KILLS)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).expect("31 bits") % (MESSAGES - 100) + 50
        })
        .collect();
    moments.sort_unstable();
    moments
}

#[test]
fn what_was_acknowledged_arrives_whatever_is_killed() {
    if client("smtp-source", []).is_none() {
        return;
    }
    let mut host = Host::start();
    let port = host.port();
    let next = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    let acknowledged = Mutex::new(Vec::new());

    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= MESSAGES {
                            return;
                        }
                        // A host that is just being killed answers nothing: the message is given up.
                        if send(port, number) {
                            acknowledged.lock().expect("no panic").push(number);
                        }
                    }
                })
            })
            .collect();
        for moment in moments() {
            let mut sent = 0;
            while sent < moment {
                assert!(until(|| next.load(Ordering::Relaxed) > sent), "sending goes on");
                sent = next.load(Ordering::Relaxed);
            }
            host.stop();
            host.resume();
        }
        for sender in senders {
            sender.join().expect("a sender");
        }
        done.store(true, Ordering::Relaxed);
    });

    let acknowledged = acknowledged.into_inner().expect("no panic");
    let arrived = || {
        let mut arrived: BTreeMap<usize, usize> = BTreeMap::new();
        for mail in host.mail() {
            *arrived.entry(number(&String::from_utf8_lossy(&mail))).or_default() += 1;
        }
        arrived
    };
    let complete = || {
        let arrived = arrived();
        acknowledged.iter().all(|number| arrived.contains_key(number))
    };
    let all = until(complete);
    let arrived = arrived();
    let lost: Vec<_> = acknowledged.iter().filter(|number| !arrived.contains_key(number)).collect();
    let delivered: usize = arrived.values().sum();
    let duplicates = delivered - arrived.len();
    println!(
        "sent {MESSAGES}, acknowledged {}, delivered {delivered}, duplicates {duplicates}, lost {}",
        acknowledged.len(),
        lost.len()
    );
    assert!(all, "lost: {lost:?}\n{}", host.said());

    // None is torn: all have the same body.
    let body = |mail: &[u8]| {
        mail.split(|&byte| byte == b'\n')
            .skip_while(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let mail = host.mail();
    let first = body(mail.first().expect("mail"));
    assert!(first.concat().len() > 3_000);
    assert!(mail.iter().all(|mail| body(mail) == first), "a message is torn");
}
