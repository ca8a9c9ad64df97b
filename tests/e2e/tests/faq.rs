//! The recipes of both FAQs that concern routing and the queue, each as it is written there.

use std::time::{Duration, SystemTime};

use harness::{ADDRESS, Answer, Dns, FIXUP_BY_SH, Host, Peer, Smtp, Turn, free_port, until};

const MESSAGE: &str = "From: a@b.example\nMessage-ID: <one@b.example>\nSubject: s\n\nbody\n";

fn send(host: &Host, to: &str) {
    host.sends(MESSAGE, &["-f", ADDRESS, to]);
}

fn route(host: &Host, domain: &str, port: u16) {
    host.write("qmail/control/smtproutes", format!("{domain}:127.0.0.1:{port}\n"));
}

#[test]
fn local_messages_go_to_another_host() {
    let host = Host::start();
    let disk_server = Peer::start(Peer::agree);
    route(&host, "daisychain.example", disk_server.port());
    host.write("qmail/control/locals", "");
    host.rereads();
    send(&host, "boss@daisychain.example");
    assert!(disk_server.hears(1)[0].contains("RCPT TO:<boss@daisychain.example>\r\n"));
    host.drains();
}

#[test]
fn a_null_client_sends_everything_to_one_host() {
    let host = Host::start();
    let hub = Peer::start(Peer::agree);
    host.write("qmail/control/locals", "");
    route(&host, "", hub.port());
    host.rereads();
    for to in ["you@daisychain.example", "me@elsewhere.example", "x@a.b.example"] {
        send(&host, to);
    }
    let heard = hub.hears(3).concat();
    for to in ["you@daisychain.example", "me@elsewhere.example", "x@a.b.example"] {
        assert!(heard.contains(&format!("RCPT TO:<{to}>\r\n")), "{heard}");
    }
    host.drains();
    assert!(host.mail().is_empty());
}

/// Both forms of the command: of 1998, and of 2001.
#[test]
fn all_outgoing_mail_goes_by_uucp() {
    for (name, line) in [
        ("$EXT2", "|preline -df ./uux - -r -gC -a\"$SENDER\" gonzo!rmail \"($EXT2@$HOST)\"\n"),
        (
            "$DEFAULT",
            "|preline -df ./uux - -r -gC -a\"${SENDER:-MAILER-DAEMON}\" gonzo!rmail \
             \"($DEFAULT@$HOST)\"\n",
        ),
    ] {
        let host = Host::start();
        host.write("qmail/control/virtualdomains", ":alias-uucp\n");
        host.write("qmail/alias/.qmail-uucp-default", line);
        host.write("qmail/alias/uux", "#!/bin/sh\n{ echo \"$@\"; cat; } > sent\n");
        harness::executable(&host.path("qmail/alias/uux"));
        host.rereads();
        send(&host, "Joe-x@far.example");
        let start = format!("- -r -gC -a{ADDRESS} gonzo!rmail (Joe-x@far.example)\nReturn-Path: <");
        host.arrives("qmail/alias/sent", &start);
        host.arrives("qmail/alias/sent", "\nbody\n");
        // The host's own users have their mail as before.
        send(&host, ADDRESS);
        assert_eq!(host.receives(1).len(), 1, "{name}");
    }
}

/// Anybody at the domain, root and postmaster among them.
#[test]
fn a_virtual_domain_is_one_user_s() {
    let host = Host::start();
    host.write("qmail/control/virtualdomains", "nowhere.example:you\n");
    host.write("you/.qmail-default", "|echo \"$DEFAULT@$HOST\" >> default\n");
    host.write("you/.qmail-info", "|echo info >> info\n");
    host.rereads();
    for to in ["root", "postmaster", "Any.Body", "info"] {
        send(&host, &format!("{to}@nowhere.example"));
    }
    for to in ["root", "postmaster", "Any.Body"] {
        host.arrives("you/default", &format!("{to}@nowhere.example\n"));
    }
    host.arrives("you/info", "info\n");
    host.drains();
}

