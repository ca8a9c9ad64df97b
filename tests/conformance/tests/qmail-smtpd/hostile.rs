//! Clients that mean harm. Ours only: the original has no limits, and believes what is sent ahead.

use std::fmt::Write;

use harness::{Run, Side};

use crate::{MESSAGE, NOTHING, RELAY, Setup, ours};

/// All at once, to a server that may use 60 MB; a message is counted, not kept.
fn flood(env: &[(&str, &str)], input: impl AsRef<[u8]>) -> (Run, Side) {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.control("rcpthosts", "here.test\n");
    let work = side.path().display().to_string();
    let queue =
        format!("#!/bin/sh\nwc -c > {work}/size\ntr '\\000' '\\n' <&1 | wc -l > {work}/envelope\n");
    side.script("queue", &queue);
    let mut command = side
        .command(["sh", "-c", "ulimit -v 60000; exec qmail-smtpd"])
        .env("QMAILQUEUE", side.path().join("queue"))
        .stdin(input);
    for (name, value) in env {
        command = command.env(name, value);
    }
    let run = command.run();
    (run, side)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_million_recipients_take_bounded_memory() {
    let mut input = String::from("MAIL FROM:<a@b>\r\n");
    for number in 0..1_000_000 {
        let _ = write!(input, "RCPT TO:<{number}@here.test>\r\n");
    }
    input.push_str("QUIT\r\n");
    let (run, _) = flood(&[], input);
    let said = text(&run.stdout);
    assert_eq!(run.exit, 0);
    assert_eq!(said.matches("250 ok").count(), 10_001);
    assert_eq!(said.matches("452 max rcpt limit exceeded (#5.7.1)\r\n").count(), 990_000);
    let log = text(&run.stderr);
    assert!(log.contains("452 max rcpt limit exceeded"), "{log}");
    assert!(log.lines().count() <= 100);
}

#[test]
fn the_limit_of_recipients_is_the_administrator_s() {
    let turns: Vec<&str> = [&MESSAGE[..1], &[MESSAGE[1]; 4], &MESSAGE[2..], &["QUIT\r\n"]].concat();
    let limited = |controls, env| {
        let Run { stdout, .. } = ours(&Setup { controls, env }, &turns);
        text(&stdout).matches("452 max rcpt limit exceeded (#5.7.1)").count()
    };
    assert_eq!(limited(&[], &[]), 0);
    assert_eq!(limited(&[("maxrecipients", "3\n")], &[]), 1);
    assert_eq!(limited(&[("maxrecipients", "3\n")], &[("MAXRECIPIENTS", "1")]), 3);
    assert_eq!(limited(&[("maxrecipients", "3\n")], &[("MAXRECIPIENTS", "0")]), 0);
}

#[test]
fn a_line_of_100_megabytes_is_one_line_too_long() {
    let mut input = vec![b'x'; 100_000_000];
    input.extend_from_slice(b"\r\nNOOP\r\nQUIT\r\n");
    let (run, _) = flood(&[], input);
    let expected =
        "220 mail.test ESMTP\r\n500 line too long (#5.5.2)\r\n250 ok\r\n221 mail.test\r\n";
    assert_eq!((text(&run.stdout).as_str(), run.exit), (expected, 0));
}

#[test]
fn a_line_may_have_998_bytes() {
    let line = |length: usize| format!("NOOP {}\r\n", "x".repeat(length - 5));
    let run = ours(&NOTHING, &[&line(998), &line(999), "QUIT\r\n"]);
    let expected =
        "220 mail.test ESMTP\r\n250 ok\r\n500 line too long (#5.5.2)\r\n221 mail.test\r\n";
    assert_eq!(text(&run.stdout), expected);
}

/// Says `lines` in a dialogue, then sends `data` to a server that may use 60 MB.
fn message_of(data: &[u8], controls: &[(&str, &str)]) -> (String, String) {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.control("rcpthosts", "here.test\n");
    for (name, value) in controls {
        side.control(name, value);
    }
    let work = side.path().display().to_string();
    side.script("queue", &format!("#!/bin/sh\nwc -c > {work}/size\ncat <&1 > {work}/envelope\n"));
    let mut server = side
        .command(["sh", "-c", "ulimit -v 60000; exec qmail-smtpd"])
        .env("QMAILQUEUE", side.path().join("queue"))
        .converse();
    server.talk("", "\r\n");
    for line in &MESSAGE[..3] {
        server.talk(line, "\r\n");
    }
    let reply = server.talk(data, "\r\n");
    (reply, text(&side.read("size")).trim().to_owned())
}

#[test]
fn a_message_of_one_long_line_streams_through() {
    let mut data = b"Subject: x\r\n\r\n".to_vec();
    data.resize(100_000_000, b'x');
    data.extend_from_slice(b"\r\n.\r\n");
    let (reply, size) = message_of(&data, &[]);
    assert!(reply.starts_with("250 ok "), "{reply}");
    assert!(size.parse::<u64>().unwrap() > 100_000_000, "{size}");
}

#[test]
fn a_message_too_big_does_not_fill_the_disk() {
    let mut data = vec![b'x'; 20_000_000];
    data.extend_from_slice(b"\r\n.\r\n");
    let (reply, size) = message_of(&data, &[("databytes", "1000\n")]);
    assert_eq!(reply, "552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n");
    assert!(size.parse::<u64>().unwrap() < 200_000, "{size}");
}

#[test]
fn a_header_without_end_is_refused() {
    let data = format!("X: {}\r\n", "x".repeat(990)).repeat(2000) + ".\r\n";
    let (reply, _) = message_of(data.as_bytes(), &[]);
    assert_eq!(reply, "552 sorry, that message header is too long (#5.3.4)\r\n");
}

#[test]
fn what_comes_before_354_is_not_believed() {
    let ahead = "554 SMTP protocol violation: wait for 354 after DATA (#5.5.0)\r\n";
    for after in ["Subject: x\r\n\r\n.\r\n", "RSET\r\n", "x"] {
        let (run, side) = flood(&[], [&MESSAGE[..3].concat(), after].concat());
        assert!(text(&run.stdout).ends_with(ahead), "{}", text(&run.stdout));
        assert_eq!((run.exit, side.read("size")), (1, Vec::new()));
        assert!(text(&run.stderr).contains("554 SMTP protocol violation"));
    }
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.control("timeoutsmtpd", "1\n");
    side.write("commands", "NOOP\r\n".repeat(100_000));
    let script = "mkfifo out; exec 3<>out; qmail-smtpd < commands > out; echo $?";
    let run = side.run(["sh", "-c", script]);
    assert_eq!(text(&run.stdout), "1\n");
    assert!(text(&run.stderr).ends_with(": timeout\n"), "{}", text(&run.stderr));
}

#[test]
fn zero_bytes_are_no_addresses_and_no_verbs() {
    let turns = [
        "NOOP\0\r\n",
        "\0\r\n",
        "MAIL FROM:<a\0@b>\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<x\0y@here.test>\r\n",
        "RCPT TO:<x@here.test\0.evil>\r\n",
        "RCPT TO:<x@here.test>\0\r\n",
        "RCPT TO:<x\r@here.test>\r\n",
        "QUIT\r\n",
    ];
    let run = ours(&RELAY, &turns);
    let said = text(&run.stdout);
    assert_eq!(said.matches("502 unimplemented (#5.5.1)\r\n").count(), 2);
    assert_eq!(said.matches("555 syntax error (#5.5.4)\r\n").count(), 5);
    assert_eq!(said.matches("250 ok\r\n").count(), 1);
}

#[test]
fn refusals_are_logged_without_control_bytes() {
    let env = [("TCPREMOTEIP", "192.0.2.1")];
    let turns = [MESSAGE[0], "RCPT TO:<x\x1b[2J@there.test>\r\n", "QUIT\r\n"];
    let run = ours(&Setup { env: &env, ..NOTHING }, &turns);
    let log = text(&run.stderr);
    assert!(log.starts_with("qmail-smtpd: info: pid "), "{log}");
    assert!(
        log.ends_with(
            " from 192.0.2.1: RCPT TO:<x?[2J@there.test>: 553 sorry, that domain isn't in my list \
             of allowed rcpthosts (#5.7.1)\n"
        ),
        "{log}"
    );
}

#[test]
fn nothing_is_logged_into_the_connection() {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    let run = side.command(["sh", "-c", "exec qmail-smtpd 2>&1"]).stdin("QUIT\r\n").run();
    assert_eq!(text(&run.stdout), "220 mail.test ESMTP\r\n221 mail.test\r\n");
}

/// Kilobytes of data that the process has.
pub(crate) fn data_size(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_session_does_not_grow_with_the_messages_that_it_refuses() {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.control("rcpthosts", "here.test\n");
    side.control("checkrecipient", "0\n");
    side.control("databytes", "1\n");
    let bin = side.home().join("bin");
    std::fs::remove_file(&bin).unwrap(); // a link to the programs
    std::fs::create_dir(&bin).unwrap();
    // Started for each message, because none of them is taken.
    side.script("queue", "#!/bin/sh\necho >> started\nwhile read -r line; do :; done\nexit 54\n");
    std::fs::rename(side.path().join("queue"), bin.join("qmail-queue")).unwrap();
    let mut server = side.command(["sh", "-c", "echo $$ > pid; exec qmail-smtpd"]).converse();
    server.talk("", "\r\n");
    let pid = text(&side.read("pid")).trim().to_owned();
    let mut refuse = |count: usize| {
        for line in MESSAGE.iter().cycle().take(MESSAGE.len() * count) {
            let reply = server.talk(line, "\r\n");
            let is_whole = line.ends_with("\n.\r\n");
            assert!(!is_whole || reply.starts_with("552 "), "{reply}");
        }
        data_size(&pid)
    };
    let before = refuse(20);
    let after = refuse(200);
    assert!(after < before + 200, "{before} kB, and {after} kB after 200 messages more");
    server.close_input();
    server.ends();
    assert_eq!(text(&side.read("started")).lines().count(), 220);
}
