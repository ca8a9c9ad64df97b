//! qmail-smtpd beside the recordings of the original.

#[path = "qmail-smtpd/addresses.rs"]
mod addresses;
#[path = "qmail-smtpd/data.rs"]
mod data;
#[path = "qmail-smtpd/hostile.rs"]
mod hostile;
#[path = "qmail-smtpd/kept.rs"]
mod kept;
#[path = "qmail-smtpd/recipients.rs"]
mod recipients;

use harness::{Case, Run, Side, recorded};

/// A queue program that writes down what it gets.
const QUEUE: &str = "#!/bin/sh\ncat >> WORK/messages\ntr '\\000' '\\n' <&1 >> WORK/envelopes\n";

/// How the server of one case is set up.
#[derive(Clone, Default)]
struct Setup<'a> {
    controls: &'a [(&'a str, &'a str)],
    env: &'a [(&'a str, &'a str)],
}

/// Says one turn after the other, each when the replies to the one before have come: a reply for each
/// line, or one for a message, and none for what has no line end. What the server says comes back.
fn talk(side: &Side, setup: &Setup<'_>, turns: &[&str]) -> Run {
    side.control("me", "mail.test\n");
    side.control("rcpthosts", "here.test\n");
    side.control("checkrecipient", "0\n"); // nobody is here
    for (name, text) in setup.controls {
        match *text {
            "missing" => std::fs::remove_file(side.home().join("control").join(name)).unwrap(),
            text => side.control(name, text),
        }
    }
    side.script("queue", &QUEUE.replace("WORK", &side.path().display().to_string()));
    let mut command = side.command(["qmail-smtpd"]).env("QMAILQUEUE", side.path().join("queue"));
    for (name, value) in setup.env {
        command = match *value {
            "missing" => command.unset(name),
            value => command.env(name, value.replace("WORK", &side.path().display().to_string())),
        };
    }
    let mut server = command.converse();
    let mut heard = String::new();
    let mut hear = |said: &str, replies: usize| {
        let mut said = said.as_bytes();
        let mut last = String::new();
        if replies == 0 {
            server.talk(said, "");
        }
        for _ in 0..replies {
            loop {
                last = server.talk(said, "\r\n");
                said = b"";
                heard.push_str(&last);
                match last.as_bytes().get(3) {
                    Some(b' ') => break,
                    Some(_) => {}
                    None => return last,
                }
            }
        }
        last
    };
    let mut last = hear("", 1);
    for turn in turns {
        let lines = turn.matches('\n').count();
        let replies = if last.starts_with("354") { lines.min(1) } else { lines };
        last = hear(turn, replies);
    }
    server.close_input();
    let exit = server.ends();
    std::fs::remove_file(side.path().join("queue")).unwrap();
    Run { stdout: heard.into_bytes(), stderr: server.stderr(), exit }
}

/// What ours says: one that has served others before says the same as one that has not.
fn ours(setup: &Setup<'_>, turns: &[&str]) -> Run {
    let [run, kept] = [Side::ours(), Side::kept()].map(|side| talk(&side, setup, turns));
    let timeless = |run: &Run| without_times(&run.stdout.escape_ascii().to_string());
    assert_eq!((timeless(&kept), kept.exit), (timeless(&run), run.exit));
    kept
}

/// The case on both sides, without times and process numbers.
fn case(name: &str, setup: &Setup<'_>, turns: &[&str]) -> Case {
    recorded("qmail-smtpd", name, |side| talk(side, setup, turns)).normalised(without_times)
}

fn without_times(text: &str) -> String {
    let mut result = String::new();
    for line in text.split_inclusive("\\n") {
        let (before, after) = match (line.find("250 ok "), line.find("; "), line.find(" qp ")) {
            (Some(at), _, Some(_)) => (&line[..at], "250 ok TIME qp PID\\r\\n"),
            (_, Some(at), _) if line.contains(" with ") => (&line[..at], "; DATE\\n"),
            _ => (line, ""),
        };
        result.extend([before, after]);
    }
    result
}

/// Everything but standard error: the original has no log.
fn same(case: Case) {
    let _ = case.same_exit().same_stdout().same_files();
}

/// What is said; a message that is not taken is given to the queue as far as each likes.
fn same_words(case: Case) {
    let _ = case.same_exit().same_stdout();
}