#[test]
fn several_virtual_domains_of_one_user_are_told_apart() {
    let host = Host::start();
    let domains = "nowhere.example:you-nowhere\neverywhere.example:you-everywhere\n";
    host.write("qmail/control/virtualdomains", domains);
    host.write("you/.qmail-nowhere-default", "|echo \"$DEFAULT\" >> nowhere\n");
    host.write("you/.qmail-everywhere-default", "|echo \"$DEFAULT\" >> everywhere\n");
    host.rereads();
    send(&host, "a@nowhere.example");
    send(&host, "b@everywhere.example");
    host.arrives("you/nowhere", "a\n");
    host.arrives("you/everywhere", "b\n");
}

/// The mail hub of a network knows on which machine each user's mail ends up.
#[test]
fn a_big_network_has_a_hub() {
    let host = Host::start();
    let workstation = Peer::start(Peer::agree);
    host.write("qmail/control/virtualdomains", "movie.example:alias-movie\n");
    host.write("qmail/alias/.qmail-movie-bob", "bob@bobshost.movie.example\n");
    route(&host, ".movie.example", workstation.port());
    host.rereads();
    send(&host, "bob@movie.example");
    let heard = workstation.hears(1).concat();
    assert!(heard.contains("RCPT TO:<bob@bobshost.movie.example>\r\n"), "{heard}");
    assert!(heard.contains("\r\nDelivered-To: alias-movie-bob@movie.example\r\n"), "{heard}");
    send(&host, "nobody@movie.example");
    assert!(host.receives(1)[0].contains("<nobody@movie.example>:\nSorry, no mailbox here"));
}

/// The older form; the newer one has `bouncesaying`.
#[test]
fn mail_from_broken_clients_is_fixed_up_by_sh() {
    let host = Host::start();
    host.fixes_up(FIXUP_BY_SH);
    send(&host, "you@daisychain.example@fixme");
    assert!(host.receives(1)[0].contains("\nDate: "));
    send(&host, "fixup-x@daisychain.example");
    host.logs("qmail", "failure: Permission_denied/");
}

/// A message that is on its way is not cut off.
#[test]
fn qmail_send_is_stopped_safely() {
    let host = Host::start();
    let (begun, go) = (host.path("you/begun"), host.path("you/go"));
    let wait = "|echo > begun; until [ -e go ]; do sleep 0.05; done\n";
    host.write("you/.qmail-slow", wait);
    send(&host, "you-slow@daisychain.example");
    assert!(until(|| begun.exists()), "{}", host.said());
    host.svc("-d", "qmail");
    assert!(until(|| host.status("qmail").ends_with(", want down"))); // it has been told
    send(&host, "you@daisychain.example");
    assert!(!host.log("qmail").contains("exiting"));
    std::fs::write(go, "").expect("a file");
    host.logs("qmail", "delivery 1: success: did_0+0+1/");
    host.logs("qmail", "exiting\n");
    assert!(host.mail().is_empty());
    host.svc("-u", "qmail");
    assert_eq!(host.receives(1).len(), 1);
}

/// The files with senders of all messages that are being delivered.
fn infos(host: &Host) -> Vec<std::path::PathBuf> {
    let parts = std::fs::read_dir(host.path("qmail/queue/info")).into_iter().flatten().flatten();
    let files = parts.flat_map(|part| std::fs::read_dir(part.path()).into_iter().flatten());
    files.flatten().map(|file| file.path()).collect()
}

