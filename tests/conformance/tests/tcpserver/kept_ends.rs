//! How connections of kept programs end, and these programs themselves.

use std::io::Read;

use harness::{Side, until};
use unix::Pid;
use unix::signal::{self, Signal};

use super::kept::{Client, KEPT, is_running, start};
use super::{Server, compile};

/// Serves a client to the end, which is the `count`th; its program.
fn serve(server: &mut Server, count: usize) -> i32 {
    let client = Client::of(server);
    let pid = client.pid();
    client.end();
    server.ended(count);
    pid
}

fn ends(server: &Server) -> Vec<String> {
    let log = server.log();
    let ends = log.lines().filter_map(|line| line.strip_prefix("tcpserver: end PID status "));
    ends.map(ToOwned::to_owned).collect()
}

#[test]
fn who_is_idle_takes_no_place_and_no_share_of_a_limit() {
    let side = Side::ours();
    let mut server = start(&side, &["-c1", "-C1"], &[KEPT]);
    let first = serve(&mut server, 1);
    let client = Client::of(&mut server);
    assert_eq!((client.pid(), client.place()), (first, 2));
    // There is one place, and the next client waits for it in the kernel.
    let mut waiting = server.connect("127.0.0.1", "127.0.0.1");
    client.end();
    let mut hello = [0; 1];
    waiting.read_exact(&mut hello).unwrap();
    let status = |log: &str| log.lines().filter(|line| line.contains("status: 2/1")).count();
    assert_eq!(status(&server.log()), 0);
    server.background.signal(Signal::SIGUSR1);
    server.background.hears("tcpserver: connections: 1/1\n");
}

#[test]
fn a_client_over_its_limit_is_refused_until_the_program_says_that_it_is_done() {
    let side = Side::ours();
    let mut server = start(&side, &["-C1"], &[KEPT]);
    let first = serve(&mut server, 1);
    let client = Client::of(&mut server);
    assert_eq!(server.ask(), b"");
    server.background.hears(" MAXCONNIP:1\n");
    let mut other = Client::on(server.connect("127.0.0.1", "127.0.0.2"));
    assert!(other.pid() != first);
    client.end();
    server.ended(3);
    let client = Client::of(&mut server);
    assert_eq!(client.pid(), first);
    // Only those that serve somebody are listed.
    other.say("code 0");
    other.end();
    server.ended(4);
    server.background.signal(Signal::SIGUSR1);
    server.background.hears("tcpserver: connections: 1/40\n");
    let line = format!("tcpserver: connection {first} 127.0.0.1:");
    server.background.hears(&line);
    assert_eq!(server.log().matches("tcpserver: connection ").count(), 1);
}

#[test]
fn a_program_may_die_with_a_client_or_without() {
    let side = Side::ours();
    let mut server = start(&side, &[], &[KEPT]);
    let first = serve(&mut server, 1);
    let mut client = Client::of(&mut server);
    assert_eq!(client.pid(), first);
    client.say("die");
    client.end();
    server.ended(2);
    assert_eq!(ends(&server), ["0", "9"]);

    let second = serve(&mut server, 3);
    assert!(second != first);
    // Nobody is told of an idle one, and the next client has another.
    let before = server.log();
    signal::send(Pid::from_raw(second), Signal::SIGKILL).unwrap();
    assert!(until(|| !std::path::Path::new(&format!("/proc/{second}")).exists()));
    assert_eq!(server.log(), before);
    let third = serve(&mut server, 4);
    assert!(third != second);
    assert_eq!(ends(&server), ["0", "9", "0", "0"]);
}

