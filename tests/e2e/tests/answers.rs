//! What qmail is blamed for, and how a whole host answers it: few deliveries at a time, a connection for each
//! recipient, IPv4 only.

use std::net::TcpListener;

use harness::{ADDRESS, Host, Peer, skipped, skipped_for, until};
use unix::fifo;
use unix::limit::{self, Resource};

const MESSAGE: &str = "From: a@b.example\nSubject: s\n\nbody\n";

/// More than the original's protocol can number, and a start that bears 10.
#[test]
fn more_deliveries_than_a_byte_can_count_need_no_restart() {
    const COUNT: usize = 260;
    let (_, hard) = limit::get(Resource::RLIMIT_NOFILE).expect("a limit");
    if hard < 4096 {
        return skipped_for("a spawner of 1000 needs more descriptors than there may be here");
    }
    let host = Host::start();
    host.logs("qmail", "status: local 0/10 remote 0/20\n");
    let go = host.path("you/go");
    host.write("you/.qmail-slow-default", "|read x < go; exit 0\n");
    host.write("you/go", "");
    std::fs::remove_file(&go).expect("a file");
    assert_eq!(host.command(["mkfifo".as_ref(), go.as_os_str()]).run().exit, 0);
    let pid = host.service_pid("qmail");
    for channel in ["local", "remote"] {
        host.write(&format!("qmail/control/concurrency{channel}"), "1000\n");
    }
    host.rereads();
    host.logs("qmail", "status: local 0/1000 remote 0/1000\n");
    let recipients: Vec<_> =
        (0..COUNT).map(|n| format!("you-slow-{n}@daisychain.example")).collect();
    let recipients = recipients.iter().map(String::as_str);
    host.sends(MESSAGE, &["-f", ADDRESS].into_iter().chain(recipients).collect::<Vec<_>>());
    host.logs("qmail", &format!("status: local {COUNT}/1000 remote 0/1000\n"));
    let done = || {
        drop(fifo::write_end(&go)); // whoever waits for it goes on
        host.log("qmail").matches(": success: did_0+0+1/").count() == COUNT
    };
    assert!(until(done), "{}", host.said());
    assert_eq!(host.service_pid("qmail"), pid);
    host.drains();
}

/// A host with a server for everything else.
fn with_server() -> (Host, Peer) {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write("qmail/control/smtproutes", format!(":127.0.0.1:{}\n", peer.port()));
    (host, peer)
}

#[test]
fn recipients_at_one_host_share_a_connection_and_have_a_line_each() {
    let (host, peer) = with_server();
    let recipients = ["one@far.example", "two@far.example", "three@far.example"];
    host.sends(MESSAGE, &[&["-f", ADDRESS], &recipients[..]].concat());
    host.drains();
    let heard = peer.rests();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].matches("\r\nDATA\r\n").count(), 1, "{heard:?}");
    for recipient in recipients {
        assert!(heard[0].contains(&format!("\r\nRCPT TO:<{recipient}>\r\n")), "{heard:?}");
        host.logs("qmail", &format!(" to remote {recipient}\n"));
    }
    let accepted = ": success: 127.0.0.1_accepted_message./Remote_host_said:_250_ok/\n";
    // The queue is empty before the log is written.
    let told = || host.log("qmail").matches(accepted).count();
    assert!(until(|| told() == 3), "{}", host.said());
}

#[test]
fn a_list_s_subscribers_have_a_sender_and_a_connection_each() {
    let (host, peer) = with_server();
    host.sends(
        MESSAGE,
        &["-f", "list-@daisychain.example-@[]", "one@far.example", "two@far.example"],
    );
    host.drains();
    let heard = peer.rests();
    assert_eq!(heard.len(), 2, "{heard:?}");
    for name in ["one", "two"] {
        let dialogue = format!(
            "\r\nMAIL FROM:<list-{name}=far.example@daisychain.example>\r\n\
             RCPT TO:<{name}@far.example>\r\nDATA\r\n"
        );
        assert_eq!(heard.iter().filter(|heard| heard.contains(&dialogue)).count(), 1, "{heard:?}");
    }
}

#[test]
fn mail_goes_from_host_to_host_by_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skipped("IPv6");
    }
    let mut to = Host::made();
    for file in ["me", "locals", "rcpthosts"] {
        to.write(&format!("qmail/control/{file}"), "far.example\n");
    }
    to.resume();
    let script = format!(
        "#!/bin/sh\nexec 2>&1\ncd ../..\nexec env - PATH=\"$PATH\" QMAILHOME=\"$PWD/qmail\" \
         tcpserver -v -H -R -l 0 -x tcp.smtp.cdb :: {} qmail-smtpd\n",
        to.port()
    );
    to.run_script("smtpd", &script);
    let from = Host::start();
    from.write("qmail/control/smtproutes", format!("far.example:[::1]:{}\n", to.port()));
    from.sends(MESSAGE, &["-f", ADDRESS, "you@far.example", "nobody@far.example"]);
    let mail = to.receives(1).concat();
    assert!(mail.contains(" (HELO daisychain.example) (::1)\n"), "{mail}");
    from.logs("qmail", ": success: ::1_accepted_message./Remote_host_said:_250_ok_");
    let refusal = ": failure: ::1_does_not_like_recipient./Remote_host_said:_550_sorry";
    from.logs("qmail", refusal);
}
