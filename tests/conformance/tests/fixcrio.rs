//! fixcrio beside the original.

use harness::{Case, Run, Side, case, until};
use unix::signal::Signal;

/// What comes out when `input` goes through `program`, up to the end of the copying.
fn fixed(program: &[&str], input: impl AsRef<[u8]>) -> Case {
    case(|side| {
        // The copier may outlive the program: the reader of its output sees the end of both.
        side.write("in", &input);
        let script = "{ \"$@\"; echo $? > exit; } < in | cat > out";
        let words = [&["sh", "-c", script, "sh", "fixcrio"], program].concat();
        let run = side.run(words);
        assert_eq!(run.exit, 0);
        run
    })
}

#[test]
fn a_program_is_needed() {
    case(|side| side.run(["fixcrio"])).same();
}

#[test]
fn carriage_returns_are_put_where_there_are_none() {
    for input in ["", "a\nb\r\nc", "\n\n", "\r\n\r\r\n", "a\r", "\r", "\0\n\u{e9}\n"] {
        fixed(&["cat"], input).same();
        fixed(&["od", "-c"], input).same();
    }
    fixed(&["sh", "-c", "cat; echo bye"], "\r\nhi\r\n").same();
}

#[test]
fn much_goes_through() {
    fixed(&["cat"], "a line\n".repeat(50_000)).same();
    fixed(&["cat"], "\n".repeat(70_000)).same();
    fixed(&["cat"], [&"a".repeat(65_535), "\r\nb\n"].concat()).same();
}

#[test]
fn the_program_s_exit_code_is_fixcrio_s() {
    fixed(&["sh", "-c", "exit 5"], "").same();
    fixed(&["./nonexistent"], "").same();
    fixed(&["-x"], "").same();
}

#[test]
fn the_program_has_fixcrio_s_number_and_pipes() {
    case(|side| {
        let script = "echo $$; test -p /proc/$$/fd/0 && test -p /proc/$$/fd/1 && echo pipes";
        let mut talk = side.command(["fixcrio", "sh", "-c", script]).converse();
        let pid = talk.pid().to_string();
        let heard = talk.talk("", "never").replace(&pid, "PID");
        Run { stdout: heard.into_bytes(), stderr: talk.stderr(), exit: talk.ends() }
    })
    .same();
}

#[test]
fn a_carriage_return_that_has_come_before_counts() {
    case(|side| {
        let mut talk = side.command(["fixcrio", "cat"]).converse();
        let mut heard = talk.talk("a\r", "\r");
        heard += &talk.talk("\nb", "b");
        heard += &talk.talk("\n", "\n");
        talk.close_input();
        Run { stdout: heard.into_bytes(), stderr: talk.stderr(), exit: talk.ends() }
    })
    .same();
}

#[test]
fn a_signal_to_the_program_is_no_signal_to_the_copier() {
    let side = Side::ours();
    let mut talk = side.command(["fixcrio", "sh", "-c", "echo last; exec cat"]).converse();
    assert_eq!(talk.talk("", "\n"), "last\r\n");
    talk.signal(Signal::SIGTERM);
    assert_eq!(talk.ends(), -15);
    assert_eq!(talk.talk("", "never"), "");
}

#[test]
fn the_copying_ends_when_nobody_takes_what_is_said() {
    let side = Side::ours();
    let run = side.command(["sh", "-c", "fixcrio yes | head -n 1; echo over"]).run();
    assert_eq!(run.stdout, b"y\r\nover\n");
    assert!(until(|| run.stderr.is_empty()));
}
