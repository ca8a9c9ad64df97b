//! Programs of a case: what they get, what is seen of them, and how they end.

use std::fs;
use std::path::Path;

use harness::{Side, case, until};
use unix::signal::Signal;

#[test]
fn a_program_sees_its_words_its_input_and_little_else() {
    let side = Side::ours();
    side.write("file", "in the case's directory\n");
    let script = "cat file; cat; env | sort";
    let run = side.command(["sh", "-c", script]).stdin("input\n").env("NAME", "value").run();
    let stdout = String::from_utf8(run.stdout).unwrap();
    assert!(stdout.starts_with("in the case's directory\ninput\nNAME=value\nPATH="), "{stdout}");
    let names: Vec<&str> =
        stdout.lines().skip(2).filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, ["NAME", "PATH", "PWD", "QMAILHOME", "TZ"]);
    assert_eq!((run.stderr, run.exit), (Vec::new(), 0));
}

#[test]
fn input_in_a_file_can_be_read_again() {
    let side = Side::ours();
    let run =
        side.command(["sh", "-c", "exec 3< /dev/stdin; cat; cat <&3"]).stdin_file("twice\n").run();
    assert_eq!(run.stdout, b"twice\ntwice\n");
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    let side = Side::ours();
    assert_eq!(side.run(["sh", "-c", "exit 111"]).exit, 111);
    assert_eq!(side.run(["sh", "-c", "kill -9 $$"]).exit, -9);
}

#[test]
fn a_dialogue_goes_both_ways() {
    let side = Side::ours();
    let mut cat = side.command(["cat"]).converse();
    assert_eq!(cat.talk("one\n", "\n"), "one\n");
    assert_eq!(cat.talk("two\n", "o\n"), "two\n");
    cat.close_input();
    assert_eq!(cat.ends(), 0);
}

#[test]
fn what_runs_in_the_background_can_be_waited_for() {
    let side = Side::ours();
    let script = "trap 'echo bye >&2; exit 3' TERM; echo ready; while :; do sleep 1 & wait; done";
    let mut program = side.command(["sh", "-c", script]).start_in_background();
    program.says("ready\n");
    program.signal(Signal::SIGTERM);
    program.hears("bye\n");
    assert_eq!(program.ends(), 3);
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Starts something that leaves its process group and loses its parent; gives its number.
fn left_behind(side: &Side) -> String {
    let _ = side.run(["sh", "-c", "setsid sh -c 'echo $$ > new; mv new pid; exec sleep 600' &"]);
    assert!(until(|| side.path().join("pid").exists()));
    String::from_utf8(side.read("pid")).unwrap().trim().to_owned()
}

#[test]
fn nothing_is_left_running_after_a_case() {
    let side = Side::ours();
    let pid = left_behind(&side);
    assert!(is_alive(&pid));
    let directory = side.path();
    drop(side);
    assert!(!is_alive(&pid));
    assert!(!directory.exists());
}

#[test]
fn nothing_is_left_running_after_a_panic() {
    let (tell, told) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let _ = case(move |side| {
            tell.send(left_behind(side)).unwrap();
            panic!("on purpose");
        });
    });
    assert!(panicked.join().is_err());
    assert!(!is_alive(&told.recv().unwrap()));
}

#[test]
fn a_background_program_ends_with_its_whole_group() {
    let side = Side::ours();
    let program = side.command(["sh", "-c", "sleep 600 & echo $!; wait"]).start_in_background();
    program.says("\n");
    let pid = String::from_utf8(program.stdout()).unwrap();
    drop(program);
    assert!(until(|| !is_alive(pid.trim())));
}

#[test]
fn files_of_a_case_have_kinds_modes_and_contents() {
    let without = case(|side| {
        side.write("folder/file", "contents\n");
        side.mode("folder/file", 0o640);
        side.script("program", "#!/bin/sh\n");
        side.run(["sh", "-c", "ln -s folder/file link; echo $PWD > where; umask 077; mkfifo fifo"])
    });
    let files = without.ours().files.to_string();
    let expected = "fifo 0600 fifo\ndir 0755 folder\nfile 0640 folder/file\n  contents\\n\n\
                    link 0000 link\n  folder/file\nfile 0755 program\n  #!/bin/sh\\n\n\
                    file 0644 where\n  WORK\\n\n";
    assert_eq!(files, expected);
}

#[test]
fn a_side_has_a_home_with_its_programs() {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.host_file("alias/.qmail-root", "");
    let run =
        side.run(["sh", "-c", "cat $QMAILHOME/control/me; ls -A $QMAILHOME $QMAILHOME/alias"]);
    let stdout = String::from_utf8(run.stdout).unwrap();
    assert!(stdout.starts_with("mail.test\n"), "{stdout}");
    assert!(stdout.ends_with("alias\nbin\ncontrol\nusers\n") || stdout.contains(".qmail-root\n"));
    assert!(Path::new(side.programs()).is_dir());
}

#[test]
fn a_file_that_nobody_may_read_is_compared_all_the_same() {
    let case = case(|side| {
        side.write("secret", "contents\n");
        side.mode("secret", 0o000);
        side.run(["true"])
    });
    assert_eq!(case.ours().files.to_string(), "file 0000 secret\n  contents\\n\n");
}

#[test]
fn nothing_is_left_of_a_directory_that_is_closed() {
    let side = Side::ours();
    side.write("closed/inner/file", "");
    side.mode("closed/inner", 0o500);
    side.mode("closed", 0o000);
    let directory = side.path();
    drop(side);
    assert!(!directory.exists());
}
