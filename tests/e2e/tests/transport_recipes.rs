//! What the owner's documents do with tcpserver that other recipes do not show: the older names of the
//! rules' programs, a log that goes to syslog, and a service that says when it is ready.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{ADDRESS, FIXUP_BY_SH, Host, Side, Smtp, free_port, skipped_for, until};

/// The questions 5.4 and 5.5 of 1998 as they stand there: tcpmakectl, tcpcontrol before qmail-smtpd,
/// and RELAYCLIENT=@fixme for clients whose mail has no header.
#[test]
fn mail_from_broken_clients_is_fixed_up_behind_tcpcontrol() {
    let host = Host::start();
    let rules = "127.0.0.6:allow,RELAYCLIENT=\"@fixme\"\n\
                 127.0.0.7:allow,RELAYCLIENT=\"@fixme\"\n\
                 127.0.0.8:deny\n";
    let (cdb, tmp) = (host.path("tcp.smtp.cdb"), host.path("tcp.smtp.tmp"));
    let words = ["tcpmakectl".as_ref(), cdb.as_os_str(), tmp.as_os_str()];
    let made = host.command(words).stdin(rules).run();
    assert_eq!((made.exit, made.stderr), (0, Vec::new()));
    host.fixes_up(FIXUP_BY_SH);
    let script = format!(
        "#!/bin/sh\nexec 2>&1\nexec env - PATH=\"$PATH\" QMAILHOME='{}' \\\n\
         tcpserver -vHR -l x 127.0.0.1 {} tcpcontrol {} qmail-smtpd\n",
        host.path("qmail").display(),
        host.port(),
        cdb.display(),
    );
    host.run_script("smtpd", &script);
    for (client, is_fixed) in [("127.0.0.6", true), ("127.0.0.7", true), ("127.0.0.1", false)] {
        let before = host.mail().len();
        let mut smtp = Smtp::connect_from(client, host.port());
        smtp.deliver("a@b.example", ADDRESS, &format!("Subject: from {client}\n\nx\n"));
        let mail = host.receives(before + 1);
        let mail = mail.iter().find(|mail| mail.contains(&format!(": from {client}\n"))).unwrap();
        // An SMTP server adds no Date of its own.
        assert_eq!(mail.contains("\nDate: "), is_fixed, "{mail}");
    }
    assert_eq!(Smtp::connect_from("127.0.0.8", host.port()).rest(), "");
    host.logs("smtpd", "tcpcontrol: deny ");
}

/// What a server on this machine has to say, when `line` was said to it.
fn told(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(line.as_bytes()).ok()?;
    let mut said = String::new();
    stream.read_to_string(&mut said).ok()?;
    Some(said)
}

/// Both FAQs: the connections' lines go to syslog as facility 3, and with recordio, what is said too.
#[test]
fn connections_and_what_is_said_go_to_syslog() {
    let side = Side::ours();
    // Another account can be had only outside a user namespace.
    let is_root = unix::Uid::current().is_root();
    let unshare: &[&str] = if is_root { &["unshare", "-m"] } else { &["unshare", "-rm"] };
    let account = if is_root { "-u 7770 -g 2108" } else { "" };
    if side.run([unshare, &["mount", "-t", "tmpfs", "tmpfs", "/mnt"]].concat()).exit != 0 {
        return skipped_for("mount namespaces");
    }
    side.directory("dev");
    side.write("dev/null", "");
    let socket = UnixDatagram::bind(side.path().join("dev/log")).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let port = free_port();
    let script = format!(
        "set -e; mount --bind /dev/null dev/null; mount --rbind dev /dev\n\
         tcpserver -v {account} -HR -l0 127.0.0.1 {port} recordio sh -c 'read x; echo ok' \\\n\
         2>&1 | splogger smtpd 3 &\n\
         wait"
    );
    let pipe = side.command([unshare, &["sh", "-c", &script]].concat()).start_in_background();
    let is_served = || told(port, "hello\n").as_deref() == Some("ok\n");
    assert!(until(is_served), "{}", pipe.stderr().escape_ascii());
    let mut wanted = vec![
        "tcpserver: status: 0/40",
        "tcpserver: pid ",
        "tcpserver: ok ",
        " < hello ",
        " > ok ",
        "tcpserver: end ",
    ];
    while !wanted.is_empty() {
        let mut message = [0; 2000];
        let length =
            socket.recv(&mut message).unwrap_or_else(|error| panic!("{wanted:?}: {error}"));
        let text = String::from_utf8_lossy(&message[..length]).into_owned();
        // Priority 30: facility 3, LOG_INFO.
        assert!(text.starts_with("<30>") && text.contains(" smtpd: "), "{text}");
        wanted.retain(|wanted| !text.contains(wanted));
    }
}

/// A server with -1 tells supervise that it can receive connections.
#[test]
fn a_server_tells_supervise_when_it_is_ready() {
    let side = Side::ours();
    side.write("sv/notification-fd", "3\n");
    side.script("sv/run", "#!/bin/sh\nexec tcpserver -1 -HRl0 127.0.0.1 0 true >&3 3>&-\n");
    side.keep(side.command(["supervise", "sv"]).start_in_background());
    assert!(until(|| side.run(["svok", "sv"]).exit == 0));
    let waited = side.run(["svc", "-W", "U", "-T", "20000", "sv"]);
    assert_eq!((waited.exit, waited.stderr), (0, Vec::new()));
    let state = String::from_utf8(side.read("sv/supervise/state")).unwrap();
    assert!(state.contains(" ready "), "{state}");
    assert_eq!(side.run(["svc", "-dx", "-W", "x", "sv"]).exit, 0);
}
