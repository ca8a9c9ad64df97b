//! qmail-qread beside the recordings of the original.

use std::fs;

use harness::{Run, Side, recorded};

/// What a program wrote, as text.
fn said(run: &Run) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Makes a file of the queue, dated 21 November 2026, and the directories that a queue has.
fn file(side: &Side, name: &str, contents: &[u8]) {
    for area in ["mess", "info", "local", "remote"] {
        for number in 0..23 {
            let path = side.home().join(format!("queue/{area}/{number}"));
            fs::create_dir_all(path).expect("a directory of the queue");
        }
    }
    for area in ["todo", "bounce"] {
        fs::create_dir_all(side.home().join("queue").join(area)).expect("a directory");
    }
    side.host_file(&format!("queue/{name}"), contents);
    let path = side.home().join("queue").join(name);
    let touched =
        side.run(["touch".as_ref(), "-d".as_ref(), "@1795220491".as_ref(), path.as_os_str()]);
    assert_eq!(touched.exit, 0);
}

fn message(side: &Side, sender: &str) {
    file(side, "mess/7/421", &[b'x'; 237]);
    file(side, "info/7/421", format!("F{sender}\0").as_bytes());
}

fn same(name: &str, prepare: impl Fn(&Side)) {
    recorded("qmail-qread", name, |side| {
        prepare(side);
        side.run(["qmail-qread"])
    })
    .same();
}

#[test]
fn an_empty_queue_has_nothing_to_list() {
    same("empty", |side| file(side, "mess/0/none", b""));
}

#[test]
fn a_message_and_its_recipients_are_listed() {
    same("message", |side| {
        message(side, "s@x.y");
        file(side, "local/7/421", b"Tjoe@h\0Dann@h\0");
        file(side, "remote/7/421", b"Dme@far\0Tyou@far\0");
    });
}

#[test]
fn a_message_with_a_failure_to_report_is_bouncing() {
    same("bouncing", |side| {
        message(side, "list-@h-@[]");
        file(side, "remote/7/421", b"Tyou@far\0");
        file(side, "bounce/421", b"failed\n");
    });
}

#[test]
fn a_bounce_has_no_sender() {
    same("bounce", |side| message(side, ""));
    same("double-bounce", |side| message(side, "#@[]"));
}

#[test]
fn what_does_not_print_is_not_printed() {
    same("unprintable", |side| {
        message(side, "a\x1b[2J\u{e4}@h");
        file(side, "local/7/421", b"Tone\ntwo\x7f@h\0");
    });
}

#[test]
fn trouble_with_one_message_does_not_hide_the_others() {
    recorded("qmail-qread", "trouble", |side| {
        message(side, "s@x.y");
        file(side, "info/7/444", b"Fgone@x.y\0");
        let run = side.run(["qmail-qread"]);
        let mut lines: Vec<&[u8]> = run.stdout.split_inclusive(|&byte| byte == b'\n').collect();
        lines.sort_unstable();
        Run { stdout: lines.concat(), ..run }
    })
    .same();
}

#[test]
fn a_message_whose_sender_cannot_be_read_is_trouble() {
    let side = Side::ours();
    file(&side, "mess/7/421", b"");
    file(&side, "info/7/421", b"Fcut");
    let run = side.run(["qmail-qread"]);
    assert_eq!((run.exit, said(&run)), (0, "warning: trouble with #421: protocol error\n".into()));
}

#[test]
fn a_message_that_is_not_preprocessed_is_listed_too() {
    let envelope = b"u0\0p12\0Fs@x.y\0Tjoe@h\0Tyou@far\0";
    recorded("qmail-qread", "todo", |side| {
        file(side, "mess/7/421", &[b'x'; 237]);
        file(side, "todo/421", envelope);
        side.run(["qmail-qread"])
    })
    .same_exit()
    .same_stderr()
    .differing_stdout(
        "21 Nov 2026 00:21:31 GMT  #421  237  <s@x.y>  unprocessed\n\
         \ttodo\tjoe@h\n\
         \ttodo\tyou@far\n",
        "",
    );
}

#[test]
fn a_message_that_is_being_preprocessed_is_listed_once() {
    let side = Side::ours();
    message(&side, "s@x.y");
    file(&side, "local/7/421", b"Tjoe@h\0");
    file(&side, "todo/421", b"u0\0p12\0Fs@x.y\0Tjoe@h\0Tyou@far\0");
    let expected = "21 Nov 2026 00:21:31 GMT  #421  237  <s@x.y>  unprocessed\n\
                    \ttodo\tjoe@h\n\
                    \ttodo\tyou@far\n";
    assert_eq!(said(&side.run(["qmail-qread"])), expected);
}

#[test]
fn mailq_and_sendmail_bp_list_the_queue() {
    let side = Side::ours();
    message(&side, "s@x.y");
    let listed = side.run(["qmail-qread"]);
    assert!(!listed.stdout.is_empty());
    let sendmail = side.program("sendmail").into_os_string();
    let as_mailq = side.run(["argv0".as_ref(), sendmail.as_os_str(), "mailq".as_ref()]);
    let as_sendmail = side.run(["sendmail", "-bp"]);
    for run in [as_mailq, as_sendmail] {
        assert_eq!((run.exit, &run.stdout), (0, &listed.stdout));
    }
}

#[test]
fn without_a_queue_it_says_so() {
    recorded("qmail-qread", "no-queue", |side| {
        let script = "mv $0/queue $0/gone 2>/dev/null
            qmail-qread; code=$?; mv $0/gone $0/queue 2>/dev/null; exit $code";
        side.run(["sh".into(), "-c".into(), script.into(), side.home().as_os_str().to_owned()])
    })
    .same();
}
