//! qmail-queued in a whole host: what goes through it, what does not, and what happens when it is gone.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{ADDRESS, Host, Smtp, until};
use unix::Pid;
use unix::signal::{self, Signal};

const LARGE: usize = 64 * 1024;

/// The number of the host's qmail-queued, which takes messages by now.
fn daemon(host: &Host) -> i32 {
    assert!(until(|| host.path("qmail/run/queue").exists()), "{}", host.said());
    host.process(&["qmail-queued"])
}

/// The numbers under which messages have been queued, as the log has them, once there are so many.
fn numbers(host: &Host, count: usize) -> Vec<u64> {
    let numbers = || -> Vec<u64> {
        let log = host.log("qmail");
        let lines = log.lines().filter(|line| line.contains(" info msg "));
        let number = |line: &str| line.split(" qp ").nth(1)?.split(' ').next()?.parse().ok();
        lines.filter_map(number).collect()
    };
    assert!(until(|| numbers().len() >= count), "{:?}\n{}", numbers(), host.said());
    numbers()
}

/// Whether a number is one of the process's.
fn is_of(number: u64, pid: i32) -> bool {
    number % 10_000_000 == u64::from(pid.unsigned_abs())
}

fn letter(subject: &str) -> String {
    format!("From: a@b.example\nTo: x\nSubject: {subject}\n\nbody\n")
}

fn greeted(port: u16) -> Smtp {
    let mut smtp = Smtp::connect(port);
    assert!(smtp.reply().starts_with("220 "));
    smtp
}

/// Sends a message over a connection that may have sent others.
fn deliver(smtp: &mut Smtp, message: &str) {
    smtp.ok("MAIL FROM:<a@b.example>", "250");
    smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250");
    smtp.ok("DATA", "354");
    smtp.ok(&format!("{}\r\n.", message.replace('\n', "\r\n")), "250");
}

fn large(subject: &str) -> String {
    letter(subject) + &"0123456789abcde\n".repeat(LARGE / 16)
}

#[test]
fn small_messages_of_all_programs_go_through_it() {
    let host = Host::start();
    let pid = daemon(&host);
    host.write("you/.qmail-on", "&you@daisychain.example\n");
    host.write("you/.qmail-program", "|forward you\n");
    host.sends(&letter("one"), &["-f", "a@b.example", ADDRESS]);
    let mut smtp = greeted(host.port());
    deliver(&mut smtp, "Subject: two\n\nx\n");
    for address in ["you-on@daisychain.example", "you-program@daisychain.example"] {
        host.sends(&letter("on"), &["-f", "a@b.example", address]);
    }
    // And a bounce.
    host.sends(&letter("back"), &["-f", ADDRESS, "nobody@daisychain.example"]);
    let mail = host.receives(5);
    assert!(mail.iter().any(|mail| mail.contains("\nSubject: failure notice\n")), "{mail:#?}");
    host.drains();
    let numbers = numbers(&host, 8);
    assert!(numbers.iter().all(|&number| is_of(number, pid)), "{pid}: {numbers:?}");
    let mut different = numbers.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!((numbers.len(), different.len()), (8, 8), "{numbers:?}");
}

#[test]
fn what_is_large_goes_through_qmail_queue() {
    let host = Host::start();
    let pid = daemon(&host);
    let mut smtp = greeted(host.port());
    for size in [100, LARGE, 300_000, 100] {
        let text = "Subject: x\n\n".to_owned() + &"0123456789abcde\n".repeat(size / 16);
        deliver(&mut smtp, &text);
    }
    host.sends(&large("y"), &["-f", "a@b.example", ADDRESS]);
    let mail = host.receives(5);
    assert!(mail.iter().any(|mail| mail.len() > 300_000));
    let numbers = numbers(&host, 5);
    let through: Vec<bool> = numbers.iter().map(|&number| is_of(number, pid)).collect();
    // The second of qmail-smtpd started a qmail-queue, which took the two behind it as well.
    assert_eq!(through, [true, false, false, false, false], "{pid}: {numbers:?}");
}

