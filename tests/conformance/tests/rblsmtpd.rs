//! rblsmtpd beside the original.

#[path = "rblsmtpd/delay.rs"]
mod delay;
#[path = "rblsmtpd/servers.rs"]
mod servers;

use std::time::{Duration, Instant};

use harness::{
    Answer, Case, Command, Dns, Record, Run, Side, Together, case, quickly, sometime, until,
};

fn text(text: &str) -> Answer {
    Answer::Records(vec![Record::Text(text.as_bytes().to_vec())])
}

/// A world with lists: 192.0.2.1 is in all of them, and some cannot be asked.
fn world(name: &str, _: &str) -> Answer {
    let address = |text: &str| Record::Address(text.parse().unwrap());
    match name.strip_prefix("1.2.0.192.").unwrap_or_default() {
        "black" => text("go away"),
        "two" => {
            Answer::Records(vec![Record::Text(b"one ".to_vec()), Record::Text(b"two".to_vec())])
        }
        "odd" => text("a\r\nb\u{7}\u{e9}"),
        "long" => text(&"y".repeat(300)),
        "empty" => text(""),
        "white" => Answer::Records(vec![address("127.0.0.2")]),
        "none" => Answer::NoData,
        "large" => Answer::Truncated(vec![Record::Text(b"by TCP".to_vec())]),
        _ => Answer::NoName,
    }
}

const DIALOGUE: &str =
    "EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nrset\nNoOp x\n\nQUITX\r\nQUIT\r\nx\r\n";

/// rblsmtpd with `options` in front of `echo served`.
fn command<'a>(side: &'a Side, options: &[&str]) -> Command<'a> {
    let words = [&["rblsmtpd"], options, &["sh", "-c", "echo served $TCPREMOTEIP"]].concat();
    side.command(words).env("TCPREMOTEIP", "192.0.2.1").stdin(DIALOGUE)
}

/// `PID` for the process number.
fn without_pid(text: &str) -> String {
    let lines = text.split_inclusive("\\n").map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        if let ["rblsmtpd:", _, "pid", pid, ..] = words.as_mut_slice() {
            *pid = "PID:";
        }
        words.join(" ")
    });
    lines.collect()
}

fn compared(run: impl Fn(&Side) -> Run) -> Case {
    case(run).normalised(without_pid)
}

/// Both sides with a DNS server at port 53 of `at`, for who is root.
fn listed(at: &str, options: &[&str]) -> Option<Case> {
    let Some(dns) = Dns::start_at(at, world) else {
        harness::skipped_for("only root can listen at port 53");
        return None;
    };
    Some(compared(|side| command(side, options).env("DNSCACHEIP", dns.place()).run()))
}

/// Ours, with a DNS server at any port.
fn ours(options: &[&str]) -> (String, String) {
    let dns = Dns::start(world);
    let side = Side::ours();
    let run = command(&side, options).env("DNSCACHEIP", dns.place()).run();
    assert_eq!(run.exit, 0);
    let log = without_pid(&run.stderr.escape_ascii().to_string());
    (String::from_utf8(run.stdout).unwrap(), log)
}

#[test]
fn a_server_is_needed() {
    let usage = |words: &[&str]| compared(|side| side.run(words));
    for words in [&["rblsmtpd"][..], &["rblsmtpd", "-z", "true"], &["rblsmtpd", "-r"]] {
        let run = usage(words).same_exit().same_stdout().ours().run.stderr.clone();
        let text = String::from_utf8(run).unwrap();
        assert!(text.contains("rblsmtpd: usage: rblsmtpd [ -bBcCeiW ] [ -t timeout ]"), "{text}");
    }
}

#[test]
fn a_time_that_is_no_number_is_wrong_usage() {
    for value in ["x", "", "5x", "-1", " 5"] {
        let side = Side::ours();
        let run = command(&side, &["-t", value]).env("RBLSMTPD", "").run();
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(said.starts_with("rblsmtpd: usage: ") && run.exit == 100, "{value}: {said}");
        if let Some(side) = Side::debian() {
            let run = command(&side, &["-t", value]).env("RBLSMTPD", "").run();
            assert_eq!((run.stdout, run.exit), (b"served 192.0.2.1\n".to_vec(), 0));
        }
    }
}

