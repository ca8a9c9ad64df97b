//! A host without a network.

use std::time::{Duration, Instant};

use harness::{case, quickly};

/// What waiting for a server that fails costs: the second round of questions.
const ROUND: Duration = Duration::from_secs(11);

#[test]
fn dns_servers_without_a_route_are_not_waited_for() {
    let unshare = ["unshare", "--user", "--map-root-user", "--net"];
    if harness::Side::ours().run([&unshare[..], &["true"]].concat()).exit != 0 {
        return harness::skipped_for("user and network namespaces (unshare)");
    }
    for servers in ["192.0.2.1", "192.0.2.1.192.0.2.2"] {
        case(|side| {
            let client = ["tcpclient", "-RHl0", "mx.example", "25", "true"];
            let mut last = None;
            quickly(ROUND, || {
                let command = side.command([&unshare[..], &client].concat());
                let before = Instant::now();
                last = Some(command.env("DNSCACHEIP", servers).run());
                before.elapsed()
            });
            last.unwrap()
        })
        .same();
    }
}

#[test]
fn a_dns_server_that_is_not_running_has_eleven_seconds_to_come_back() {
    // Nobody is at that address, which the kernel says at once.
    case(|side| {
        let before = Instant::now();
        let client = ["tcpclient", "-RHl0", "mx.example", "25", "true"];
        let run = side.command(client).env("DNSCACHEIP", "127.53.3.9").run();
        assert!(before.elapsed() >= ROUND, "{:?}", before.elapsed());
        run
    })
    .same();
}