#[test]
fn an_idle_program_that_dies_at_the_last_moment_costs_no_client() {
    let side = Side::ours();
    let mut server = start(&side, &[], &[KEPT]);
    let mut count = 0;
    for _ in 0..20 {
        let pid = {
            count += 1;
            serve(&mut server, count)
        };
        signal::send(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        // It has ended before the server, which sleeps, has looked.
        let stopped = server.background.pid().cast_signed();
        signal::send(Pid::from_raw(stopped), Signal::SIGSTOP).unwrap();
        signal::send(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let stream = server.connect("127.0.0.1", "127.0.0.1");
        assert!(until(|| !is_running(pid)));
        signal::send(Pid::from_raw(stopped), Signal::SIGCONT).unwrap();
        let client = Client::on(stream);
        assert_eq!(client.place(), 1);
        client.end();
        // Where it was given to the dead one, that has a line of its own.
        let log = || server.log();
        assert!(until(|| log().lines().last().unwrap_or_default().contains("status: 0/")));
        count = log().matches("tcpserver: end ").count();
        server.background.signal(Signal::SIGHUP);
    }
}

#[test]
fn who_talks_nonsense_is_not_kept_and_its_client_is_served() {
    let side = Side::ours();
    let mut server = start(&side, &[], &[KEPT]);
    let mut client = Client::of(&mut server);
    let first = client.pid();
    client.say("nonsense");
    client.say("exit 5");
    client.end();
    server.ended(1);
    assert_eq!(ends(&server), ["1280"]);
    assert!(until(|| !is_running(first)));

    // One that says twice that it is done has its client until the second time.
    let mut client = Client::of(&mut server);
    let second = client.pid();
    client.say("twice 6");
    server.ended(2);
    client.say("code 7");
    client.end();
    assert!(until(|| !is_running(second)));
    let third = serve(&mut server, 3);
    assert!(third != second);
    assert_eq!(ends(&server), ["1280", "1536", "0"]);
}

#[test]
fn who_does_not_end_when_it_is_let_go_counts_for_nothing() {
    let side = Side::ours();
    let mut server = start(&side, &["-c1", "-G60"], &[KEPT]);
    let mut client = Client::of(&mut server);
    let first = client.pid();
    client.say("stay");
    server.ended(1);
    server.background.signal(Signal::SIGHUP);
    let second = serve(&mut server, 2);
    assert!(second != first && is_running(first));
    server.background.signal(Signal::SIGTERM);
    assert_eq!(server.background.ends(), 0);
    assert!(is_running(first));
    assert!(until(|| !is_running(second)));
}

#[test]
fn no_more_idle_programs_are_kept_than_was_said() {
    let side = Side::ours();
    let mut server = start(&side, &["-k2"], &[KEPT]);
    let clients: Vec<Client> = (0..5).map(|_| Client::of(&mut server)).collect();
    let pids: Vec<i32> = clients.iter().map(Client::pid).collect();
    let running = || pids.iter().filter(|pid| is_running(**pid)).count();
    assert_eq!(running(), 5);
    clients.into_iter().for_each(Client::end);
    server.ended(5);
    assert!(until(|| running() == 2));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::of(&mut server)).collect();
    clients.sort_by_key(Client::place);
    assert_eq!(clients.iter().map(Client::place).collect::<Vec<_>>(), [1, 2, 2]);
}

#[test]
fn hup_lets_programs_go_when_they_are_done() {
    let side = Side::ours();
    let mut server = start(&side, &[], &[KEPT]);
    let busy = Client::of(&mut server);
    let idle = serve(&mut server, 1);
    server.background.signal(Signal::SIGHUP);
    assert!(until(|| !is_running(idle)));
    let pid = busy.pid();
    assert!(is_running(pid));
    let fresh = serve(&mut server, 2);
    assert!(fresh != idle);
    busy.end();
    server.ended(3);
    assert!(until(|| !is_running(pid)));
    assert_eq!(serve(&mut server, 4), fresh);
    assert_eq!(ends(&server), ["0", "0", "0", "0"]);
}

#[test]
fn a_server_that_ends_lets_programs_go() {
    let side = Side::ours();
    for grace in [&[][..], &["-G60"]] {
        let mut server = start(&side, grace, &[KEPT]);
        let busy = Client::of(&mut server);
        let idle = serve(&mut server, 1);
        server.background.signal(Signal::SIGTERM);
        assert!(until(|| !is_running(idle)));
        let pid = busy.pid();
        assert!(is_running(pid));
        busy.end();
        assert_eq!(server.background.ends(), 0);
        assert!(until(|| !is_running(pid)));
        if !grace.is_empty() {
            assert_eq!(ends(&server), ["0", "0"]);
        }
    }
}

#[test]
fn a_limit_on_time_is_each_connection_s_own() {
    let side = Side::ours();
    compile(&side, "127.0.0.2:allow,MAXIDLE=\"2\"\n:allow\n");
    let mut server = start(&side, &["-x", "cdb"], &[KEPT]);
    let first = serve(&mut server, 1);
    // The second is quiet too long, and its program is well after that.
    let client = Client::on(server.connect("127.0.0.1", "127.0.0.2"));
    assert_eq!((client.pid(), client.place()), (first, 2));
    server.background.hears(&format!("tcpserver: timeout {first} idle\n"));
    server.ended(2);
    let client = Client::of(&mut server);
    assert_eq!((client.pid(), client.place()), (first, 3));
    client.end();
    server.ended(3);
    assert_eq!(ends(&server), ["0", "0", "0"]);
}

#[test]
fn four_hundred_clients_at_a_time_are_served_again_and_again() {
    let side = Side::ours();
    let mut server = start(&side, &["-c400", "-b400", "-k400"], &[KEPT]);
    let mut pids: Vec<Vec<i32>> = Vec::new();
    for round in 1..=3 {
        let clients: Vec<Client> = (0..400).map(|_| Client::of(&mut server)).collect();
        assert!(clients.iter().all(|client| client.place() == round));
        let mut now: Vec<i32> = clients.iter().map(Client::pid).collect();
        now.sort_unstable();
        now.dedup();
        pids.push(now);
        clients.into_iter().for_each(Client::end);
        server.ended(400 * round as usize);
    }
    assert_eq!(pids[0].len(), 400);
    assert!(pids[0] == pids[1] && pids[1] == pids[2]);
}