#[test]
fn the_variable_decides_without_a_list() {
    for value in ["", "go away", "-go away", "-", &"y".repeat(300), "a\nb\u{7f}\u{e9}", "--x"] {
        for options in [&[][..], &["-b"], &["-B", "-c"]] {
            compared(|side| command(side, options).env("RBLSMTPD", value).run()).same();
        }
    }
}

#[test]
fn without_a_list_everybody_is_served() {
    let dns = Dns::start(|_, _| text("go away"));
    let side = Side::ours();
    let run = command(&side, &[]).env("DNSCACHEIP", dns.place()).run();
    assert_eq!(run.stdout, b"served 192.0.2.1\n");
    assert_eq!(dns.asked(), []);
}

#[test]
fn a_server_that_cannot_be_run_is_fatal() {
    compared(|side| side.command(["rblsmtpd", "./nonexistent"]).env("RBLSMTPD", "").run()).same();
}

#[test]
fn t_of_zero_tells_the_reason_only() {
    compared(|side| command(side, &["-t0"]).env("RBLSMTPD", "go away").run()).same();
}

#[test]
fn the_end_of_the_client_is_the_end() {
    for input in ["", "NOOP", "NOOP\r\nNOO", "QUIT"] {
        let talk = |side: &Side| {
            side.command(["rblsmtpd", "true"]).env("RBLSMTPD", "x").stdin(input).run()
        };
        compared(talk).same();
    }
}

#[test]
fn a_listed_client_is_refused() {
    for list in ["black", "two", "odd", "long"] {
        if let Some(case) = listed("127.53.2.1", &["-r", list]) {
            case.same();
        }
    }
    let (reply, log) = ours(&["-r", "black"]);
    assert!(reply.starts_with("220 rblsmtpd.local\r\n250 rblsmtpd.local\r\n"), "{reply}");
    assert!(reply.contains("\r\n451 go away\r\n"), "{reply}");
    assert_eq!(log, "rblsmtpd: 192.0.2.1 pid PID: 451 go away\\n");
}

#[test]
fn a_client_that_is_not_listed_is_served() {
    for list in ["no", "none", "empty"] {
        if let Some(case) = listed("127.53.2.2", &["-r", list]) {
            case.same();
        }
        assert_eq!(ours(&["-r", list]), ("served 192.0.2.1\n".into(), String::new()));
    }
}

#[test]
fn options_act_on_the_lists_behind_them() {
    let lines: [&[&str]; 8] = [
        &["-r", "black", "-b"],
        &["-b", "-r", "black"],
        &["-b", "-B", "-r", "black"],
        &["-b", "-r", "none", "-B", "-r", "black"],
        &["-a", "white", "-r", "black"],
        &["-r", "black", "-a", "white"],
        &["-a", "none", "-b", "-r", "black"],
        &["-a", "black", "-r", "two"],
    ];
    for options in lines {
        if let Some(case) = listed("127.53.2.3", options) {
            case.same();
        }
    }
}

#[test]
fn two_of_them_in_a_chain_decide_one_after_the_other() {
    let chains: [(&[&str], &str); 4] = [
        (&["-r", "none", "rblsmtpd", "-r", "no"], ""),
        (&["-r", "none", "rblsmtpd", "-b", "-r", "black"], "553 go away"),
        (&["-r", "two", "rblsmtpd", "-b", "-r", "black"], "451 one two"),
        (&["-a", "white", "-r", "black", "rblsmtpd", "-r", "two"], "451 one two"),
    ];
    for (options, refusal) in chains {
        if let Some(case) = listed("127.53.2.5", options) {
            case.same();
        }
        let (reply, log) = ours(options);
        if refusal.is_empty() {
            assert_eq!((reply.as_str(), log.as_str()), ("served 192.0.2.1\n", ""));
        } else {
            assert!(reply.contains(&format!("\r\n{refusal}\r\n")), "{reply}");
            assert_eq!(log, format!("rblsmtpd: 192.0.2.1 pid PID: {refusal}\\n"));
        }
    }
    // What the first is told by its variable, the second is told, too.
    compared(|side| {
        let options = ["-r", "black", "rblsmtpd", "-r", "black"];
        command(side, &options).env("RBLSMTPD", "").run()
    })
    .same();
}

