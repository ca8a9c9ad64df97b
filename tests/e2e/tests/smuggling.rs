//! Every way to write "line end, dot, line end" with what somebody somewhere takes for a line end, followed by
//! commands: no server on the way, ours or another, sees a second message. `--nocapture` prints the matrix.

mod mta;

use harness::{ADDRESS, Host, Peer, Smtp, until};
use mta::{Mta, Start};

/// What is taken for a line end, by its name in the matrix.
const ENDS: [(&str, &str); 6] = [
    ("CRLF", "\r\n"),
    ("LF", "\n"),
    ("CR", "\r"),
    ("CRCRLF", "\r\r\n"),
    ("LFCR", "\n\r"),
    ("NUL LF", "\0\n"),
];

/// The commands of a second message.
fn commands(to: &str) -> String {
    format!(
        "MAIL FROM:<evil@x.example>\r\nRCPT TO:<{to}>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n"
    )
}

/// Bytes that a message may hold, each with its name.
fn bodies(to: &str) -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    for (before, start) in ENDS {
        for (after, end) in ENDS {
            let text = format!("one{start}.{end}{}", commands(to));
            bodies.push((format!("{before} . {after}"), text));
        }
    }
    bodies
}

/// The subjects of what has arrived.
fn subjects(mail: &[String]) -> Vec<String> {
    let subject = |mail: &String| {
        let line = mail.lines().find_map(|line| line.strip_prefix("Subject: "));
        line.unwrap_or_default().to_owned()
    };
    mail.iter().map(subject).collect()
}

fn row(direction: &str, name: &str, outcome: &str) {
    println!("| {direction} | {} | {outcome} |", name.escape_default());
}

#[test]
fn nothing_is_smuggled_in() {
    let host = Host::start();
    let mut taken = 0;
    for (name, body) in bodies(ADDRESS) {
        let mut smtp = Smtp::connect(host.port());
        smtp.envelope("a@client.example", ADDRESS);
        smtp.ok("DATA", "354 ");
        smtp.send(format!("Subject: {name}\r\n\r\n{body}"));
        let reply = smtp.reply();
        let code = reply.get(..3).unwrap_or_default().to_owned();
        if name == "CRLF . CRLF" {
            // This is the end. What follows are commands, and its DATA has come too early to be believed.
            taken += 1;
            assert_eq!(code, "250", "{name}: {reply}");
            assert!(smtp.rest().contains("\n554 SMTP protocol violation"), "{name}");
            row("in", &name, "the end; commands sent ahead of 354 are refused with 554");
            continue;
        }
        assert_eq!(code, "451", "{name}: {reply}");
        assert_eq!(smtp.rest(), "", "{name}: the session goes on");
        row("in", &name, &format!("{code}, closed"));
    }
    assert_eq!(subjects(&host.receives(taken)), ["CRLF . CRLF"]);
    host.drains();
    assert_eq!(host.mail().len(), taken);
}

/// Hands each of the bodies to `sendmail`, as a local user may.
fn send_all(from: &Host, to: &str) -> usize {
    let bodies = bodies(to);
    for (name, body) in &bodies {
        let message = format!("Subject: {name}\n\n{body}");
        from.sends(&message, &["-i", "-f", ADDRESS, to]);
    }
    bodies.len()
}

#[test]
fn what_is_sent_has_one_end_and_no_bare_cr_or_lf() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", peer.port()),
    );
    let count = send_all(&host, "you@elsewhere.example");
    host.drains();
    let sessions = peer.rests();
    let mut messages = 0;
    for session in sessions {
        let mut rest = session.as_str();
        while let Some((_, data)) = rest.split_once("\r\nDATA\r\n") {
            let (message, after) = data.split_once("\r\n.\r\n").expect("an end");
            let name =
                message.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("one");
            let without_ends = message.replace("\r\n", "");
            assert!(!without_ends.contains(['\r', '\n']), "{name}: {}", message.escape_default());
            let lone = message.split("\r\n").any(|line| line == ".");
            assert!(!lone && message.contains("evil@x.example"), "{name}: {message}");
            assert!(after.starts_with("QUIT") || after.starts_with("MAIL FROM:<you@"), "{after}");
            row("out", name, "one message, CR LF only, dots doubled");
            messages += 1;
            rest = after;
        }
    }
    assert_eq!(messages, count);
}

#[test]
fn nothing_is_smuggled_from_one_host_of_ours_to_another() {
    let host = Host::start();
    let mut next = Host::made();
    next.write("qmail/control/locals", "elsewhere.example\n");
    next.write("qmail/control/rcpthosts", "elsewhere.example\n");
    next.resume();
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", next.port()),
    );
    let count = send_all(&host, "you@elsewhere.example");
    host.drains();
    let mut arrived = subjects(&next.receives(count));
    next.drains();
    assert_eq!(next.mail().len(), count);
    let mut sent: Vec<String> = bodies("").into_iter().map(|(name, _)| name).collect();
    arrived.sort();
    sent.sort();
    assert_eq!(arrived, sent);
    for name in sent {
        row("ours -> ours", &name, "one message");
    }
}

/// A server of others stands between two hosts of ours: what one sends, the other has, and nothing more.
fn nothing_is_smuggled_by_way_of(start: Start, name: &str) {
    let host = Host::start();
    let mut next = Host::made();
    next.write("tcp.smtp", ":allow\n");
    for file in ["locals", "rcpthosts"] {
        next.write(&format!("qmail/control/{file}"), "elsewhere.example\n");
    }
    next.resume();
    let Some(mta) = start(&host, &[("elsewhere.example", next.port())]) else { return };
    host.write("qmail/control/smtproutes", format!(":127.0.0.1:{}\n", mta.port));
    let count = send_all(&host, "you@elsewhere.example");
    host.drains();
    assert!(until(|| next.mail().len() >= count), "{}\n{}", mta.said(), next.said());
    next.drains();
    let mut arrived = subjects(&next.receives(count));
    let mut sent: Vec<String> = bodies("").into_iter().map(|(name, _)| name).collect();
    arrived.sort();
    sent.sort();
    assert_eq!(arrived, sent);
    for body in sent {
        row(&format!("ours -> {name} -> ours"), &body, "one message");
    }
}

#[test]
fn nothing_is_smuggled_by_way_of_postfix() {
    nothing_is_smuggled_by_way_of(Mta::postfix, "Postfix");
}

#[test]
fn nothing_is_smuggled_by_way_of_opensmtpd() {
    nothing_is_smuggled_by_way_of(Mta::opensmtpd, "OpenSMTPD");
}

#[test]
fn nothing_is_smuggled_from_us_to_postfix() {
    let host = Host::start();
    let Some(postfix) = Mta::postfix(&host, &[]) else { return };
    let mailbox = postfix.folder.join("mailbox");
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", postfix.port),
    );
    let count = send_all(&host, "you@elsewhere.example");
    host.drains();
    let text = || {
        let bytes = std::fs::read(&mailbox).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // An mbox: each message begins with a line that tells its sender.
    let messages = || text().lines().filter(|line| line.starts_with("From you@")).count();
    assert!(until(|| messages() == count), "{}", postfix.said());
    assert!(!text().lines().any(|line| line.starts_with("From evil@")), "{}", text());
    for (name, _) in bodies("") {
        assert!(until(|| text().contains(&format!("\nSubject: {name}\n"))), "{name}");
        row("ours -> Postfix", &name, "one message");
    }
}
