//! qmail-rspawn beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// A program in the place of qmail-remote: prints the file that the recipient's local part names,
/// and ends with the code in the sender.
const REMOTE: &str = r#"#!/bin/sh
case $3 in
  show@*) echo "r"; printf 'K'; for word; do printf '[%s]' "$word"; done; cat; pwd; printf '\0' ;;
  error@*) printf 'Zon descriptor 2\0' >&2 ;;
  signal@*) kill -9 $$ ;;
  *) cat WORK/out/${3%@*} ;;
esac
exit ${2:-0}
"#;

/// A message file that belongs to the queue.
fn message(side: &Side, name: &str) {
    let file = side.home().join("queue/mess").join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "the message\n").unwrap();
    if !side.is_ours() {
        assert_eq!(side.run(["chown".as_ref(), "qmailq".as_ref(), file.as_os_str()]).exit, 0);
    }
}

/// Gives commands one after the other, each to a spawner of its own; shows what each answers. In
/// `commands` a vertical bar stands for a zero byte; the first byte is the delivery's number.
fn spawn(name: &str, files: &[(&str, &str)], commands: &[&str]) -> Case {
    recorded("qmail-rspawn", name, |side| {
        message(side, "7/7");
        std::fs::create_dir_all(side.home().join("queue/lock")).unwrap();
        let work = side.path().display().to_string();
        side.script("remote", &REMOTE.replace("WORK", &work));
        for (file, contents) in files {
            side.write(&format!("out/{file}"), contents.replace('|', "\0"));
        }
        let mut all = Run { stdout: Vec::new(), stderr: Vec::new(), exit: 0 };
        for command in commands {
            let run = side
                .command(["qmail-rspawn"])
                .env("QMAILREMOTE", side.path().join("remote"))
                .stdin(command.replace('|', "\0"))
                .run();
            all.stdout.extend([run.stdout.as_slice(), b"\n"].concat());
            all.stderr.extend(run.stderr);
            all.exit |= run.exit;
        }
        for file in ["remote", "out"] {
            let path = side.path().join(file);
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        all
    })
}

#[test]
fn the_first_byte_is_the_limit() {
    spawn("limit", &[], &[""]).same();
}

#[test]
fn the_program_gets_host_sender_recipient_and_message() {
    spawn("arguments", &[], &["\x057/7||show@host.test|", "\x007/7||show@a@b|"]).same();
}

#[test]
fn what_the_output_means() {
    let files = [
        ("ok", "r|Kaccepted|"),
        ("deferred", "r|Zlater|"),
        ("failed", "r|Dnever|"),
        ("rcpt-soft", "s4.2.2 full\n|DGiving up on 127.0.0.1.\n|"),
        ("rcpt-hard", "h5.1.1 no such user\n|DGiving up on 127.0.0.1.\n|"),
        ("rcpt-hard-ok", "h5.1.1 no such user\n|Kaccepted|"),
        ("rcpt-soft-ok", "s4.2.2 full\n|Kaccepted|"),
        ("rcpt-hard-later", "h5.1.1 no\n|Zlater|"),
        ("alone", "Dnever|"),
        ("three", "r1|h2|Kaccepted|"),
        ("no-result", "r|x|"),
        ("no-zero", "Kaccepted"),
        ("only-zero", "|"),
        ("zeros", "||Kok|"),
        ("nothing", ""),
        ("behind", "r|Kaccepted|Dmore|"),
    ];
    let commands: Vec<String> =
        files.iter().map(|(name, _)| format!("\x017/7||{name}@host|")).collect();
    spawn("outputs", &files, &commands.iter().map(String::as_str).collect::<Vec<_>>()).same();
}

#[test]
fn an_exit_code_overrules_the_output() {
    let files = [("ok", "r|Kaccepted|")];
    let commands =
        ["\x017/7|111|ok@h|", "\x017/7|100|ok@h|", "\x017/7|1|ok@h|", "\x017/7||signal@h|"];
    spawn("codes", &files, &commands).same();
}

#[test]
fn descriptor_2_is_heard_as_well() {
    spawn("stderr", &[], &["\x017/7||error@h|"]).same();
}

#[test]
fn commands_that_cannot_be_carried_out() {
    let commands = [
        "\x787/7||a@h|",
        "\x777/8||a@h|",
        "\x01/7||a@h|",
        "\x017x||a@h|",
        "\x01|s|a@h|",
        "\x017/7|s|nohost|",
        "\x017||a@h|",
        &format!("\x01{}||a@h|", "7".repeat(99)),
        &format!("\x01{}||a@h|", "7".repeat(100)),
    ];
    spawn("faults", &[], &commands).same();
}

#[test]
fn a_number_in_use_is_refused() {
    // The first delivery waits for a file that is made once the second has been refused.
    recorded("qmail-rspawn", "in-use", |side| {
        message(side, "7/7");
        side.script("remote", "#!/bin/sh\nread line < $1\nprintf 'r\\0Kfirst\\0'\n");
        unix::fifo::make(&side.path().join("go"), 0o644).unwrap();
        let go = side.path().join("go").display().to_string();
        let mut spawner = side
            .command(["qmail-rspawn"])
            .env("QMAILREMOTE", side.path().join("remote"))
            .converse();
        let heard =
            spawner.talk(format!("\x017/7\0\0a@{go}\0\x017/7\0\0a@b\0"), "in use. (#4.3.5)\n\0");
        std::fs::write(&go, "go\n").unwrap();
        let heard = heard + &spawner.talk("", "\0");
        spawner.close_input();
        let exit = spawner.ends();
        for file in ["remote", "go"] {
            std::fs::remove_file(side.path().join(file)).unwrap();
        }
        Run { stdout: heard.into_bytes(), stderr: Vec::new(), exit }
    })
    .same();
}

#[test]
fn a_program_that_goes_on_in_the_background_keeps_its_delivery_open() {
    recorded("qmail-rspawn", "background", |side| {
        message(side, "7/7");
        side.script("remote", "#!/bin/sh\nprintf 'r\\0K'\n(read line < $1; printf 'both\\0') &\n");
        unix::fifo::make(&side.path().join("go"), 0o644).unwrap();
        let go = side.path().join("go").display().to_string();
        let mut spawner = side
            .command(["qmail-rspawn"])
            .env("QMAILREMOTE", side.path().join("remote"))
            .converse();
        let limit = spawner.talk(format!("\x017/7\0\0a@{go}\0"), "x");
        std::fs::write(&go, "go\n").unwrap();
        let heard = limit + &spawner.talk("", "\0");
        spawner.close_input();
        let exit = spawner.ends();
        for file in ["remote", "go"] {
            std::fs::remove_file(side.path().join(file)).unwrap();
        }
        Run { stdout: heard.into_bytes(), stderr: Vec::new(), exit }
    })
    .same();
}

#[test]
fn a_message_of_the_wrong_kind_is_refused() {
    recorded("qmail-rspawn", "directory", |side| {
        std::fs::create_dir_all(side.home().join("queue/mess/7")).unwrap();
        side.command(["qmail-rspawn"]).stdin("\x017\0\0a@h\0").run()
    })
    .same();
    recorded("qmail-rspawn", "fifo", |side| {
        std::fs::create_dir_all(side.home().join("queue/mess/7")).unwrap();
        let fifo = side.home().join("queue/mess/7/8");
        unix::fifo::make(&fifo, 0o644).unwrap();
        let run = side.command(["qmail-rspawn"]).stdin("\x017/8\0\0a@h\0").run();
        std::fs::remove_file(fifo).unwrap();
        run
    })
    .same();
}

#[test]
fn a_program_that_cannot_be_run() {
    let run = |side: &Side, program: &str| {
        message(side, "7/7");
        side.command(["qmail-rspawn"]).env("QMAILREMOTE", program).stdin("\x017/7\0\0a@h\0").run()
    };
    recorded("qmail-rspawn", "missing", |side| run(side, "no-such-program")).same();
    recorded("qmail-rspawn", "empty", |side| run(side, "")).same();
    recorded("qmail-rspawn", "directory-as-program", |side| run(side, "/")).same();
}

#[test]
fn the_table_of_dead_hosts_is_cleared() {
    recorded("qmail-rspawn", "tcpto", |side| {
        std::fs::create_dir_all(side.home().join("queue/mess")).unwrap();
        let table = side.home().join("queue/lock/tcpto");
        std::fs::create_dir_all(table.parent().unwrap()).unwrap();
        std::fs::write(&table, [b'x'; 2000]).unwrap();
        let run = side.run(["qmail-rspawn"]);
        let bytes = std::fs::read(&table).unwrap();
        std::fs::write(&table, [0; 1024]).unwrap();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Run { stdout: format!("{zeros} of {}", bytes.len()).into_bytes(), ..run }
    })
    .same();
}

#[test]
fn without_a_queue_it_does_not_start() {
    recorded("qmail-rspawn", "no-queue", |side| {
        let script = "mv $0/queue $0/gone 2>/dev/null
            qmail-rspawn < /dev/null; code=$?; mv $0/gone $0/queue 2>/dev/null; exit $code";
        side.run(["sh".into(), "-c".into(), script.into(), side.home().as_os_str().to_owned()])
    })
    .same();
}

#[test]
fn output_without_end_takes_bounded_memory() {
    let side = Side::ours();
    message(&side, "7/7");
    side.script("remote", "#!/bin/sh\nprintf 'r\\0K'; head -c 3000000 /dev/zero | tr '\\0' x\n");
    let run = side
        .command(["sh", "-c", "ulimit -v 200000; exec qmail-rspawn"])
        .env("QMAILREMOTE", side.path().join("remote"))
        .stdin("\x017/7\0\0a@h\0")
        .run();
    assert_eq!(run.stdout, b"x\x01Zqmail-remote produced too much output.\n\0");
}
