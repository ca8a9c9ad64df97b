//! One number leads from the reply that took a message to each of its deliveries.

use harness::{ADDRESS, Host, Smtp, until};

/// The qp of `250 ok TIME qp QP`.
fn qp(reply: &str) -> u64 {
    let words: Vec<&str> = reply.split_whitespace().collect();
    match words.as_slice() {
        ["250", "ok", _, "qp", qp] => qp.parse().expect("a number"),
        _ => panic!("no acceptance: {reply}"),
    }
}

/// What the log says of the message that was queued as `qp`, as qmail-log(5) tells how to find it, up to
/// its end, behind which its number may be another's; times left out.
fn followed(log: &str, qp: u64) -> Vec<String> {
    let lines = || log.lines().filter_map(|line| line.split_once(' ')).map(|(_, text)| text);
    let queued_as = format!(" qp {qp} uid ");
    let info = lines().find(|line| line.starts_with("info msg ") && line.contains(&queued_as));
    let Some(info) = info else { return Vec::new() };
    let msg = info.split([' ', ':']).nth(2).expect("a number").to_owned();
    let end = format!("end msg {msg}");
    let since: Vec<&str> = lines().skip_while(|line| *line != info).collect();
    let last = since.iter().position(|line| *line == end).unwrap_or(since.len());
    let lines = || since.iter().take(last + 1).copied();
    let delivery = |line: &str| {
        let (start, rest) = line.split_once(": ")?;
        let number = start.strip_prefix("starting delivery ")?;
        rest.starts_with(&format!("msg {msg} ")).then(|| format!("delivery {number}: "))
    };
    let deliveries: Vec<String> = lines().filter_map(delivery).collect();
    let is_of_it = |line: &&str| {
        *line == info
            || *line == end
            || delivery(line).is_some()
            || deliveries.iter().any(|start| line.starts_with(start))
    };
    lines().filter(is_of_it).map(Into::into).collect()
}

#[test]
fn a_message_is_followed_from_the_reply_to_each_delivery() {
    let host = Host::start();
    let mut smtp = Smtp::connect(host.port());
    let mut replies = vec![smtp.deliver("a@client.example", ADDRESS, "Subject: 0\n\nx\n")];
    for number in 1..4 {
        smtp.ok("MAIL FROM:<a@client.example>", "250");
        smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250");
        smtp.ok("RCPT TO:<postmaster@daisychain.example>", "250");
        smtp.ok("DATA", "354");
        replies.push(smtp.say(&format!("Subject: {number}\r\n\r\nx\r\n.")));
    }
    let numbers: Vec<u64> = replies.iter().map(|reply| qp(reply)).collect();
    for (at, number) in numbers.iter().enumerate() {
        assert!(!numbers[..at].contains(number), "one number for two messages: {numbers:?}");
        let whole = || followed(&host.log("qmail"), *number);
        let ended = || whole().last().is_some_and(|line| line.starts_with("end msg "));
        assert!(until(ended), "{}", host.said());
        let lines = whole();
        let deliveries = if at == 0 { 1 } else { 2 };
        assert_eq!(lines.len(), 2 + 2 * deliveries, "{lines:#?}");
        assert!(lines[0].contains(": bytes ") && lines[0].contains(" from <a@client.example> qp "));
        let starts = lines.iter().filter(|line| line.starts_with("starting delivery ")).count();
        let successes = lines.iter().filter(|line| line.contains(": success: did_")).count();
        assert_eq!((starts, successes), (deliveries, deliveries), "{lines:#?}");
        let stamp = format!("Received: (qmail {number} invoked ");
        let mail = host.receives(at + 1);
        let with_stamp = mail.iter().find(|mail| mail.contains(&stamp));
        assert!(with_stamp.is_some_and(|mail| mail.contains(&format!("Subject: {at}"))), "{stamp}");
    }
}

#[test]
fn a_refused_message_harms_none_of_its_connection() {
    for host in [Host::start(), Host::without_queued()] {
        refuses_one_message(&host);
    }
}

/// Refuses the second message of a connection, and has the queue program of its third die.
fn refuses_one_message(host: &Host) {
    host.write("qmail/control/databytes", "1000\n");
    let mut smtp = Smtp::connect(host.port());
    let large = format!("{}\r\n", "x".repeat(70)).repeat(20);
    let envelope = |smtp: &mut Smtp| {
        smtp.ok("MAIL FROM:<a@client.example>", "250");
        smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "250");
        smtp.ok("DATA", "354");
    };
    smtp.deliver("a@client.example", ADDRESS, "Subject: 0\n\nx\n");
    envelope(&mut smtp);
    assert!(smtp.say(&format!("Subject: 1\r\n\r\n{large}.")).starts_with("552 "));
    envelope(&mut smtp);
    assert!(smtp.say("Subject: 2\r\n\r\nx\r\n.").starts_with("250 "));
    envelope(&mut smtp);
    // The queue program dies between two messages, or is replaced: nobody outside notices.
    let others = || host.processes(&["bin/qmail-queue"]);
    assert!(smtp.say("Subject: 3\r\n\r\nx\r\n.").starts_with("250 "));
    let running = others();
    let is_queued = host.processes(&["qmail-queued"]).len() == 1;
    assert_eq!(running.len(), usize::from(!is_queued), "{running:?}");
    for id in running {
        let _ = unix::signal::send(unix::Pid::from_raw(id), unix::signal::Signal::SIGKILL);
    }
    assert!(until(|| others().is_empty()));
    envelope(&mut smtp);
    assert!(smtp.say("Subject: 4\r\n\r\nx\r\n.").starts_with("250 "));
    smtp.ok("QUIT", "221");
    assert_eq!(host.receives(4).len(), 4);
    assert!(until(|| others().is_empty()), "a queue program outlives its connection");
}
