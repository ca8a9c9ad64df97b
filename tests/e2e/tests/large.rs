//! A message of more than 2 GiB. `cargo test -p e2e --test large -- --ignored`, for it costs 5 GB of disk.

use std::fs;
use std::os::unix::fs::MetadataExt;

use harness::{ADDRESS, Host, Smtp};

/// More than 31 bits can count.
const SIZE: u64 = (1 << 31) + 100_000;
const LINE: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\n";

/// The lines of a message of [`SIZE`] bytes, with the line ends of SMTP, in large pieces.
fn send(smtp: &mut Smtp) {
    let lines = SIZE / 63;
    let rest = usize::try_from(SIZE - lines * 63).expect("less than a line");
    let wire = [&LINE[..62], b"\r\n"].concat();
    let many = wire.repeat(16_384);
    for _ in 0..lines / 16_384 {
        smtp.send(&many);
    }
    for _ in 0..lines % 16_384 {
        smtp.send(&wire);
    }
    smtp.send([&LINE[..rest.saturating_sub(1)], &b"\r\n"[..]].concat());
}

#[test]
#[ignore = "it costs 5 GB of disk and a minute or two"]
fn a_message_beyond_two_gibibytes_arrives_whole() {
    let host = Host::start();
    host.write("qmail/control/databytes", SIZE.to_string());
    let mut smtp = Smtp::connect(host.port());
    smtp.reply();
    assert!(smtp.say("EHLO client.example").contains(&format!("250-SIZE {SIZE}\r\n")));
    let larger = SIZE + 1;
    smtp.ok(&format!("MAIL FROM:<a@b.example> SIZE={larger}"), "552 ");
    smtp.ok(&format!("MAIL FROM:<a@b.example> SIZE={SIZE}"), "250 ");
    smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250 ");
    smtp.ok("DATA", "354 ");
    let begun = std::time::Instant::now();
    send(&mut smtp);
    smtp.ok(".", "250 ");
    println!("accepted after {:?}", begun.elapsed());
    host.logs("qmail", "delivery 1: success: did_1+0+0/");
    println!("delivered after {:?}", begun.elapsed());
    let mail = fs::read_dir(host.path("you/Maildir/new")).expect("a maildir").flatten().next();
    let size = mail.expect("mail").metadata().expect("a file").size();
    assert!((SIZE + 100..SIZE + 1000).contains(&size), "{size}");
    let log = host.log("qmail");
    let told = log.split_once(": bytes ").and_then(|(_, rest)| rest.split_once(' ')).expect(&log);
    let bytes: u64 = told.0.parse().expect(&log);
    assert!((SIZE + 100..size).contains(&bytes), "{bytes} of {size}");

    // One byte more is too much.
    smtp.ok("MAIL FROM:<a@b.example>", "250 ");
    smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250 ");
    smtp.ok("DATA", "354 ");
    send(&mut smtp);
    smtp.ok("\r\n.", "552 sorry, that message size exceeds my databytes limit");
    host.drains();
}