#[test]
fn a_message_is_rejuvenated_by_touch() {
    let host = Host::start();
    route(&host, "down.example", free_port());
    for to in ["old@down.example", "young@down.example"] {
        send(&host, to);
    }
    let deferrals = || host.log("qmail").matches("deferral: ").count();
    assert!(until(|| deferrals() == 2), "{}", host.said());
    let week = SystemTime::now() - Duration::from_hours(7 * 24 + 1);
    let files = infos(&host);
    assert_eq!(files.len(), 2);
    for file in &files {
        std::fs::File::options()
            .append(true)
            .open(file)
            .expect("a file")
            .set_modified(week)
            .expect("a time");
    }
    let young = host.log("qmail");
    let young = young.lines().find_map(|line| {
        let (message, to) = line.split_once(" msg ")?.1.split_once(" to remote ")?;
        (to == "young@down.example").then(|| message.to_owned())
    });
    let young = young.expect("a delivery");
    let file = files.iter().find(|file| file.file_name().is_some_and(|name| *name == *young));
    let touched = host.command(["touch".as_ref(), file.expect("its sender").as_os_str()]).run();
    assert_eq!(touched.exit, 0);
    host.svc("-t", "qmail");
    let begun = |log: &str| {
        log.rsplit_once("exiting\n").is_some_and(|(_, new)| new.contains("status: local"))
    };
    assert!(until(|| begun(&host.log("qmail"))), "{}", host.said());
    host.svc("-a", "qmail");
    let bounce = host.receives(1);
    assert!(bounce[0].contains("<old@down.example>:\n"), "{}", bounce[0]);
    let text = "I'm not going to try again; this message has been in the queue too long.\n";
    assert!(bounce[0].contains(text), "{}", bounce[0]);
    assert!(!bounce[0].contains("young"), "{}", bounce[0]);
    assert!(until(|| infos(&host).len() == 1), "{}", host.said());
}

#[test]
fn a_copy_of_all_mail_is_kept() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    route(&host, "elsewhere.example", peer.port());
    host.write("qmail/control/extraqueue", "log\n");
    let awk = "| awk '/^$/ { exit } /^[mM][eE][sS][sS][aA][gG][eE]-/ { print }'\n";
    host.write("qmail/alias/.qmail-log", format!("./msg-log\n{awk}"));
    send(&host, "friend@elsewhere.example");
    host.arrives("qmail/alias/msg-log", "\nbody\n");
    host.logs("qmail", "success: Message-ID:_<one@b.example>/did_1+0+1/");
    send(&host, ADDRESS);
    let copies = || std::fs::read_to_string(host.path("qmail/alias/msg-log")).unwrap_or_default();
    assert!(until(|| copies().matches("\nbody\n").count() == 2), "{}", host.said());
    assert_eq!((peer.hears(1).len(), host.receives(1).len()), (1, 1));
    host.drains();
}

/// Without a restart: on SIGHUP.
#[test]
fn more_deliveries_are_made_at_once() {
    let host = Host::start();
    let slow =
        Peer::start(|line| if line == "CONNECT" { Turn::Silence } else { Peer::agree(line) });
    route(&host, "slow.example", slow.port());
    host.write("qmail/control/concurrencyremote", "1\n");
    host.rereads();
    host.logs("qmail", "status: local 0/10 remote 0/1\n");
    for number in 0..3 {
        send(&host, &format!("x{number}@slow.example"));
    }
    host.logs("qmail", "status: local 0/10 remote 1/1\n");
    host.write("qmail/control/concurrencyremote", "30\n");
    host.rereads();
    host.logs("qmail", "status: local 0/10 remote 3/30\n");
}

/// As inetd starts it: tcp-env tells qmail-smtpd who has called, and RELAYCLIENT whom to trust.
#[test]
fn qmail_smtpd_is_started_by_inetd_through_tcp_env() {
    let host = Host::start();
    let dns = Dns::start(|_, _| Answer::NoName);
    let peer = Peer::start(Peer::agree);
    route(&host, "elsewhere.example", peer.port());
    let variables = "-u PROTO -u TCPREMOTEIP -u TCPREMOTEHOST -u TCPLOCALIP -u TCPLOCALHOST";
    host.run_script(
        "smtpd",
        &format!(
            "#!/bin/sh\nexec 2>&1\ncd ../..\nexec env - PATH=\"$PATH\" QMAILHOME=\"$PWD/qmail\" \
             DNSCACHEIP={} RELAYCLIENT= tcpserver -H -R -l 0 127.0.0.1 {} \
             env {variables} tcp-env -R qmail-smtpd\n",
            dns.place(),
            host.port()
        ),
    );
    Smtp::connect(host.port()).deliver("a@b.example", "friend@elsewhere.example", MESSAGE);
    let heard = peer.hears(1).concat();
    assert!(heard.contains("(HELO client.example) (127.0.0.1)\r\n"), "{heard}");
}
