//! sendmail beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// A queue program that leaves in files what it is given.
const QUEUE: &str =
    "#!/bin/sh\nexec 3<&1\ncat > WORK/message; tr '\\000' '\\n' <&3 > WORK/envelope\n";

/// A host called mail.example.test, and a queue program.
fn host(side: &Side) {
    side.control("me", "mail.example.test\n");
    side.control("rcpthosts", "mail.example.test\n");
    side.script("queue", &QUEUE.replace("WORK", &side.path().display().to_string()));
}

fn run(side: &Side, args: &[&str], env: &[(&str, &str)], input: &str) -> Run {
    host(side);
    let command = side
        .command([&["sendmail"], args].concat())
        .env("QMAILQUEUE", side.path().join("queue"))
        .env("USER", "joe")
        .stdin(input);
    env.iter().fold(command, |command, (name, value)| command.env(name, value)).run()
}

const MESSAGE: &str = "To: a@b.c\nBcc: g@h.i\n\nx\n";

/// Sends a message; the queue program leaves it and its envelope in files.
fn send(name: &str, args: &[&str], env: &[(&str, &str)]) -> Case {
    recorded("sendmail", name, |side| run(side, args, env, MESSAGE)).normalised(without_ids)
}

/// The text with the day, the time and the process of new fields replaced.
fn without_ids(text: &str) -> String {
    let lines = text.split("\\n").map(|line| match line.split_once(": ") {
        Some((field @ ("Date" | "Message-ID"), _)) => format!("{field}: NEW"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\\n")
}

#[test]
fn recipients_are_arguments_and_with_t_those_of_the_header_too() {
    send("arguments", &["k", "l@m.n"], &[]).same();
    send("dashes", &["--", "-k@l.m"], &[]).same();
    send("header", &["-t"], &[]).same();
    send("both", &["-t", "k@l.m"], &[]).same();
}

#[test]
fn the_sender_is_also_who_it_is_from() {
    send("sender", &["-fs@t.u", "k@l.m"], &[("MAILHOST", "v.w"), ("NAME", "Joe")]).same();
    send("sender-apart", &["-f", "s@x@t.u", "k@l.m"], &[]).same();
    send("sender-no-host", &["-f", "s", "k@l.m"], &[]).same();
    send("sender-empty", &["-f", "", "k@l.m"], &[]).same();
    send("name", &["-FThe Boss", "k@l.m"], &[("NAME", "Joe")]).same();
}

#[test]
fn a_name_is_kept_beside_a_sender() {
    let case = send("sender-and-name", &["-FThe Boss", "-fs@t.u", "k@l.m"], &[]);
    let from = |outcome: &harness::Outcome| {
        let message = &outcome.files.0.get("message").expect("a message").contents;
        let text = String::from_utf8_lossy(message).into_owned();
        text.lines().find(|line| line.starts_with("From: ")).map(str::to_owned)
    };
    assert_eq!(from(case.ours()).as_deref(), Some("From: \"The Boss\" <s@t.u>"));
    let original = case.original().and_then(from);
    assert!(original.is_none_or(|line| line == "From: s@t.u"));
    let _ = case.same_exit().same_stderr();
}

#[test]
fn options_of_the_first_sendmail_change_nothing() {
    let old = ["-i", "-m", "-v", "-x", "-em", "-oi", "-o", "em", "-pesmtp:h", "-B8BITMIME", "-bm"];
    send("old-options", &[&old[..], &["k@l.m"]].concat(), &[]).same();
    send("old-cluster", &["-imv", "-Eext", "-J", "k@l.m"], &[]).same();
}

/// What programs of today give; the original ends with its usage.
#[test]
fn options_of_today_s_sendmail_change_nothing() {
    let new = [
        "-N", "never", "-O", "a=b", "-R", "full", "-V", "id", "-L", "tag", "-C", "file", "-h", "5",
    ];
    let new = [&new[..], &["-X", "log", "-n", "-U", "-G", "-rs@t.u", "k@l.m"]].concat();
    let case = send("new-options", &new, &[]);
    let envelope = &case.ours().files.0.get("envelope").expect("an envelope").contents;
    assert_eq!(envelope, b"Fs@t.u\nTk@l.m\n\n");
    let _ = case.differing_exit(0, 100);
}

#[test]
fn what_it_cannot_do_is_wrong_usage() {
    for (name, args) in
        [("daemon", ["-bd"]), ("test", ["-bt"]), ("unknown", ["-z"]), ("without-value", ["-f"])]
    {
        send(name, &args, &[]).same();
    }
}

#[test]
fn bi_and_i_are_newaliases() {
    let advice = "sendmail: fatal: please use fastforward/newaliases instead\n";
    for (name, args, before) in
        [("bi", ["-bi"], ""), ("capital-i", ["-I"], "sendmail: illegal option -- I\n")]
    {
        let original = format!("{before}{USAGE}");
        send(name, &args, &[]).differing_stderr(advice, &original).same_exit().same_files();
    }
}

const USAGE: &str =
    "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]\n";

#[test]
fn other_names_mean_other_things() {
    let called = |name: &'static str| {
        recorded("sendmail", name, move |side| {
            host(side);
            std::os::unix::fs::symlink(side.programs().join("sendmail"), side.path().join(name))
                .expect("a link");
            side.run([format!("./{name}")])
        })
        .normalised(|text| text.replace(&format!("./{name}"), name))
    };
    called("newaliases").same_stdout().same_stderr().same_exit();
}

/// Speaks SMTP to the end.
fn speak(name: &str, env: &[(&str, &str)], args: &[&str]) -> Case {
    let dialogue = "HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@foreign.example>\r\nQUIT\r\n";
    recorded("sendmail", name, |side| run(side, args, env, dialogue))
}

#[test]
fn bs_speaks_smtp_with_a_client_of_this_host_which_may_relay() {
    speak("smtp", &[], &["-bs"]).same();
    let server = [("PROTO", "TCP"), ("TCPREMOTEIP", "192.0.2.1")];
    let _ = speak("smtp-behind-a-server", &server, &["-bs"]).same_stdout().same_exit();
}

#[test]
fn the_queue_program_s_verdict_is_its_own() {
    recorded("sendmail", "verdict", |side| {
        host(side);
        side.script("queue", "#!/bin/sh\nexit 31\n");
        side.command(["sendmail", "k@l.m"]).env("QMAILQUEUE", side.path().join("queue")).run()
    })
    .same_stdout()
    .same_stderr()
    .same_exit();
}
