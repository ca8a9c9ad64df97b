//! mconnect-io beside the original: with files and pipes as its connection.

use harness::{Case, Run, Side, case};

/// Sends `input` to a server, which speaks once it has heard all of it, and then ends.
fn talked(input: &str, says: &str) -> Case {
    case(|side| {
        side.write("in", input);
        side.write("says", says);
        let script = "mkfifo to from; { head -c $0 > heard; cat says; } < to > from & \
             exec 7>to 6<from; mconnect-io < in; wait";
        let newlines = input.matches('\n').count();
        let expected = (input.len() + newlines).to_string();
        let run = side.run(["sh", "-c", script, &expected]);
        for fifo in ["to", "from"] {
            std::fs::remove_file(side.path().join(fifo)).unwrap();
        }
        run
    })
}

#[test]
fn carriage_returns_are_added_to_what_is_sent_only() {
    talked("helo\nquit\n", "220 x\n250 y\r\n").same();
    talked("a\r\nb", "").same();
    talked("", "hello\r\n").same();
    assert_eq!(talked("a\r\n", "x\n").ours().run.stdout, b"x\n");
}

#[test]
fn much_goes_through() {
    talked(&"a line\n".repeat(20_000), &"another\r\n".repeat(20_000)).same();
}

#[test]
fn the_server_s_end_is_the_end() {
    case(|side| {
        let mut talk =
            side.command(["sh", "-c", "exec mconnect-io 6</dev/null 7>/dev/null"]).converse();
        Run {
            stdout: talk.talk("", "never").into_bytes(),
            stderr: talk.stderr(),
            exit: talk.ends(),
        }
    })
    .same();
}

#[test]
fn without_a_connection_there_is_nothing_to_do() {
    case(|side| side.run(["mconnect-io"])).same();
    case(|side| side.run(["mconnect-io", "-x"])).same();
    case(|side| side.run(["sh", "-c", "mconnect-io 6<."])).same();
    case(|side| side.run(["sh", "-c", "mconnect-io 7>/dev/full 6</dev/null"])).same();
    case(|side| side.command(["sh", "-c", "echo x | mconnect-io 6<in"]).run()).same();
}

#[test]
fn a_server_that_takes_nothing_is_heard_to_its_end() {
    case(|side| {
        side.write("says", "go away\r\n");
        side.command(["sh", "-c", "mconnect-io 6<says 7>/dev/full"]).stdin("helo\n").run()
    })
    .same();
}

#[test]
fn who_reads_nothing_can_still_send() {
    case(|side| {
        let script = "cat says | mconnect-io 6<&0 7>heard 0<in >/dev/full";
        side.write("says", "x\r\n");
        side.write("in", "");
        side.run(["sh", "-c", script])
    })
    .same();
}

#[test]
fn both_directions_go_on_at_once() {
    let side = Side::ours();
    let script = "mkfifo to from; cat > from < to & exec 6<from 7>to; mconnect-io";
    let mut talk = side.command(["sh", "-c", script]).converse();
    assert_eq!(talk.talk("a\n", "\n"), "a\r\n");
    assert_eq!(talk.talk("b\n", "\n"), "b\r\n");
}
