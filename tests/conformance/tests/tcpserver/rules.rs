//! What rules do to a connection.

use harness::{Run, Side, case, case_v6};

use super::{Server, compile, has_ipv6, served};

const WITH: [&str; 6] = ["-v", "-HR", "-l", "local", "-x", "cdb"];
const SHOW: [&str; 3] = ["sh", "-c", "env | grep -E '^(TCP.*HOST|TCPREMOTEIP|A|B|PATH)=' | sort"];

#[test]
fn a_rule_sets_variables_over_everything_else() {
    case(|side| {
        compile(
            side,
            "127.0.0.1:allow,TCPLOCALHOST=\"by rule\",TCPREMOTEIP=\"9.9.9.9\",A=\"1\",A=\"2\",\
             TCPREMOTEHOST=\"host\",B=\"\"\n:deny\n",
        );
        let inherited = [("A", "inherited"), ("B", "inherited"), ("PATH", "/bin:/usr/bin")];
        let mut server = Server::start_with(side, &WITH, "127.0.0.1", &SHOW, &inherited);
        let got = server.ask();
        server.ended(1);
        server.stop(got)
    })
    .same();
}

#[test]
fn a_path_set_by_a_rule_is_not_for_finding_the_program() {
    case(|side| {
        compile(side, ":allow,PATH=\"/nonexistent\"\n");
        served(side, &WITH, &["sh", "-c", "echo $PATH"])
    })
    .same();
}

#[test]
fn new_rules_count_from_the_next_connection_on() {
    case(|side| {
        compile(side, ":deny\n");
        let mut server = Server::start(side, &WITH, "127.0.0.1", &["sh", "-c", "echo $A"]);
        let mut got = server.ask();
        server.ended(1);
        for (count, rules) in [(2, ":allow,A=\"1\"\n"), (3, ":allow,A=\"2\"\n"), (4, ":deny\n")] {
            compile(side, rules);
            got.extend(server.ask());
            server.ended(count);
        }
        server.stop(got)
    })
    .same();
}

#[test]
fn rules_that_are_not_there_drop_every_connection() {
    case(|side| served(side, &WITH, &["echo", "wrong"])).same();
    case(|side| served(side, &["-HR", "-l0", "-x", "cdb"], &["echo", "wrong"])).same();
}

#[test]
fn with_x_and_big_x_rules_that_are_not_there_allow() {
    let options = [&WITH[..], &["-X"]].concat();
    case(|side| served(side, &options, &["echo", "ok"])).same();
    case(|side| {
        compile(side, ":deny\n");
        served(side, &options, &["echo", "wrong"])
    })
    .same();
}

#[test]
fn torn_rules_drop_every_connection() {
    let whole = Side::ours();
    compile(&whole, ":deny\n127.0.0.1:deny\n");
    let whole = whole.read("cdb");
    let options = [&WITH[..], &["-X"]].concat();
    for length in [0, 1000, 2047, 2048, whole.len() - 1] {
        let side = Side::ours();
        side.write("cdb", &whole[..length]);
        let run = served(&side, &options, &["echo", "wrong"]);
        let log = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.stdout, b"", "{length}");
        let expected = "tcpserver: status: 0/40\ntcpserver: status: 1/40\n\
            tcpserver: pid PID from 127.0.0.1\n\
            tcpserver: warning: dropping connection, unable to read cdb: protocol error\n\
            tcpserver: end PID status 28416\ntcpserver: status: 0/40\n";
        assert_eq!(log, expected, "{length}");
    }
    // What the original does about a torn file it says in the same words.
    let _ = case(|side| {
        side.write("cdb", &whole[..2050]);
        served(side, &WITH, &["echo", "wrong"])
    })
    .same_stderr();
}

