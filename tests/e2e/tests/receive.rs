//! Mail comes in by SMTP from clients that nobody here wrote, and lands in a Maildir byte for byte.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use harness::{ADDRESS, Host, client, until};

/// The messages that every client sends: header, empty line, body; lines end in LF.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let with =
        |subject: &str, body: &[u8]| [format!("Subject: {subject}\n\n").as_bytes(), body].concat();
    let long = [b"x".repeat(998), b"\n".to_vec()].concat();
    vec![
        ("small", b"Subject: 1\n\n1234567\n".to_vec()),
        ("8bit", with("8bit", "Grüße, \u{2603}\nÿ\n".as_bytes())),
        ("dots", with("dots", b".\n..\n...a\n. b\n\n.\nend\n")),
        ("large", with("large", &long.repeat(10_000))),
    ]
}

/// What lies below the lines that the host puts on top.
fn below_the_trace(mail: &[u8]) -> &[u8] {
    let mut rest = mail;
    loop {
        let line_end = rest.iter().position(|&byte| byte == b'\n').expect("a header") + 1;
        let line = &rest[..line_end];
        let is_trace = ["Return-Path:", "Delivered-To:", "Received:", " ", "\t"]
            .iter()
            .any(|start| line.starts_with(start.as_bytes()));
        if !is_trace {
            return rest;
        }
        rest = &rest[line_end..];
    }
}

/// Waits for one more message and compares it with what was sent.
fn arrives(host: &Host, before: usize, sent: &[u8], what: &str) {
    assert!(until(|| host.mail().len() > before), "{what}: {}", host.said());
    let mail = host.mail();
    let found = mail.iter().any(|mail| below_the_trace(mail) == sent);
    let starts: Vec<String> =
        mail.iter().map(|mail| mail[..mail.len().min(600)].escape_ascii().to_string()).collect();
    assert!(found, "{what}: no message with the bytes sent, but {starts:#?}");
    let trace = mail.iter().find(|mail| below_the_trace(mail) == sent).expect("found above");
    let top = String::from_utf8_lossy(&trace[..trace.len().min(800)]).into_owned();
    assert!(top.starts_with("Return-Path: <"), "{what}: {top}");
    assert!(top.contains("\nDelivered-To: you@daisychain.example\n"), "{what}: {top}");
    assert_eq!(top.matches("\nReceived: (qmail ").count(), 1, "{what}: {top}");
}

fn run(command: Command, input: &[u8], what: &str) {
    let mut command = command;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a client");
    let mut pipe = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = pipe.write_all(&input); // a client may not want it
    });
    let output = child.wait_with_output().expect("a client");
    writer.join().expect("a thread");
    let said = [output.stdout, output.stderr].concat();
    let said = said[said.len().saturating_sub(2000)..].escape_ascii().to_string();
    assert!(output.status.success(), "{what}: {said}");
}

fn crlf(message: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(message.len() + 1000);
    for &byte in message {
        if byte == b'\n' {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

#[test]
fn swaks_delivers_what_it_sends() {
    let host = Host::start();
    let server = format!("127.0.0.1:{}", host.port());
    for (name, message) in messages() {
        let file = host.side().path().join(name);
        fs::write(&file, &message).expect("a file");
        let data = format!("@{}", file.display());
        let args = [
            "--server",
            &server,
            "--to",
            ADDRESS,
            "--from",
            "a@b.example",
            "--data",
            &data,
            "--suppress-data",
        ];
        let Some(command) = client("swaks", args) else { return };
        let before = host.mail().len();
        run(command, b"", name);
        // swaks ends what it reads from a file with a line end of its own.
        arrives(&host, before, &[message, b"\n".to_vec()].concat(), name);
    }
}

#[test]
fn curl_delivers_what_it_sends() {
    let host = Host::start();
    let url = format!("smtp://127.0.0.1:{}/client.example", host.port());
    for (name, message) in messages() {
        let file = host.side().path().join(name);
        fs::write(&file, crlf(&message)).expect("a file");
        let file = file.to_string_lossy().into_owned();
        let args =
            ["-s", "-S", &url, "--mail-from", "a@b.example", "--mail-rcpt", ADDRESS, "-T", &file];
        let Some(command) = client("curl", args) else { return };
        let before = host.mail().len();
        run(command, b"", name);
        arrives(&host, before, &message, name);
    }
}

#[test]
fn smtplib_delivers_what_it_sends() {
    let host = Host::start();
    let script = "import smtplib, sys\n\
                  s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))\n\
                  s.sendmail('a@b.example', [sys.argv[2]], sys.stdin.buffer.read())\n\
                  s.quit()\n";
    let port = host.port().to_string();
    for (name, message) in messages() {
        let Some(command) = client("python3", ["-c", script, &port, ADDRESS]) else { return };
        let before = host.mail().len();
        run(command, &crlf(&message), name);
        arrives(&host, before, &message, name);
    }
}

#[test]
fn smtp_source_delivers_many_at_once() {
    let host = Host::start();
    let server = format!("127.0.0.1:{}", host.port());
    let args = ["-s", "10", "-m", "200", "-l", "2000", "-f", "a@b.example", "-t", ADDRESS, &server];
    let Some(command) = client("smtp-source", args) else { return };
    run(command, b"", "smtp-source");
    assert!(until(|| host.mail().len() >= 200), "{} of 200 arrived", host.mail().len());
}
