//! qmail-smtpd as tcpserver keeps it: one process, and clients that know nothing of one another.

use harness::{ADDRESS, Host, Smtp, until};

/// A host whose SMTP service is `tcpserver -k` with `program`, and whose rules are these.
fn host(rules: &str, program: &str) -> Host {
    let host = Host::start();
    let script = format!(
        "#!/bin/sh\nexec 2>&1\nexec env - PATH=\"$PATH\" QMAILHOME='{}' \\\n\
         tcpserver -vHR -l x -k 20 -x '{}' 127.0.0.1 {} {program}\n",
        host.path("qmail").display(),
        host.path("kept.cdb").display(),
        host.port(),
    );
    let (cdb, tmp) = (host.path("kept.cdb"), host.path("kept.tmp"));
    let words = ["tcprules".as_ref(), cdb.as_os_str(), tmp.as_os_str()];
    assert_eq!(host.command(words).stdin(rules).run().exit, 0);
    host.run_script("smtpd", &script);
    host
}

/// The process of each connection so far, `count` of them, all of which are over. Those from 127.0.0.1
/// are the harness's.
fn pids(host: &Host, count: usize) -> Vec<String> {
    let served = || {
        let log = host.log("smtpd");
        // A stamp stands before each line.
        let lines = log.lines().filter_map(|line| Some(line.split_once("tcpserver: ok ")?.1));
        let lines = lines.filter(|line| !line.contains(" :127.0.0.1::"));
        lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let is_over = || {
        let log = host.log("smtpd");
        log.lines().last().unwrap_or_default().ends_with("status: 0/40") && served().len() == count
    };
    assert!(until(is_over), "{}", host.log("smtpd"));
    served()
}

fn quit(mut smtp: Smtp) {
    smtp.ok("QUIT", "221 ");
    assert_eq!(smtp.rest(), "");
}

/// The reply to a recipient elsewhere.
fn foreign(smtp: &mut Smtp) -> String {
    assert!(smtp.reply().starts_with("220 "));
    smtp.ok("EHLO client.example", "250");
    smtp.ok("MAIL FROM:<a@b.example>", "250 ");
    smtp.say("RCPT TO:<someone@elsewhere.example>")
}

const RULES: &str = "127.0.0.4:allow,RELAYCLIENT=\"\"\n127.0.0.5:allow,DATABYTES=\"10\"\n:allow\n";

#[test]
fn one_process_serves_clients_that_may_do_different_things() {
    let host = host(RULES, "qmail-smtpd");
    for count in 1..=3 {
        let mut smtp = Smtp::connect_from("127.0.0.3", host.port());
        smtp.deliver("a@b.example", ADDRESS, &format!("Subject: {count}\n\nx\n"));
        quit(smtp);
        pids(&host, count);
    }
    assert_eq!(host.receives(3).len(), 3);
    // Who may relay, and who comes after him and may not.
    let mut count = 3;
    for (from, reply) in [("127.0.0.4", "250 "), ("127.0.0.2", "553 "), ("127.0.0.4", "250 ")] {
        let mut smtp = Smtp::connect_from(from, host.port());
        assert!(foreign(&mut smtp).starts_with(reply), "{from}");
        // What is left of the session is not the next one's.
        quit(smtp);
        count += 1;
        pids(&host, count);
    }
    let mut smtp = Smtp::connect_from("127.0.0.5", host.port());
    smtp.reply();
    smtp.ok("EHLO client.example", "250");
    smtp.ok("MAIL FROM:<a@b.example> SIZE=100", "552 ");
    quit(smtp);
    pids(&host, count + 1);
    // A control file counts from the next client on.
    host.write("qmail/control/smtpgreeting", "hello there");
    let mut smtp = Smtp::connect_from("127.0.0.2", host.port());
    assert_eq!(smtp.reply(), "220 hello there ESMTP\r\n");
    // This one just goes.
    drop(smtp);
    let mut all = pids(&host, count + 2);
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
}

#[test]
fn what_stands_in_front_of_it_is_run_for_each_client() {
    let rules = "127.0.0.2:allow,RBLSMTPD=\"-go away\"\n:allow\n";
    for front in ["rblsmtpd", "sh -c 'exec qmail-smtpd' x", "env"] {
        let front =
            if front.starts_with("sh") { front.to_owned() } else { format!("{front} qmail-smtpd") };
        let host = host(rules, &front);
        for (count, from) in (1..).zip(["127.0.0.3", "127.0.0.2", "127.0.0.3", "127.0.0.2"]) {
            let mut smtp = Smtp::connect_from(from, host.port());
            if front.starts_with("rbl") && from == "127.0.0.2" {
                smtp.reply();
                smtp.ok("HELO client.example", "250");
                smtp.ok("MAIL FROM:<a@b.example>", "250 ");
                smtp.ok(&format!("RCPT TO:<{ADDRESS}>"), "553 go away");
            } else {
                smtp.envelope("a@b.example", ADDRESS);
            }
            quit(smtp);
            pids(&host, count);
        }
        let mut all = pids(&host, 4);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4, "{front}: {all:?}");
    }
}