#[test]
fn rules_that_are_torn_while_the_server_runs_drop_every_connection() {
    let side = Side::ours();
    compile(&side, ":allow,A=\"1\"\n");
    let whole = side.read("cdb");
    let mut server = Server::start(&side, &WITH, "127.0.0.1", &["sh", "-c", "echo $A"]);
    assert_eq!(server.ask(), b"1\n");
    let cut = |length: usize| whole[..length].to_vec();
    let torn = [cut(0), cut(5), cut(2048), cut(2060), cut(whole.len() - 1)];
    let garbage = [vec![0; whole.len()], vec![0xff; whole.len()], b"127.".repeat(1000)];
    let mut count = 1;
    for contents in torn.iter().chain(&garbage) {
        // In place, as an editor, cp or a full disk does it.
        side.write("cdb", contents);
        assert_eq!(server.ask(), b"");
        count += 1;
        server.ended(count);
        // It goes on with the next rules that are whole.
        compile(&side, ":allow,A=\"2\"\n");
        assert_eq!(server.ask(), b"2\n");
        count += 1;
        server.ended(count);
    }
    std::fs::remove_file(side.path().join("cdb")).unwrap();
    assert_eq!(server.ask(), b"");
    server.ended(count + 1);
    let log = String::from_utf8(server.stop(Vec::new()).stderr).unwrap();
    let dropped = "tcpserver: warning: dropping connection, unable to read cdb: ";
    assert_eq!(log.matches(&format!("{dropped}protocol error\n")).count(), 8);
    assert_eq!(log.matches(&format!("{dropped}file does not exist\n")).count(), 1);
    assert_eq!(log.matches("tcpserver: ok ").count(), 9);
}

#[test]
fn a_client_that_the_rules_deny_gets_no_banner() {
    let denied = case(|side| {
        compile(side, ":deny\n");
        served(side, &[&WITH[..], &["-B", "hello\n"]].concat(), &["echo", "wrong"])
    });
    let _ = denied.same_stderr().differing_stdout("", "hello\n");
}

#[test]
fn addresses_are_told_apart() {
    case(|side| {
        compile(side, "127.0.0.2:deny\n127.0.1-2.:deny\n127.:allow,A=\"prefix\"\n:deny\n");
        let mut server = Server::start(side, &WITH, "127.0.0.1", &["sh", "-c", "echo $A"]);
        let mut got = Vec::new();
        let clients = ["127.0.0.1", "127.0.0.2", "127.0.1.1", "127.0.2.9", "127.0.3.1"];
        for (count, client) in clients.into_iter().enumerate() {
            got.extend(server.get("127.0.0.1", client));
            server.ended(count + 1);
        }
        server.stop(got)
    })
    .same();
}

#[test]
fn rules_of_the_ipv6_edition_hold() {
    if !has_ipv6() {
        return;
    }
    case_v6(|side| {
        compile(side, "::1:allow,A=\"six\"\n127.0.0.1:allow,A=\"four\"\n:deny\n");
        let mut server = Server::start(side, &WITH, "0", &["sh", "-c", "echo $A"]);
        let mut got = server.get("::1", "::1");
        server.ended(1);
        got.extend(server.ask());
        server.ended(2);
        let mut run = server.stop(got);
        if !side.is_ours() {
            // The original shows mapped addresses, and only in the ok line.
            let log = String::from_utf8(run.stderr).unwrap();
            let ok = "tcpserver: ok PID local:::ffff:127.0.0.1:PORT :::ffff:127.0.0.1::CLIENT\n";
            assert!(log.contains(ok) && log.matches("::ffff:").count() == 2, "{log}");
            run.stderr = log.replace("::ffff:", "").into_bytes();
        }
        run
    })
    .same();
}

#[test]
fn networks_hold() {
    let side = Side::ours();
    compile(&side, "127.0.0.0/9:allow,A=\"big\"\n127.0.4.0/22:allow,A=\"small\"\n:deny\n");
    let mut server = Server::start(&side, &WITH, "127.0.0.1", &["sh", "-c", "echo $A"]);
    assert_eq!(server.get("127.0.0.1", "127.0.0.1"), b"big\n");
    assert_eq!(server.get("127.0.0.1", "127.0.7.1"), b"small\n");
    assert_eq!(server.get("127.0.0.1", "127.200.0.1"), b"");
}

#[test]
fn a_refusal_costs_no_process() {
    let side = Side::ours();
    compile(&side, ":deny\n");
    let mut server = Server::start(&side, &WITH, "127.0.0.1", &["echo", "wrong"]);
    server.ask();
    server.ended(1);
    let own = server.background.pid();
    let log = String::from_utf8(server.background.stderr()).unwrap();
    assert!(log.contains(&format!("tcpserver: deny {own} ")), "{log}");
    let Run { exit, .. } = server.stop(Vec::new());
    assert_eq!(exit, 0);
}
