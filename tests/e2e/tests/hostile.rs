//! Clients that mean harm, disks that are full, files that cannot be read: a clear reply, bounded
//! memory, and nothing accepted is lost.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use harness::{ADDRESS, Host, Smtp, until};

const MESSAGE: &str = "Subject: s\n\nbody\n";

/// More memory than this no SMTP session needs.
const MEMORY: u64 = 48 * 1024;

/// The greatest resident size, in KiB, of the process that serves the last connection; 0 if it has ended.
fn memory(host: &Host) -> u64 {
    let log = host.log("smtpd");
    let peak = || {
        let line = log.lines().rev().find(|line| line.contains("tcpserver: pid "))?;
        let pid = line.split("pid ").nth(1)?.split(' ').next()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().trim_end_matches(" kB").parse().ok()
    };
    peak().unwrap_or(0)
}

/// Sends everything that `chunks` gives while reading replies; gives the last part of the replies.
fn flood(host: &Host, chunks: impl Iterator<Item = Vec<u8>>) -> (String, u64) {
    let stream = TcpStream::connect(("127.0.0.1", host.port())).expect("a server");
    let mut reading = stream.try_clone().expect("a socket");
    let reader = std::thread::spawn(move || {
        let mut last = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = reading.read(&mut buffer) {
            last.extend_from_slice(&buffer[..count]);
            let excess = last.len().saturating_sub(4096);
            last.drain(..excess);
        }
        String::from_utf8_lossy(&last).into_owned()
    });
    let mut writing = &stream;
    for chunk in chunks {
        if writing.write_all(&chunk).is_err() {
            break; // the server has had enough
        }
    }
    let peak = memory(host);
    let _ = writing.write_all(b"QUIT\r\n"); // it may have closed
    let _ = stream.shutdown(std::net::Shutdown::Write); // as above
    (reader.join().expect("a reader"), peak)
}

fn once(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    std::iter::once(bytes.to_vec())
}

/// The host still takes mail.
fn still_works(host: &Host) {
    let before = host.mail().len();
    Smtp::connect(host.port()).deliver("a@b.example", ADDRESS, MESSAGE);
    let _ = host.receives(before + 1);
}

#[test]
fn a_million_recipients_do_not_fill_memory() {
    let host = Host::start();
    let block: Vec<u8> = format!("RCPT TO:<{ADDRESS}>\r\n").repeat(10_000).into_bytes();
    let head = once(b"HELO x\r\nMAIL FROM:<a@b.example>\r\n");
    let (said, peak) = flood(&host, head.chain((0..100).map(|_| block.clone())));
    assert!(said.contains("\r\n452 ") || said.contains("\r\n421 "), "{said}");
    assert!(peak < MEMORY, "{peak} KiB");
    still_works(&host);
}

#[test]
fn a_line_of_100_megabytes_does_not_fill_memory() {
    let host = Host::start();
    let block = vec![b'x'; 1_000_000];
    let (said, peak) = flood(&host, (0..100).map(|_| block.clone()).chain(once(b"\r\n")));
    assert!(said.contains("\r\n5") || said.contains("\r\n4"), "{said}");
    assert!(peak < MEMORY, "{peak} KiB");

    let head = format!("HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{ADDRESS}>\r\n");
    let mut smtp = Smtp::connect(host.port());
    smtp.reply();
    for line in head.lines() {
        smtp.ok(line, "250 ");
    }
    smtp.ok("DATA", "354 ");
    for _ in 0..100 {
        smtp.send(&block);
    }
    assert!(memory(&host) < MEMORY, "{} KiB", memory(&host));
    assert!(smtp.say("\r\n.").starts_with("250 "));
    assert_eq!(host.receives(1).len(), 1);
    still_works(&host);
}

/// The reply to a message with these bytes, sent behind an accepted DATA.
fn reply_to(host: &Host, message: &[u8]) -> String {
    let mut smtp = Smtp::connect(host.port());
    smtp.envelope("a@b.example", ADDRESS);
    smtp.ok("DATA", "354 ");
    smtp.send(message);
    smtp.reply()
}

#[test]
fn line_ends_that_two_servers_may_read_differently_are_refused() {
    let host = Host::start();
    for message in [
        &b"a\nb\r\n.\r\n"[..],
        b"a\n.\r\nMAIL FROM:<evil@x.example>\r\n",
        b"a\r\n.\nMAIL FROM:<evil@x.example>\r\n",
        b"a\rb\r\n.\r\n",
        b"a\r.\r\nMAIL FROM:<evil@x.example>\r\n.\r\n",
    ] {
        let reply = reply_to(&host, message);
        assert!(
            reply.starts_with("451 ") || reply.starts_with("554 "),
            "{}: {reply}",
            message.escape_ascii()
        );
    }
    assert_eq!(host.mail().len(), 0);
    still_works(&host);
}

