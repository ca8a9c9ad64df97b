//! Servers of /etc/resolv.conf, and what their silence costs.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use harness::{
    Answer, Dns, Network, Side, laid_over, own_network, quickly, skipped_for, sometime, until,
};

use super::{command, compared, world};

/// What the first of two servers does.
#[derive(Clone, Copy, Debug)]
enum First {
    Fails,
    Refuses,
    Silent,
}

#[test]
fn the_next_server_of_resolv_conf_is_asked_where_the_first_is_no_help() {
    let test = "servers::the_next_server_of_resolv_conf_is_asked_where_the_first_is_no_help";
    match own_network(test, "true") {
        Network::Done => return,
        Network::Own => {}
        Network::Shared(why) => {
            return skipped_for(&format!("a network of the test's own: {why}"));
        }
    }
    // A server that is slow to answer is followed by the next.
    let asked_in_order = |first| {
        let failing = matches!(first, First::Fails)
            .then(|| Dns::start_at("127.53.5.1", |_, _| Answer::Code(2)).expect("port 53"));
        let silent = matches!(first, First::Silent)
            .then(|| UdpSocket::bind(("127.53.5.1", 53)).expect("port 53"));
        let second = Dns::start_at("127.53.5.2", world).expect("port 53");
        let third = Dns::start_at("127.53.5.3", world).expect("port 53");
        compared(|side| {
            let before = Instant::now();
            side.write(
                "resolv.conf",
                "# nameserver 127.53.5.9\nsearch example\nnameserver 127.53.5.1\n\
                 nameserver 127.53.5.2\nnameserver 127.53.5.3\n",
            );
            let over = laid_over(side, "resolv.conf", "/etc/resolv.conf").expect("a namespace");
            let words = ["rblsmtpd", "-r", "black", "sh", "-c", "echo served"];
            let words = over.iter().map(String::as_str).chain(words);
            let run = side.command(words).env("TCPREMOTEIP", "192.0.2.1").stdin("QUIT\r\n").run();
            assert!(run.stderr.ends_with(b": 451 go away\n"), "{}", run.stderr.escape_ascii());
            if matches!(first, First::Silent) {
                assert!(before.elapsed() >= Duration::from_secs(3));
            }
            run
        })
        .same();
        drop((failing, silent));
        assert!(!second.asked().is_empty(), "{first:?}");
        if third.asked().is_empty() { Ok(()) } else { Err(third.asked()) }
    };
    for first in [First::Refuses, First::Fails, First::Silent] {
        sometime(|| asked_in_order(first));
    }
}

#[test]
fn all_lists_together_have_thirty_seconds() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let side = Side::ours();
    let start =
        |options: &[&str]| command(&side, options).env("DNSCACHEIP", &place).start_in_background();
    quickly(Duration::from_secs(50), || {
        let before = Instant::now();
        let open = start(&["-r", "one", "-r", "two"]);
        let closed = start(&["-c", "-r", "one", "-a", "two", "-r", "three"]);
        assert!(until(|| open.stdout() == b"served 192.0.2.1\n"));
        assert!(before.elapsed() >= Duration::from_secs(30), "{:?}", before.elapsed());
        closed.hears(": 451 temporary RBL lookup error\n");
        before.elapsed()
    });
}