#[test]
fn a_reason_of_any_length_comes_by_tcp() {
    if let Some(case) = listed("127.53.2.4", &["-r", "large"]) {
        case.same();
    }
    assert!(ours(&["-r", "large"]).0.contains("\r\n451 by TCP\r\n"));
}

#[test]
fn codes_can_be_selected() {
    let world = |name: &str, kind: &str| match (name, kind) {
        ("1.2.0.192.codes", "A") => {
            Answer::Records(vec![Record::Address("127.0.0.10".parse().unwrap())])
        }
        ("1.2.0.192.codes", "TXT") => text("a home line"),
        _ => Answer::NoName,
    };
    let dns = Dns::start(world);
    let side = Side::ours();
    let said = |options: &[&str]| {
        let run = command(&side, options).env("DNSCACHEIP", dns.place()).run();
        (run.exit, without_pid(&run.stderr.escape_ascii().to_string()))
    };
    let refused = (0, "rblsmtpd: 192.0.2.1 pid PID: 451 a home line\\n".to_owned());
    let served = (0, String::new());
    assert_eq!(said(&["-r", "codes=127.0.0.2-11"]), refused);
    assert_eq!(said(&["-r", "codes=127.0.0.2-9"]), served);
    assert_eq!(said(&["-r", "codes=127.0.0.4,127.0.0.10"]), refused);
    assert_eq!(said(&["-a", "codes=127.0.0.10", "-r", "codes"]), served);
    assert_eq!(said(&["-a", "codes=127.0.0.11", "-r", "codes"]), refused);
    assert_eq!(said(&["-r", "codes=10"]).0, 100);
}

/// A server that fails every question. It takes eleven seconds to be sure of that, as ever.
fn failing(options: &[&str]) -> (String, String) {
    let dns = Dns::start(|name, kind| match world(name, kind) {
        Answer::NoName => Answer::Code(2),
        answer => answer,
    });
    let side = Side::ours();
    let run = command(&side, options).env("DNSCACHEIP", dns.place()).run();
    let log = without_pid(&run.stderr.escape_ascii().to_string());
    (String::from_utf8(run.stdout).unwrap(), log)
}

#[test]
fn a_list_that_fails_is_passed_over_or_not() {
    let served = ("served 192.0.2.1\n".to_owned(), String::new());
    let refused = |reason: &str| format!("rblsmtpd: 192.0.2.1 pid PID: {reason}\\n");
    quickly(Duration::from_secs(20), || {
        let before = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(failing(&["-r", "fails"]), served));
            scope.spawn(|| {
                let expected = refused("451 temporary RBL lookup error");
                assert_eq!(failing(&["-b", "-c", "-r", "fails"]).1, expected);
            });
            scope.spawn(|| assert_eq!(failing(&["-a", "fails", "-r", "black"]), served));
            scope.spawn(|| {
                let options = ["-b", "-c", "-a", "fails", "-r", "black"];
                assert_eq!(failing(&options).1, refused("451 go away"));
            });
            scope.spawn(|| {
                let options = ["-b", "-r", "fails", "-r", "black"];
                assert_eq!(failing(&options).1, refused("451 go away"));
            });
        });
        before.elapsed()
    });
}

#[test]
fn all_lists_are_asked_at_once() {
    // A server that is slow to answer is asked again.
    sometime(|| {
        let together = Together::new(3);
        let dns = Dns::start(move |name, kind| together.answer(name, world(name, kind)));
        let side = Side::ours();
        let options = ["-r", "no", "-a", "none", "-r", "black"];
        let run = command(&side, &options).env("DNSCACHEIP", dns.place()).run();
        assert!(String::from_utf8(run.stdout).unwrap().contains("451 go away"));
        let asked = dns.asked();
        let names: Vec<(&str, &str)> =
            asked.iter().map(|asked| (asked.name.as_str(), asked.kind.as_str())).collect();
        for expected in
            [("1.2.0.192.no", "TXT"), ("1.2.0.192.none", "A"), ("1.2.0.192.black", "TXT")]
        {
            assert!(names.contains(&expected), "{names:?}");
        }
        assert!(asked.iter().any(|one| one.id != asked[0].id));
        assert!(asked.iter().any(|one| one.port != asked[0].port));
        if names.len() == 3 { Ok(()) } else { Err(asked) }
    });
}

