//! recordio beside the original.

use harness::{Case, Run, Side, case, until};
use unix::signal::Signal;

/// Lines of the log with `PID` for the number, behind those of the program itself, and the directions
/// apart: their order is up to time.
fn apart(text: &str) -> String {
    let mut lines: Vec<String> = text
        .split_inclusive("\\n")
        .map(|line| match line.split_once(' ') {
            Some((pid, rest)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("PID {rest}")
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.sort_by_key(|line| (line.starts_with("PID > "), line.starts_with("PID ")));
    lines.concat()
}

/// What is seen when `input` goes through `program`, up to the end of the copying.
fn recorded(program: &[&str], input: impl AsRef<[u8]>) -> Case {
    case(|side| {
        let words = [&["recordio"], program].concat();
        let mut background = side.command(words).stdin_file(&input).start_in_background();
        background.hears(" > [EOF]\n");
        let exit = background.ends();
        Run { stdout: background.stdout(), stderr: background.stderr(), exit }
    })
    .normalised(apart)
}

#[test]
fn a_program_is_needed() {
    case(|side| side.run(["recordio"])).same_exit().same_stdout().differing_stderr(
        "recordio: usage: recordio [ -ptx ] program [ arg ... ]\n",
        "recordio: usage: recordio program [ arg ... ]\n",
    );
}

#[test]
fn bytes_can_be_made_printable() {
    let side = Side::ours();
    let program = ["recordio", "-x", "printf", "a\\033[2J\\\\\\351\\177\\0\\r\\n"];
    let mut background = side.command(program).start_in_background();
    background.hears(" > [EOF]\n");
    assert_eq!(background.ends(), 0);
    assert_eq!(background.stdout(), b"a\x1b[2J\\\xe9\x7f\0\r\n");
    let log = String::from_utf8(background.stderr()).unwrap();
    assert!(log.contains(" > a\\033[2J\\\\\\351\\177\\000\\015 \n"), "{log}");
}

/// Talks to a program that answers each line with the next of `replies`; the log, with `PID` for the
/// number.
fn talked(options: &[&str], turns: &[(&str, &str)]) -> String {
    let side = Side::ours();
    let replies: Vec<&str> = turns.iter().map(|(_, reply)| *reply).collect();
    let script = "for reply; do read line && printf '%s\\r\\n' \"$reply\"; done";
    let program = ["sh", "-c", script, "sh"];
    let words = [&["recordio"], options, &program, &replies].concat();
    let mut talk = side.command(words).converse();
    let pid = talk.pid().to_string();
    for (line, reply) in turns {
        assert_eq!(talk.talk(format!("{line}\r\n"), "\n"), format!("{reply}\r\n"));
    }
    talk.hears(" > [EOF]\n");
    assert_eq!(talk.ends(), 0);
    // The same digits may stand in a time.
    let log = String::from_utf8(talk.stderr()).unwrap().replace(" \n", "\n");
    log.replace(&format!("{pid} <"), "PID <").replace(&format!("{pid} >"), "PID >")
}

#[test]
fn passwords_can_be_hidden() {
    let turns = [
        ("EHLO a", "250 AUTH LOGIN PLAIN"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("am9l", "334 UGFzc3dvcmQ6"),
        ("c2VjcmV0", "535 no"),
        ("AUTH PLAIN AGpvZQBzZWNyZXQ=", "235 ok"),
        ("MAIL FROM:<joe>", "250 ok"),
        ("PASS secret", "+OK"),
        ("APOP joe c2VjcmV0", "+OK"),
        ("a1 LOGIN joe secret", "a1 OK"),
    ];
    let log = talked(&["-p"], &turns);
    let said: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("PID < ")).collect();
    let expected = [
        "EHLO a",
        "AUTH LOGIN",
        "***",
        "***",
        "AUTH PLAIN ***",
        "MAIL FROM:<joe>",
        "PASS ***",
        "APOP joe ***",
        "a1 LOGIN ***",
    ];
    assert_eq!(said[..expected.len()], expected, "{log}");
    let log = talked(&["-xp"], &turns[6..7]);
    assert!(log.starts_with("PID < PASS ***\\015\nPID > +OK\\015\n"), "{log}");
    assert!(talked(&[], &turns[6..7]).starts_with("PID < PASS secret\r\n"));
}

#[test]
fn each_line_may_begin_with_its_time() {
    let turns = [("PASS secret", "+OK"), ("QUIT", "+OK")];
    let log = talked(&["-t", "-px"], &turns);
    let lines = log.lines().map(|line| line.split_once(' ').unwrap()).collect::<Vec<_>>();
    let (stamps, rest): (Vec<&str>, Vec<&str>) = lines.into_iter().unzip();
    let said = ["PID < PASS ***\\015", "PID > +OK\\015", "PID < QUIT\\015", "PID > +OK\\015"];
    assert_eq!(rest[..4], said, "{log}");
    // Nothing is said before the other has been heard, and the clock does not go back.
    assert!(stamps[..4].is_sorted(), "{log}");
    let side = Side::ours();
    let local = side.command(["tai64nlocal"]).stdin(&log).run().stdout;
    let local = String::from_utf8(local).unwrap();
    for (line, stamp) in local.lines().zip(&stamps) {
        assert!(stamp.len() == 25 && stamp.starts_with("@4000"), "{log}");
        assert!(line.starts_with('2') && line.contains(" PID "), "{local}");
    }
}

#[test]
fn lines_are_shown_in_both_directions() {
    recorded(&["cat"], "one\ntwo\n").same();
    recorded(&["cat"], "").same();
    recorded(&["cat"], "one\nthr").same();
    recorded(&["cat"], "\n\n\r\n\r\0\u{7}\u{e9} \n").same();
}

#[test]
fn a_line_begins_and_ends_where_a_piece_does() {
    for length in [255, 256, 257, 300, 512, 1000] {
        let line = "a".repeat(length);
        recorded(&["cat"], format!("{line}\nb\n{line}")).same();
    }
}

#[test]
fn the_program_s_exit_code_is_recordio_s() {
    recorded(&["sh", "-c", "exit 5"], "").same();
    recorded(&["sh", "-c", "kill -9 $$"], "").same();
}

#[test]
fn a_program_that_cannot_be_run_is_fatal() {
    recorded(&["./nonexistent"], "").same();
}

#[test]
fn the_program_has_recordio_s_number_and_pipes() {
    case(|side| {
        let script = "echo $$; test -p /proc/$$/fd/0 && test -p /proc/$$/fd/1 && echo pipes";
        let mut background =
            side.command(["recordio", "sh", "-c", script]).stdin_file("").start_in_background();
        background.hears(" > [EOF]\n");
        let exit = background.ends();
        let pid = background.pid().to_string();
        let seen = String::from_utf8(background.stdout()).unwrap().replace(&pid, "PID");
        Run { stdout: seen.into_bytes(), stderr: Vec::new(), exit }
    })
    .same();
}

#[test]
fn signals_and_descriptors_are_as_they_were() {
    let script = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; set -- /proc/$$/fd/*; echo $#";
    recorded(&["sh", "-c", script], "").same();
}

#[test]
fn the_end_of_the_program_is_the_end_though_the_network_is_open() {
    case(|side| {
        let mut talk = side.command(["recordio", "sh", "-c", "echo bye"]).converse();
        let heard = talk.talk("", "never");
        talk.hears(" > [EOF]\n");
        let (exit, stderr) = (talk.ends(), talk.stderr());
        Run { stdout: heard.into_bytes(), stderr, exit }
    })
    .normalised(apart)
    .same();
}

#[test]
fn a_conversation_is_shown_before_it_is_passed_on() {
    case(|side| {
        let mut talk = side.command(["recordio", "cat"]).converse();
        let pid = talk.pid().to_string();
        let mut heard = talk.talk("hello\n", "\n");
        // What has come back was shown.
        let shown = String::from_utf8(talk.stderr()).unwrap();
        assert!(shown.contains(&format!("{pid} < hello \n{pid} > hello \n")), "{shown}");
        heard += &talk.talk("par", "par");
        talk.close_input();
        talk.hears(" > [EOF]\n");
        let exit = talk.ends();
        let stderr = String::from_utf8(talk.stderr()).unwrap().replace(&pid, "PID");
        Run { stdout: heard.into_bytes(), stderr: stderr.into_bytes(), exit }
    })
    .same();
}

#[test]
fn megabytes_go_through_unchanged() {
    let side = Side::ours();
    let script = "seq 1 1000000 > in; recordio cat < in 2> log > out; cmp in out && echo same";
    let run = side.command(["sh", "-c", script]).run();
    assert_eq!((run.stdout, run.stderr), (b"same\n".to_vec(), vec![]));
    let log = || String::from_utf8(side.read("log")).unwrap();
    assert!(until(|| log().ends_with(" > [EOF]\n")));
    // All of it is in the log, once in each direction.
    let log = log();
    for sign in ["<", ">"] {
        let mut numbers = String::new();
        for line in log.lines().filter_map(|line| line.split_once(&format!(" {sign} "))) {
            match line.1.strip_suffix(' ') {
                Some(whole) => numbers.extend([whole, "\n"]),
                None if line.1 != "[EOF]" => numbers += line.1.strip_suffix('+').unwrap(),
                None => {}
            }
        }
        assert!(numbers.as_bytes() == side.read("in"), "{sign}");
    }
}

#[test]
fn a_network_that_takes_nothing_holds_nothing_else_up() {
    // The program says more than the network takes; what comes in goes on all the same.
    let side = Side::ours();
    let script = "yes | head -c 1000000 & cat > heard; wait";
    let words =
        ["sh", "-c", "recordio sh -c \"$0\" | { read x; cat flag >/dev/null; cat >/dev/null; }"];
    side.script("talk", "#!/bin/sh\nmkfifo flag\n");
    assert_eq!(side.run(["./talk"]).exit, 0);
    let shell = side.command([&words[..], &[script]].concat()).stdin_file("a word\n");
    let shell = shell.start_in_background();
    assert!(until(|| side.read("heard") == b"a word\n"), "{}", shell.stderr().escape_ascii());
    assert_eq!(side.run(["sh", "-c", "echo go > flag"]).exit, 0);
    shell.hears(" > [EOF]\n");
}

#[test]
fn the_copying_ends_when_nobody_takes_what_is_said() {
    let side = Side::ours();
    let script = "recordio yes 2> log | head -n 1; echo over";
    let run = side.command(["sh", "-c", script]).stdin_file("").run();
    assert_eq!(run.stdout, b"y\nover\n");
}

#[test]
fn the_connection_of_a_server_goes_through() {
    case(|side| {
        let script = "tcpserver -1 -HR -l0 127.0.0.1 0 recordio cat > port 2> log";
        let shell = side.command(["sh", "-c", script]).start_in_background();
        assert!(until(|| side.read("port").ends_with(b"\n")), "{}", shell.stderr().escape_ascii());
        let port: u16 = String::from_utf8(side.read("port")).unwrap().trim().parse().unwrap();
        side.write("port", "");
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        std::io::Write::write_all(&mut stream, b"hello\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut got).unwrap();
        assert!(until(|| side.read("log").ends_with(b" > [EOF]\n")));
        Run { stdout: got, stderr: Vec::new(), exit: 0 }
    })
    .normalised(apart)
    .same();
}

#[test]
fn a_signal_to_the_program_is_no_signal_to_the_copier() {
    let side = Side::ours();
    let mut talk = side.command(["recordio", "sh", "-c", "echo last; exec cat"]).converse();
    assert_eq!(talk.talk("", "\n"), "last\n");
    talk.signal(Signal::SIGTERM);
    assert_eq!(talk.ends(), -15);
    talk.hears(" > [EOF]\n");
}
