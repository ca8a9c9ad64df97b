//! What the program finds open, and how signals are.

use std::time::Duration;

use harness::{Run, Side, case, until};

use super::{PLAIN, Server, connected, named};

#[test]
fn the_connection_is_at_6_and_7_and_the_rest_is_as_it_was() {
    connected(&PLAIN, "0", &["sh", "-c", "cat; cat <&6"]).same();
    let script = "for fd in 0 1 2 6 7; do readlink /proc/self/fd/$fd; done | \
         sed 's/[0-9][0-9]*]/N]/; s,/tmp/[^ ]*/,TMP/,'; test 6 -ef 7; \
         test \"$(readlink /proc/$$/fd/6)\" = \"$(readlink /proc/$$/fd/7)\" && echo same; \
         for fd in /proc/$$/fd/*; do echo ${fd##*/}; done";
    connected(&PLAIN, "0", &["sh", "-c", script]).same();
}

#[test]
fn the_connection_waits_for_what_is_not_there_yet() {
    connected(&PLAIN, "0", &["sh", "-c", "cd /proc/$$/fdinfo; grep flags 6 7"]).same();
}

#[test]
fn signals_are_as_they_were() {
    connected(&PLAIN, "0", &["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]).same();
}

#[test]
fn what_is_written_to_7_arrives() {
    let side = Side::ours();
    let server = Server::start("127.0.0.1");
    let port = server.port.to_string();
    let words = [&["tcpclient"][..], &PLAIN, &["0", &port, "sh", "-c", "cat >&7"]].concat();
    assert_eq!(side.command(words).stdin("word\n").run().exit, 0);
    assert!(until(|| server.heard() == [b"word\n"]), "{:?}", server.heard());
}

#[test]
fn other_things_at_6_and_7_are_closed_before_the_connection_comes_about() {
    // The server's backlog is full, so that the client waits; who reads the pipe at 6 must not.
    case(|side| {
        let full = super::addresses::Full::start();
        let port = full.port.to_string();
        let script = "{ tcpclient -T $1+$1 -HRl0 127.0.0.1 \"$0\" true 6>&1 7>&1 >/dev/null 2>&1 & \
             echo $! >&2; } | cat; kill $(cat err)";
        let script = format!("{{ {script}; }} 2>err");
        let start = std::time::Instant::now();
        let run = side.run(["sh", "-c", &script, &port, "300"]);
        assert!(start.elapsed() < Duration::from_secs(250));
        std::fs::remove_file(side.path().join("err")).unwrap();
        named(Run { exit: 0, ..run }, full.port)
    })
    .same();
}