#[test]
fn an_ipv6_client_is_looked_up_by_nibbles() {
    let dns = Dns::start(|_, _| text("go away"));
    let side = Side::ours();
    let run = command(&side, &["-r", "black", "-a", "white"])
        .env("PROTO", "TCP6")
        .env("TCP6REMOTEIP", "2001:db8::1")
        .env("DNSCACHEIP", dns.place())
        .run();
    assert!(run.stderr.starts_with(b"rblsmtpd: 2001:db8::1 pid "));
    let asked = dns.asked();
    let address = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    for (base, kind) in [("black", "TXT"), ("white", "A")] {
        let name = format!("{address}.{base}");
        assert!(asked.iter().any(|asked| asked.name == name && asked.kind == kind), "{asked:?}");
    }
}

#[test]
fn without_an_address_no_list_is_asked() {
    let dns = Dns::start(|_, _| text("go away"));
    let side = Side::ours();
    for (address, shown) in [("foo", "foo"), ("", "")] {
        let ask = |options: &[&str]| {
            let command = command(&side, options).env("DNSCACHEIP", dns.place());
            command.env("TCPREMOTEIP", address).run()
        };
        let warning = "rblsmtpd: warning: no client address, so no list can be asked\n";
        let open = ask(&["-r", "black"]);
        assert_eq!(
            String::from_utf8(open.stdout).unwrap().trim_end(),
            format!("served {shown}").trim_end()
        );
        assert_eq!(String::from_utf8(open.stderr).unwrap(), warning);
        let closed = ask(&["-c", "-r", "black"]);
        assert!(
            String::from_utf8(closed.stdout).unwrap().contains("451 temporary RBL lookup error")
        );
    }
    assert_eq!(dns.asked(), []);
}

#[test]
fn a_silent_client_is_told_to_go() {
    let side = Side::ours();
    let words = ["rblsmtpd", "-t1", "true"];
    let mut client = side.command(words).env("RBLSMTPD", "x").converse();
    let heard = client.talk("", "421 rblsmtpd.local timeout\r\n");
    assert_eq!(heard, "220 rblsmtpd.local\r\n421 rblsmtpd.local timeout\r\n");
    assert_eq!(client.ends(), 0);
}

#[test]
fn a_client_that_does_not_read_is_not_waited_for() {
    let side = Side::ours();
    let words = ["sh", "-c", "yes | rblsmtpd -t1 true | { read x; sleep 600; }"];
    let shell = side.command(words).env("RBLSMTPD", "x").start_in_background();
    shell.hears("451 x");
    let group = shell.pid();
    let is_gone = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut lines =
            processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        !lines.any(|line| {
            line.contains("(rblsmtpd)")
                && line.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(2))
                    == Some(group.to_string().as_str())
        })
    };
    assert!(until(is_gone), "it is still there");
}

#[test]
fn lines_of_a_hundred_megabytes_take_no_memory() {
    let side = Side::ours();
    // The limit is of address space, far below the length of the line.
    let script = "ulimit -v 60000; head -c 100000000 /dev/zero | rblsmtpd true | tail -n 1";
    let run = side.command(["sh", "-c", script]).env("RBLSMTPD", "x").run();
    assert_eq!(run.stdout, b"220 rblsmtpd.local\r\n");
    let script =
        "ulimit -v 60000; { head -c 100000000 /dev/zero; echo; echo QUIT; } | rblsmtpd true";
    let run = side.command(["sh", "-c", script]).env("RBLSMTPD", "x").run();
    assert_eq!(run.stdout, b"220 rblsmtpd.local\r\n451 x\r\n221 rblsmtpd.local\r\n");
}
