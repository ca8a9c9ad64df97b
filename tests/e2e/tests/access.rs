//! Who may connect, and for whom mail is taken: tcprules, rcpthosts, RELAYCLIENT, rblsmtpd.

use std::net::UdpSocket;

use harness::{ADDRESS, Background, Host, Smtp, client, free_port, until};

fn compile_rules(host: &Host, rules: &str) {
    host.write("tcp.smtp", rules);
    let (cdb, tmp) = (host.path("tcp.smtp.cdb"), host.path("tcp.smtp.tmp"));
    let words = ["tcprules".as_ref(), cdb.as_os_str(), tmp.as_os_str()];
    let run = host.command(words).stdin(rules).run();
    assert_eq!((run.exit, String::from_utf8_lossy(&run.stderr).as_ref()), (0, ""));
}

/// The reply to a recipient elsewhere.
fn foreign(smtp: &mut Smtp) -> String {
    assert!(smtp.reply().starts_with("220 "));
    smtp.ok("HELO client.example", "250 ");
    smtp.ok("MAIL FROM:<a@b.example>", "250 ");
    smtp.say("RCPT TO:<someone@elsewhere.example>")
}

#[test]
fn rules_take_effect_at_the_next_connection() {
    let host = Host::start();
    assert!(foreign(&mut Smtp::connect(host.port())).starts_with("250 "));

    compile_rules(&host, "127.0.0.2:allow\n127.0.0.3:deny\n127.:allow,RELAYCLIENT=\"\"\n:deny\n");
    let refused = foreign(&mut Smtp::connect_from("127.0.0.2", host.port()));
    let text = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n";
    assert_eq!(refused, text);
    assert_eq!(Smtp::connect_from("127.0.0.3", host.port()).rest(), "");
    assert!(foreign(&mut Smtp::connect_from("127.0.0.4", host.port())).starts_with("250 "));
    host.logs("smtpd", "tcpserver: deny ");

    // Mail for the host itself is taken from anybody who may connect.
    let mut smtp = Smtp::connect_from("127.0.0.2", host.port());
    smtp.deliver("a@b.example", ADDRESS, "Subject: x\n\ny\n");
    assert_eq!(host.receives(1).len(), 1);
}

#[test]
fn without_rcpthosts_the_host_is_no_open_relay() {
    let host = Host::start();
    compile_rules(&host, ":allow\n");
    std::fs::remove_file(host.path("qmail/control/rcpthosts")).expect("rcpthosts");
    assert!(foreign(&mut Smtp::connect(host.port())).starts_with("553 "));
    Smtp::connect(host.port()).deliver("a@b.example", ADDRESS, "Subject: x\n\ny\n");
    host.write("qmail/control/rcpthosts", "*\n");
    assert!(foreign(&mut Smtp::connect(host.port())).starts_with("250 "));
}

/// The SMTP service with rblsmtpd asking `dns` about its clients.
fn with_list(host: &Host, dns: u16, options: &str) {
    let script = format!(
        "#!/bin/sh\nexec 2>&1\nexec env - PATH=\"$PATH\" QMAILHOME='{}' DNSCACHEIP=127.0.0.1:{dns} \\\n\
         tcpserver -vHR -l x 127.0.0.1 {} rblsmtpd {options} -r list.example qmail-smtpd\n",
        host.path("qmail").display(),
        host.port(),
    );
    host.run_script("smtpd", &script);
}

/// A real name server with a list that holds 127.0.0.2, as lists do.
fn name_server(host: &Host) -> Option<(Background, u16)> {
    let port = free_port();
    let folder = host.side().path().join("nsd");
    std::fs::create_dir(&folder).expect("a directory");
    let zone = "$TTL 60\n@ IN SOA ns.example. hm.example. 1 60 60 60 60\n@ IN NS ns.example.\n\
                2.0.0.127 IN A 127.0.0.2\n2.0.0.127 IN TXT \"listed for a test\"\n";
    std::fs::write(folder.join("zone"), zone).expect("a zone");
    let dir = folder.display();
    let config = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  username: \"\"\n  zonesdir: {dir}\n  pidfile: \"\"\n\
         \n  database: \"\"\n  zonelistfile: {dir}/zonelist\n  xfrdfile: {dir}/xfrd\n  xfrdir: {dir}\n\
         \n  chroot: \"\"\nremote-control:\n  control-enable: no\n\
         zone:\n  name: list.example\n  zonefile: {dir}/zone\n"
    );
    let path = folder.join("nsd.conf");
    std::fs::write(&path, config).expect("a configuration");
    let command = client("nsd", ["-d", "-c", &path.to_string_lossy()])?;
    let server = harness::start(command);
    let answers = || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let limit = Some(std::time::Duration::from_millis(200));
        socket.set_read_timeout(limit).expect("a socket");
        let query = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x04list\x07example\0\0\x06\0\x01";
        let _ = socket.send_to(query, ("127.0.0.1", port)); // it may not listen yet
        socket.recv(&mut [0; 512]).is_ok_and(|length| length > 12)
    };
    assert!(until(answers), "nsd does not answer");
    Some((server, port))
}

#[test]
fn a_listed_client_is_refused_and_others_are_not() {
    let host = Host::start();
    let Some((_server, dns)) = name_server(&host) else { return };
    with_list(&host, dns, "");
    let mut listed = Smtp::connect_from("127.0.0.2", host.port());
    assert_eq!(listed.reply(), "220 rblsmtpd.local\r\n");
    listed.ok("HELO x", "250 rblsmtpd.local");
    listed.ok("MAIL FROM:<a@b.example>", "250 ");
    assert_eq!(listed.say(&format!("RCPT TO:<{ADDRESS}>")), "451 listed for a test\r\n");
    listed.ok("QUIT", "221 ");
    host.logs("smtpd", "rblsmtpd: 127.0.0.2 pid ");

    Smtp::connect_from("127.0.0.9", host.port()).deliver(
        "a@b.example",
        ADDRESS,
        "Subject: x\n\ny\n",
    );
    assert_eq!(host.receives(1).len(), 1);

    with_list(&host, dns, "-b");
    let mut listed = Smtp::connect_from("127.0.0.2", host.port());
    assert_eq!(listed.reply(), "220 rblsmtpd.local\r\n");
    assert_eq!(listed.say("DATA"), "553 listed for a test\r\n");
}

#[test]
fn a_list_that_refuses_to_answer_lets_mail_through_unless_told_otherwise() {
    let host = Host::start();
    let nobody = free_port(); // nothing listens: the kernel refuses for it
    with_list(&host, nobody, "");
    let mut smtp = Smtp::connect_from("127.0.0.2", host.port());
    smtp.deliver("a@b.example", ADDRESS, "Subject: x\n\ny\n");

    with_list(&host, nobody, "-c");
    let mut smtp = Smtp::connect_from("127.0.0.2", host.port());
    assert_eq!(smtp.reply(), "220 rblsmtpd.local\r\n");
    assert_eq!(smtp.say("DATA"), "451 temporary RBL lookup error\r\n");
}

#[test]
fn a_list_that_never_answers_delays_a_client_and_lets_it_through() {
    let host = Host::start();
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    with_list(&host, silent.local_addr().expect("bound").port(), "");
    // Half a minute is what all lists together have.
    let mut smtp = Smtp::connect_from("127.0.0.2", host.port());
    assert_eq!(smtp.reply(), "220 daisychain.example ESMTP\r\n");
    let mut asked = [0; 512];
    assert!(silent.recv(&mut asked).is_ok(), "the list was asked");
}
