//! tcpcontrol: the original of that name is not to be had, so it is held against tcpserver's rules.

use std::io::Read;
use std::net::TcpStream;

use harness::{Run, Side, until};

const RULES: &str = "\
10.0.0.1:deny
10.1.0.0/16:deny
10.:allow,RELAYCLIENT=\"\",TCPREMOTEHOST=\"rule\"
joe@10.2.3.4:deny
=bad.example:deny
2001:db8::/32:deny
:allow,OTHER=\"x\"
";

fn compiled(rules: &str) -> Side {
    let side = Side::ours();
    let run = side.command(["tcprules", "cdb", "tmp"]).stdin(rules).run();
    assert_eq!(run.exit, 0, "{}", run.stderr.escape_ascii());
    side
}

/// The rules' verdict on a connection that `variables` tell of, with the program's own number as PID.
fn controlled(side: &Side, variables: &[(&str, &str)]) -> Run {
    let show = "env | grep -E '^(RELAYCLIENT|OTHER|TCPREMOTEHOST)=' | sort; echo $$ >&2; exit 7";
    let mut command = side.command(["tcpcontrol", "cdb", "sh", "-c", show]);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    let run = command.run();
    let mut stderr = String::from_utf8(run.stderr).unwrap();
    if let Some((_, pid)) = stderr.trim_end().rsplit_once('\n') {
        // The line has the number that the program has.
        let pid = pid.to_owned();
        stderr = stderr.replace(&pid, "PID");
    }
    Run { stderr: stderr.into_bytes(), ..run }
}

fn ip(side: &Side, ip: &str) -> Run {
    controlled(side, &[("PROTO", "TCP"), ("TCPREMOTEIP", ip)])
}

#[test]
fn a_connection_that_is_allowed_gets_its_program_and_variables() {
    let side = compiled(RULES);
    let run = ip(&side, "10.2.3.4");
    assert_eq!(run.stdout, b"RELAYCLIENT=\nTCPREMOTEHOST=rule\n");
    assert_eq!(run.stderr, b"tcpcontrol: ok PID :: :10.2.3.4::\nPID\n");
    assert_eq!(run.exit, 7);
    let run = ip(&side, "192.0.2.1");
    assert_eq!((run.stdout, run.exit), (b"OTHER=x\n".to_vec(), 7));
}

#[test]
fn a_connection_that_is_denied_ends_with_100() {
    let side = compiled(RULES);
    for denied in ["10.0.0.1", "10.1.2.3", "2001:db8:1::1", "::ffff:10.0.0.1"] {
        let run = ip(&side, denied);
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert!(stderr.starts_with("tcpcontrol: deny "), "{stderr}");
        assert_eq!((run.stdout, run.exit), (vec![], 100));
    }
    let joe = [("TCPREMOTEIP", "10.2.3.4"), ("TCPREMOTEINFO", "joe")];
    assert_eq!(controlled(&side, &joe).exit, 100);
    let host = [("TCPREMOTEIP", "192.0.2.1"), ("TCPREMOTEHOST", "bad.example")];
    assert_eq!(controlled(&side, &host).exit, 100);
}

#[test]
fn the_line_has_the_fields_of_tcpserver() {
    let side = compiled(RULES);
    let run = controlled(
        &side,
        &[
            ("PROTO", "TCP"),
            ("TCPLOCALHOST", "a b:c%d"),
            ("TCPLOCALIP", "127.0.0.1"),
            ("TCPLOCALPORT", "25"),
            ("TCPREMOTEHOST", "client.example"),
            ("TCPREMOTEIP", "10.2.3.4"),
            ("TCPREMOTEINFO", "jim"),
            ("TCPREMOTEPORT", "40000"),
        ],
    );
    let line = "tcpcontrol: ok PID a?b?c?d:127.0.0.1:25 client.example:10.2.3.4:jim:40000\nPID\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), line);
}

#[test]
fn the_protocol_may_be_any() {
    let side = compiled(RULES);
    let ssl = |ip| controlled(&side, &[("PROTO", "SSL"), ("SSLREMOTEIP", ip)]).exit;
    assert_eq!((ssl("10.0.0.1"), ssl("10.0.0.2")), (100, 7));
    let six = [("PROTO", "TCP6"), ("TCP6REMOTEIP", "2001:db8::1"), ("TCPREMOTEIP", "10.0.0.2")];
    assert_eq!(controlled(&side, &six).exit, 100);
    let unix = [("PROTO", "UNIX"), ("UNIXREMOTEEUID", "0")];
    assert_eq!(controlled(&side, &unix).stdout, b"OTHER=x\n");
}

#[test]
fn rules_that_cannot_be_read_allow_nobody() {
    let side = Side::ours();
    let run = side.run(["tcpcontrol", "cdb", "echo", "wrong"]);
    assert_eq!(run.stderr, b"tcpcontrol: fatal: unable to read cdb: file does not exist\n");
    assert_eq!((run.stdout, run.exit), (vec![], 111));
    side.write("cdb", "torn");
    let run = side.run(["tcpcontrol", "cdb", "echo", "wrong"]);
    assert_eq!(run.stderr, b"tcpcontrol: fatal: unable to read cdb: protocol error\n");
    assert_eq!((run.stdout, run.exit), (vec![], 111));
}

#[test]
fn rules_and_a_program_are_needed() {
    for words in [&["tcpcontrol"][..], &["tcpcontrol", "cdb"]] {
        let run = Side::ours().run(words);
        let usage = b"tcpcontrol: usage: tcpcontrol rules.cdb program [ arg ... ]\n";
        assert_eq!((run.stderr.as_slice(), run.exit), (&usage[..], 100));
    }
    let side = compiled("");
    let run = side.run(["tcpcontrol", "cdb", "./nonexistent"]);
    let text = String::from_utf8(run.stderr).unwrap();
    let fatal = "tcpcontrol: fatal: unable to run ./nonexistent: file does not exist\n";
    assert!(text.ends_with(fatal), "{text}");
    assert_eq!(run.exit, 111);
}

#[test]
fn it_decides_for_tcpserver() {
    let side = compiled("127.0.0.1:deny\n:allow,RULE=\"x\"\n");
    let script = "exec tcpserver -1 -HR -l0 127.0.0.1 0 tcpcontrol cdb sh -c 'echo $RULE'";
    let server = side.command(["sh", "-c", script]).start_in_background();
    assert!(until(|| server.stdout().ends_with(b"\n")), "{}", server.stderr().escape_ascii());
    let port: u16 = String::from_utf8(server.stdout()).unwrap().trim().parse().unwrap();
    let ask = |from: &str| {
        let from = format!("{from}:0").parse().unwrap();
        let to = ([127, 0, 0, 1], port).into();
        let limit = std::time::Duration::from_secs(20);
        let socket = unix::socket::connect(to, Some(from), limit).unwrap();
        let mut got = String::new();
        let _ = TcpStream::from(socket).read_to_string(&mut got); // a reset is an end, too
        got
    };
    assert_eq!(ask("127.0.0.1"), "");
    assert_eq!(ask("127.0.0.2"), "x\n");
    server.hears("tcpcontrol: ok ");
    server.hears("tcpcontrol: deny ");
}