#[test]
fn a_limit_to_the_size_of_files_and_a_program_of_ones_own_go_on_to_count() {
    let host = Host::start();
    let pid = daemon(&host);
    let limited = |bytes: &str, message: &str| {
        let words = ["softlimit", "-f", bytes, "sendmail", "-f", "a@b.example", ADDRESS];
        host.command(words).stdin(message).run()
    };
    assert_eq!(limited("100000", &letter("small")).exit, 0);
    let number = numbers(&host, 1)[0];
    assert!(!is_of(number, pid), "{number}");
    let refused = limited("200", &format!("{}{}", letter("x"), "x".repeat(300)));
    assert_eq!(refused.exit, 111);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("qq write error or disk full (#4.3.0)"), "{said}");

    host.write("mine", "#!/bin/sh\nexit 31\n");
    harness::executable(&host.path("mine"));
    let words = ["sendmail", "-f", "a@b.example", ADDRESS];
    let run = host.command(words).env("QMAILQUEUE", host.path("mine")).stdin(letter("x")).run();
    assert_eq!(run.exit, 100);
    assert_eq!(numbers(&host, 1).len(), 1);
}

#[test]
fn the_host_goes_on_without_it_and_has_it_again_when_it_is_started_again() {
    let host = Host::start();
    let pid = daemon(&host);
    let mut smtp = greeted(host.port());
    deliver(&mut smtp, "Subject: 0\n\nx\n");
    signal::send(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert!(until(|| host.processes(&["qmail-queued"]).is_empty()));
    deliver(&mut smtp, "Subject: 1\n\nx\n");
    deliver(&mut smtp, "Subject: 2\n\nx\n");
    host.sends(&letter("3"), &["-f", "a@b.example", ADDRESS]);
    let numbers = numbers(&host, 4);
    let through: Vec<bool> = numbers.iter().map(|&number| is_of(number, pid)).collect();
    assert_eq!(through, [true, false, false, false], "{pid}: {numbers:?}");

    let old = fs::metadata(host.path("qmail/run/queue")).unwrap();
    host.svc("-t", "qmail");
    let is_new = || {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(host.path("qmail/run/queue")).is_ok_and(|new| new.ino() != old.ino())
    };
    assert!(until(is_new), "{}", host.said());
    let pid = host.process(&["qmail-queued"]);
    smtp.ok("QUIT", "221");
    host.sends(&letter("4"), &["-f", "a@b.example", ADDRESS]);
    assert!(until(|| self::numbers(&host, 5).iter().any(|&number| is_of(number, pid))));
    assert_eq!(host.receives(5).len(), 5);
}

#[test]
fn nothing_is_lost_when_it_is_killed_under_load() {
    const SENDERS: usize = 4;
    const MESSAGES: usize = 40;
    let host = Host::start();
    let pid = daemon(&host);
    let (port, sent) = (host.port(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let sent = &sent;
            scope.spawn(move || {
                let mut smtp = greeted(port);
                for number in 0..MESSAGES {
                    deliver(&mut smtp, &format!("Subject: load-{sender}-{number}.\n\nx\n"));
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        assert!(until(|| sent.load(Ordering::Relaxed) >= SENDERS * MESSAGES / 4));
        signal::send(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    });
    // What it had in hand may have left files that nobody refers to, and may have been queued although it was not
    // answered.
    let all = || {
        let mail = host.mail();
        let mail: Vec<_> = mail.iter().map(|mail| String::from_utf8_lossy(mail)).collect();
        (0..SENDERS).all(|sender| {
            (0..MESSAGES).all(|number| {
                let subject = format!("\nSubject: load-{sender}-{number}.\n");
                mail.iter().any(|mail| mail.contains(&subject))
            })
        })
    };
    assert!(until(all), "{}", host.said());
    let copies = host.mail().len();
    assert!(copies <= SENDERS * MESSAGES + SENDERS, "{copies}");
    let log = host.log("qmail");
    let numbers = log.lines().filter(|line| line.contains(&format!(" qp {pid} uid ")));
    assert_eq!(numbers.count(), 1, "{log}");
}

#[test]
fn restarts_follow_one_another_and_each_host_has_one() {
    let host = Host::start();
    let mut old = daemon(&host);
    for round in 1..6 {
        host.logs("qmail", "status: ");
        host.svc("-t", "qmail");
        let is_new = || {
            let found = host.processes(&["qmail-queued"]);
            found.len() == 1 && found != [old]
        };
        assert!(until(is_new), "{round}: {:?}\n{}", host.processes(&["qmail-queued"]), host.said());
        old = host.process(&["qmail-queued"]);
        let number = || {
            host.sends(&letter("x"), &["-f", "a@b.example", ADDRESS]);
            host.drains();
            numbers(&host, 1).last().copied().unwrap_or_default()
        };
        assert!(until(|| is_of(number(), old)), "{round}: {}", host.said());
    }
}