const NOTHING: Setup<'static> = Setup { controls: &[], env: &[] };
const RELAY: Setup<'static> = Setup { controls: &[], env: &[("RELAYCLIENT", "")] };

/// A whole message in its turns.
const MESSAGE: [&str; 4] = [
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<x@here.test>\r\n",
    "DATA\r\n",
    "Subject: x\r\n\r\nbody\r\n.\r\n",
];

#[test]
fn verbs() {
    same(case(
        "verbs",
        &NOTHING,
        &[
            "HELO client\r\n",
            "helo\r\n",
            "NOOP\r\n",
            "NOOP   x y\r\n",
            "noOP\n",
            "VRFY joe\r\n",
            "RSET\r\n",
            "RSET x\r\n",
            "EXPN joe\r\n",
            "STARTTLS\r\n",
            "ETRN x\r\n",
            "AUTH PLAIN\r\n",
            "\r\n",
            " NOOP\r\n",
            "NOOPS\r\n",
            "NOOP\tx\r\n",
            "QUIT x\r\n",
        ],
    ));
}

#[test]
fn sequence() {
    same(case(
        "sequence",
        &NOTHING,
        &[
            "DATA\r\n",
            "RCPT TO:<x@here.test>\r\n",
            "MAIL FROM:<a@b>\r\n",
            "DATA\r\n",
            "RCPT TO:<x@here.test>\r\n",
            "MAIL FROM:<c@d>\r\n",
            "DATA\r\n",
            "RCPT TO:<y@here.test>\r\n",
            "HELO x\r\n",
            "DATA\r\n",
            "MAIL FROM:<e@f>\r\n",
            "RCPT TO:<y@here.test>\r\n",
            "RSET\r\n",
            "DATA\r\n",
            "MAIL FROM:<g@h>\r\n",
            "RCPT TO:<y@here.test>\r\n",
            "RCPT TO:<z@here.test>\r\n",
            "RCPT TO:<y@here.test>\r\n",
            "DATA\r\n",
            ".\r\n",
            "DATA\r\n",
            "RCPT TO:<y@here.test>\r\n",
            "QUIT\r\n",
        ],
    ));
}

#[test]
fn ehlo_offers_sizes_too() {
    let original = "220 mail.test ESMTP\r\n250-mail.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n\
        221 mail.test\r\n";
    for (name, setup, size) in [
        ("ehlo", NOTHING, 0),
        ("ehlo-databytes", Setup { controls: &[("databytes", "500\n")], ..NOTHING }, 500),
    ] {
        let ours = original.replace("250 8", &format!("250-SIZE {size}\r\n250 8"));
        let _ = case(name, &setup, &["EHLO client\r\n", "QUIT\r\n"])
            .differing_stdout(&ours, original)
            .same_exit();
    }
}

#[test]
fn help() {
    let help = |text| format!("220 mail.test ESMTP\r\n214 {text}\r\n221 mail.test\r\n");
    let _ = case("help", &NOTHING, &["HELP\r\n", "QUIT\r\n"]).differing_stdout(
        &help("Daisychain; see qmail-smtpd(8) and RFC 5321"),
        &help("notqmail home page: https://notqmail.org"),
    );
}

#[test]
fn a_group_of_commands_has_its_replies_together() {
    same(case(
        "pipelining",
        &NOTHING,
        &[
            "EHLO x\r\n".replace("EHLO", "HELO").as_str(),
            "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@here.test>\r\nRCPT TO:<x@there.test>\r\nDATA\r\n",
            "Subject: x\r\n\r\n.\r\nMAIL FROM:<c@d>\r\nQUIT\r\n",
        ],
    ));
}

#[test]
fn greetings() {
    let turns = ["HELO x\r\n", "QUIT\r\n"];
    let greeting = [("smtpgreeting", "big.test hello  \nsecond\n")];
    same(case("greeting", &Setup { controls: &greeting, ..NOTHING }, &turns));
    let missing = [("me", "missing")];
    same(case("no-name", &Setup { controls: &missing, ..NOTHING }, &[]));
    let only = [("me", "missing"), ("smtpgreeting", "only.test\n")];
    same(case("greeting-only", &Setup { controls: &only, ..NOTHING }, &turns));
}