#[test]
fn zero_bytes_harm_nobody() {
    let host = Host::start();
    let mut smtp = Smtp::connect(host.port());
    smtp.reply();
    smtp.ok("HELO x", "250 ");
    assert!(!smtp.say("MAIL FROM:<a\0b@b.example>").starts_with("250 "));
    smtp.ok("MAIL FROM:<a@b.example>", "250 ");
    assert!(!smtp.say(&format!("RCPT TO:<x\0{ADDRESS}>")).starts_with("250 "));
    let reply = reply_to(&host, b"Subject: x\r\n\r\na\0b\r\n.\r\n");
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(host.receives(1)[0].ends_with("\na\0b\n"));
}

#[test]
fn commands_sent_ahead_of_data_are_no_message() {
    let host = Host::start();
    let ahead = format!(
        "HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{ADDRESS}>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n"
    );
    let (said, _) = flood(&host, once(ahead.as_bytes()));
    assert!(!said.contains("250 ok 1"), "taken although sent before the reply to DATA: {said}");
    still_works(&host);
}

#[test]
fn a_control_file_that_cannot_be_read_is_a_temporary_failure() {
    let host = Host::start();
    let path = host.path("qmail/control/rcpthosts");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("a mode");
    assert_eq!(Smtp::connect(host.port()).rest(), "421 unable to read controls (#4.3.0)\r\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    still_works(&host);
}

#[test]
fn a_missing_trigger_is_noticed_and_mended() {
    let host = Host::start();
    let trigger = host.path("qmail/queue/lock/trigger");
    host.svc("-d", "qmail");
    host.becomes("qmail", "down ");
    fs::remove_file(&trigger).expect("a trigger");
    host.svc("-u", "qmail");
    assert!(until(|| trigger.exists()), "{}", host.said());
    still_works(&host);

    // Also while qmail-send has it open.
    fs::remove_file(&trigger).expect("a trigger");
    assert!(until(|| trigger.exists()), "{}", host.said());
    still_works(&host);
    host.logs("qmail", "trigger: lock/trigger was missing; made it");
}

/// A small file system over the queue; gone when dropped.
struct Small(std::path::PathBuf);

impl Small {
    fn over(path: std::path::PathBuf, size: &str) -> Small {
        let options = format!("size={size},nr_inodes=2000,mode=0755,uid=65534,gid=65534");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path);
        assert!(harness::output(&mut mount).is_ok_and(|run| run.status.success()), "mount");
        Small(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        umount.arg("-l").arg(&self.0);
        assert!(harness::output(&mut umount).is_ok_and(|run| run.status.success()), "umount");
    }
}

#[test]
fn a_full_disk_is_a_temporary_failure_and_loses_nothing() {
    if !unix::Uid::current().is_root() {
        harness::skipped_for("only root can mount a small file system");
        return;
    }
    let mut host = Host::made();
    host.write("qmail/queue/.keep", "");
    let small = Small::over(host.path("qmail/queue"), "400k");
    host.resume();
    // Mail that waits in the queue, so that the disk stays full.
    host.write("qmail/control/smtproutes", ":127.0.0.1:1\n");
    let body = "x\n".repeat(20_000);
    let mut accepted = 0;
    let refusal = loop {
        let mut smtp = Smtp::connect(host.port());
        smtp.envelope("a@b.example", "friend@elsewhere.example");
        smtp.ok("DATA", "354 ");
        let reply = smtp.say(&format!("Subject: s\r\n\r\n{}.", body.replace('\n', "\r\n")));
        if !reply.starts_with("250 ") {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 50, "the disk does not fill");
    };
    assert!(refusal.starts_with("451 qq "), "{refusal}");
    assert!(accepted > 0);

    // What was accepted is still there, whole.
    let (port, heard) = sink();
    host.write("qmail/control/smtproutes", format!(":127.0.0.1:{port}\n"));
    let again = || host.svc("-a", "qmail");
    for _ in 0..accepted {
        // An attempt may have been under way with the old route; and on a full disk a message may have to
        // wait two minutes for the next look into todo/.
        again();
        let mut heard = (0..75).filter_map(|_| {
            heard.recv_timeout(std::time::Duration::from_secs(2)).inspect_err(|_| again()).ok()
        });
        let size = heard.next().expect("an accepted message");
        assert!(size > body.len(), "{size}");
    }
    still_works(&host);
    host.stop();
    drop(small);
}

/// A peer that takes every message and tells its size.
fn sink() -> (u16, std::sync::mpsc::Receiver<usize>) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || take(&stream, &tell));
        }
    });
    (port, told)
}

fn take(stream: &TcpStream, tell: &std::sync::mpsc::Sender<usize>) {
    use std::io::{BufRead, BufReader};
    let say = |text: &str| {
        let mut stream = stream;
        let _ = stream.write_all(text.as_bytes()); // the client may be gone
    };
    say("220 sink\r\n");
    let mut size = None;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        match (&mut size, line.as_str()) {
            (Some(bytes), ".") => {
                let _ = tell.send(*bytes); // the test may be over
                size = None;
                say("250 ok\r\n");
            }
            (Some(bytes), line) => *bytes += line.len() + 1,
            (None, "DATA") => {
                size = Some(0);
                say("354 go\r\n");
            }
            (None, "QUIT") => return say("221 bye\r\n"),
            (None, _) => say("250 ok\r\n"),
        }
    }
}
