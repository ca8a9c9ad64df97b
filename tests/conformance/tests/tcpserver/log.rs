//! The lines on standard error.

use harness::{Run, case};

use super::{PLAIN, Server, compile, served};

#[test]
fn every_step_has_its_line() {
    case(|side| served(side, &PLAIN, &["sh", "-c", "exit 3"])).same();
    case(|side| served(side, &PLAIN, &["sh", "-c", "kill -9 $$"])).same();
    case(|side| served(side, &PLAIN, &["sh", "-c", "exit 111"])).same();
}

#[test]
fn without_v_there_are_none() {
    case(|side| served(side, &["-Q", "-HR", "-l0"], &["echo", "ok"])).same();
    case(|side| served(side, &["-v", "-Q", "-HR", "-l0"], &["echo", "ok"])).same();
}

#[test]
fn fields_cannot_break_the_line() {
    for name in ["a b:c%d", "", &"x".repeat(99), &"x".repeat(100), "\u{e9}\u{7f}\t"] {
        case(|side| served(side, &["-v", "-HR", "-l", name], &["true"])).same();
    }
}

#[test]
fn a_refusal_has_the_lines_of_a_child() {
    case(|side| {
        compile(side, ":deny\n");
        let options = ["-v", "-HR", "-l", "a b:c%d", "-x", "cdb"];
        served(side, &options, &["echo", "wrong"])
    })
    .same();
}

#[test]
fn a_program_that_cannot_be_run_is_told() {
    case(|side| served(side, &PLAIN, &["./nonexistent"])).same();
    case(|side| served(side, &PLAIN, &["nonexistent"])).same();
    case(|side| {
        side.write("file", "not executable");
        served(side, &PLAIN, &["./file"])
    })
    .same();
    case(|side| served(side, &["-HR", "-l0"], &["./nonexistent"])).same();
}

#[test]
fn the_program_s_own_lines_come_after_the_server_s() {
    case(|side| served(side, &PLAIN, &["sh", "-c", "echo mine >&2"])).same();
}

#[test]
fn several_clients_are_counted() {
    case(|side| {
        let mut server = Server::start(side, &PLAIN, "127.0.0.1", &["sh", "-c", "read x"]);
        let mut clients = Vec::new();
        for count in 1..=3 {
            clients.push(server.connect("127.0.0.1", "127.0.0.1"));
            server.background.hears(&format!("tcpserver: status: {count}/40\n"));
            let told = || {
                let log = String::from_utf8_lossy(&server.background.stderr()).into_owned();
                log.matches("tcpserver: ok ").count() == count
            };
            assert!(harness::until(told));
        }
        for (count, client) in clients.into_iter().enumerate() {
            drop(client);
            server.ended(count + 1);
        }
        server.stop(Vec::new())
    })
    .same();
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_stop() {
    case(|side| {
        // The reader takes one line and goes.
        let script =
            "tcpserver -1 -v -HR -l0 127.0.0.1 0 echo ok 2>&1 >port | head -n 1 >/dev/null";
        let shell = side.command(["sh", "-c", script]).start_in_background();
        assert!(harness::until(|| side.read("port").ends_with(b"\n")));
        let port: u16 = String::from_utf8(side.read("port")).unwrap().trim().parse().unwrap();
        side.write("port", "");
        let mut answers = Vec::new();
        for _ in 0..3 {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let _ = std::io::Read::read_to_end(&mut stream, &mut answers);
        }
        drop(shell);
        Run { stdout: answers, stderr: Vec::new(), exit: 0 }
    })
    .same();
}