#[test]
fn the_end_of_input_is_silent() {
    same_words(case("eof", &NOTHING, &[]));
    same_words(case("eof-after-mail", &NOTHING, &MESSAGE[..1]));
    same_words(case("eof-in-message", &NOTHING, &[&MESSAGE[..3], &["unfinished"]].concat()));
}

#[test]
fn a_client_that_is_silent_for_too_long_is_left() {
    for (name, seconds) in [("timeout", "1\n"), ("timeout-0", "0\n")] {
        recorded("qmail-smtpd", name, |side| {
            side.control("me", "mail.test\n");
            side.control("rcpthosts", "");
            side.control("timeoutsmtpd", seconds);
            let mut server = side.command(["qmail-smtpd"]).converse();
            let heard = server.talk("", "timeout (#4.4.2)\r\n");
            Run { stdout: heard.into_bytes(), stderr: Vec::new(), exit: server.ends() }
        })
        .same();
    }
}

#[test]
fn results_of_the_queue() {
    for code in [
        "0", "11", "31", "35", "40", "41", "51", "52", "53", "54", "55", "56", "61", "62", "66",
        "71", "72", "73", "74", "81", "91", "115", "120", "200",
    ] {
        verdict(&format!("queue-{code}"), &format!("exit {code}"));
    }
    verdict("queue-custom", "printf 'Dvirus found (#5.7.1)' >&6; exit 82");
    verdict("queue-custom-soft", "printf 'Zgreylisted' >&6; exit 82");
    verdict("queue-custom-none", "exit 82");
    verdict("queue-killed", "kill -9 $$");
}

fn verdict(name: &str, end: &str) {
    let case = recorded("qmail-smtpd", name, |side| {
        side.script("end", &format!("#!/bin/sh\ncat >/dev/null; cat <&1 >/dev/null; {end}\n"));
        let env = [("QMAILQUEUE", "WORK/end")];
        talk(side, &Setup { env: &env, ..NOTHING }, &[&MESSAGE[..], &["QUIT\r\n"]].concat())
    });
    same(case.normalised(without_times));
}

#[test]
fn a_queue_that_cannot_be_run() {
    let env = [("QMAILQUEUE", "no/such/program")];
    let turns = [&MESSAGE[..], &["QUIT\r\n"]].concat();
    same(case("queue-missing", &Setup { env: &env, ..NOTHING }, &turns));
}

#[test]
fn received_lines() {
    let all = [
        ("TCPREMOTEIP", "192.0.2.1"),
        ("TCPREMOTEHOST", "client.test"),
        ("TCPREMOTEINFO", "joe (x)"),
        ("TCPLOCALHOST", "local_host.test"),
        ("TCPLOCALIP", "192.0.2.2"),
    ];
    let empty = [("TCPREMOTEHOST", ""), ("TCPREMOTEINFO", ""), ("TCPLOCALIP", "::1")];
    for (name, env, helo) in [
        ("received-nothing", &[][..], &[][..]),
        ("received-all", &all, &["HELO client\r\n"]),
        ("received-same-name", &all, &["EHLO CLIENT.test\r\n"]),
        ("received-no-helo", &all, &[]),
        ("received-empty", &empty, &["HELO <x> [1.2.3.4]\r\n"]),
        ("received-empty-helo", &all, &["HELO\r\n"]),
    ] {
        let env = [env, &[("RELAYCLIENT", "")]].concat();
        let turns = [helo, &MESSAGE[..], &["QUIT\r\n"]].concat();
        let case = case(name, &Setup { env: &env, ..NOTHING }, &turns);
        let _ = case.same_exit().same_files();
    }
}

#[test]
fn control_files_that_cannot_be_read() {
    for name in [
        "me",
        "smtpgreeting",
        "localiphost",
        "timeoutsmtpd",
        "rcpthosts",
        "badmailfrom",
        "databytes",
    ] {
        recorded("qmail-smtpd", &format!("unreadable-{name}"), |side| {
            if name != "me" {
                side.control("me", "mail.test\n");
            }
            let path = side.home().join("control").join(name);
            std::fs::create_dir(&path).unwrap();
            let run = side.run(["qmail-smtpd"]);
            std::fs::remove_dir(path).unwrap();
            Run { stderr: Vec::new(), ..run }
        })
        .same();
    }
}
