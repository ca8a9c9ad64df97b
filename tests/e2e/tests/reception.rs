//! The steps of qmail's TEST.receive: mail that comes into the system.

mod mta;

use std::path::PathBuf;

use harness::{ADDRESS, Host, Smtp, client, until};
use mta::Mta;

#[test]
fn step_1_mail_is_forged_by_hand() {
    let host = Host::start();
    let mut smtp = Smtp::connect(host.port());
    assert_eq!(smtp.reply(), "220 daisychain.example ESMTP\r\n");
    assert_eq!(smtp.say("helo dude"), "250 daisychain.example\r\n");
    assert_eq!(smtp.say(&format!("mail <{ADDRESS}>")), "250 ok\r\n");
    assert_eq!(smtp.say(&format!("rcpt <{ADDRESS}>")), "250 ok\r\n");
    assert_eq!(smtp.say("data"), "354 go ahead\r\n");
    let reply = smtp.say("Subject: testing\r\n\r\nThis is a test.\r\n.");
    let words: Vec<&str> = reply.split_whitespace().collect();
    assert!(matches!(words.as_slice(), ["250", "ok", _, "qp", _]), "{reply}");
    assert_eq!(smtp.say("quit"), "221 daisychain.example\r\n");
    assert_eq!(smtp.rest(), "");
    assert!(host.receives(1)[0].ends_with("\nSubject: testing\n\nThis is a test.\n"));
}

/// A host of ours that another machine's Postfix passes mail on to.
fn beside_postfix() -> Option<(Host, Mta)> {
    let host = Host::start();
    let postfix = Mta::postfix(&host, &[("daisychain.example", host.port())])?;
    Some((host, postfix))
}

/// Hands a message to the other machine.
fn from_there(postfix: &Mta, from: &str, to: &str) {
    let mut smtp = Smtp::connect(postfix.port);
    smtp.envelope(from, to);
    smtp.ok("DATA", "354 ");
    smtp.ok("Subject: from there\r\n\r\nx\r\n.", "250 ");
}

#[test]
fn step_2_mail_comes_from_another_machine() {
    let Some((host, postfix)) = beside_postfix() else { return };
    from_there(&postfix, "them@far.example", ADDRESS);
    let mail = host.receives(1).concat();
    assert!(mail.starts_with("Return-Path: <them@far.example>\n"), "{mail}");
    assert!(mail.contains("\nSubject: from there\n"), "{mail}");
}

/// The sender is told by the other machine, because we refuse the recipient; the bounce comes back by
/// way of us here, since the sender is ours.
#[test]
fn step_3_mail_for_nobody_comes_back_to_the_other_machine() {
    let Some((host, postfix)) = beside_postfix() else { return };
    // The other machine may not relay: only then is it asked who there is.
    let compiled = host
        .command([PathBuf::from("tcprules"), host.path("tcp.smtp.cdb"), host.path("tcp.smtp.tmp")])
        .stdin(":allow\n")
        .run();
    assert_eq!(compiled.exit, 0);
    from_there(&postfix, ADDRESS, "nonexistent@daisychain.example");
    let mail = host.receives(1).concat();
    assert!(mail.starts_with("Return-Path: <>\n"), "{mail}");
    assert!(mail.contains("nonexistent@daisychain.example"), "{mail}");
    assert!(mail.contains("no mailbox here by that name (#5.1.1)"), "{mail}");
    host.logs("smtpd", "550 sorry, no mailbox here by that name (#5.1.1)");
    assert!(!host.log("qmail").contains("nonexistent"), "{}", host.said());
}

#[test]
fn step_4_a_user_agent_sends_mail() {
    let host = Host::start();
    let Some(postfix) = Mta::postfix(&host, &[]) else { return };
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", postfix.port),
    );
    let to = ["-t", ADDRESS, "--from", ADDRESS, "-s"];
    let Some(mut agent) = client("swaks", to) else { return };
    agent.arg(format!("127.0.0.1:{}", host.port()));
    let _agent = harness::start(agent);
    assert!(host.receives(1)[0].contains("This is a test mailing"));
    host.sends("Subject: far\n\nx\n", &["friend@elsewhere.example"]);
    let mailbox = || std::fs::read_to_string(postfix.folder.join("mailbox")).unwrap_or_default();
    assert!(until(|| mailbox().contains("\nSubject: far\n")), "{}", host.said());
}

#[test]
fn step_5_the_postmaster_has_no_case() {
    let Some((host, postfix)) = beside_postfix() else { return };
    from_there(&postfix, "them@far.example", "PoStMaStEr@daisychain.example");
    let mail = host.receives(1).concat();
    assert!(mail.contains("\nSubject: from there\n"), "{mail}");
    assert!(mail.contains("Delivered-To: "), "{mail}");
}

/// How many files of messages there are in the queue.
fn messages(host: &Host) -> usize {
    let files = |folder: std::fs::DirEntry| std::fs::read_dir(folder.path()).unwrap().count();
    let folders = std::fs::read_dir(host.path("qmail/queue/mess")).unwrap();
    folders.map(|folder| files(folder.unwrap())).sum()
}

/// The queue program is there when DATA comes, and gone without a trace when none comes.
#[test]
fn a_client_that_has_a_recipient_and_no_message_leaves_nothing_behind() {
    let host = Host::without_queued();
    let mut smtp = Smtp::connect(host.port());
    smtp.reply();
    smtp.ok(&format!("MAIL FROM:<{ADDRESS}>"), "250 ");
    assert_eq!(messages(&host), 0);
    smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250 ");
    assert!(until(|| messages(&host) == 1), "{}", host.said());
    smtp.ok("RSET", "250 ");
    // The next message has it.
    smtp.ok("MAIL FROM:<>", "250 ");
    smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250 ");
    smtp.ok("DATA", "354 ");
    smtp.ok("Subject: after all\r\n\r\nx\r\n.", "250 ");
    assert!(host.receives(1)[0].contains("\nSubject: after all\n"));
    smtp.ok("QUIT", "221 ");
    let mut smtp = Smtp::connect(host.port());
    smtp.envelope(ADDRESS, ADDRESS);
    assert!(until(|| messages(&host) == 1), "{}", host.said());
    drop(smtp);
    assert!(until(|| messages(&host) == 0), "{}", host.said());
}
