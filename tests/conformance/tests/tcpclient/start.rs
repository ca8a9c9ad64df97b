//! Arguments, and what keeps a connection from coming about.

use harness::{Case, case, case_v6, free_port};

use super::{PLAIN, SHOW, connected, is_root};

fn run(words: &[&str]) -> Case {
    let words = [&["tcpclient"], words].concat();
    case(|side| side.command(words.iter()).run())
}

#[test]
fn host_port_and_program_are_needed() {
    for words in [&[][..], &["0"], &["0", "1"], &["-v", "0", "1"], &["-t"], &["-z", "0", "1", "x"]]
    {
        // The usage line is that of the IPv6 edition.
        let words = [&["tcpclient"], words].concat();
        case_v6(|side| side.run(words.iter())).same();
        let _ = case(|side| side.run(words.iter())).same_exit().same_stdout();
    }
}

#[test]
fn q_silences_usage_but_not_an_unknown_letter() {
    run(&["-q"]).same();
    run(&["-q", "0", "1"]).same();
    case_v6(|side| side.run(["tcpclient", "-q", "-z"])).same();
}

#[test]
fn a_port_that_nobody_knows_is_fatal() {
    run(&["0", "nonexistentport", "echo", "wrong"]).same();
    run(&["-q", "0", "nonexistentport", "echo", "wrong"]).same();
    let message = "tcpclient: fatal: unable to figure out port number for 65536\n";
    let run = case(|side| side.run(["tcpclient", "-HRl0", "0", "65536", "echo", "wrong"]));
    assert_eq!(run.ours().run.stderr, message.as_bytes());
    assert_eq!(run.ours().run.exit, 100);
}

#[test]
fn a_port_may_be_a_name() {
    // Nobody listens there, or someone does.
    if std::net::TcpStream::connect("127.0.0.1:1").is_err() {
        run(&["-HRl0", "0", "tcpmux", "echo", "wrong"]).same();
        run(&["-HRl0", "0", "001", "echo", "wrong"]).same();
    }
}

#[test]
fn nobody_listening_is_told() {
    let port = free_port().to_string();
    run(&["-HRl0", "127.0.0.1", &port, "echo", "wrong"]).same();
    run(&["-q", "-HRl0", "127.0.0.1", &port, "echo", "wrong"]).same();
    run(&["-v", "-HRl0", "0", &port, "echo", "wrong"]).same();
}

#[test]
fn the_near_end_can_be_chosen() {
    connected(&["-i", "127.0.0.2", "-HRl0"], "127.0.0.1", &SHOW).same();
    connected(&["-i127.7.7.7", "-p4569", "-HRl0"], "127.0.0.1", &SHOW).same();
    connected(&["-p", "0", "-HRl0"], "127.0.0.1", &SHOW).same();
}

#[test]
fn a_near_end_that_is_not_to_be_had_is_fatal() {
    run(&["-i", "192.0.2.1", "-HRl0", "0", "1", "x"]).same();
    if !is_root() {
        run(&["-p", "1", "-HRl0", "0", "1", "x"]).same();
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(&["-i", "127.0.0.1", "-p", &port, "-HRl0", "0", "1", "x"]).same();
}

#[test]
fn numbers_and_addresses_that_are_none_are_wrong_usage() {
    for option in ["-ix", "-i127.0.0.1x", "-p65536", "-px", "-Tx", "-T1+", "-tx"] {
        let words = [&["tcpclient", option][..], &PLAIN, &["0", "1", "x"]].concat();
        let case = case_v6(|side| side.run(words.iter()));
        let stderr = String::from_utf8(case.ours().run.stderr.clone()).unwrap();
        assert!(stderr.starts_with("tcpclient: usage: "), "{option}: {stderr}");
        assert_eq!(case.ours().run.exit, 100);
    }
}
