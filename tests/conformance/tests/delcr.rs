//! delcr beside the original.

use harness::{Case, Side, case};

fn changed(input: impl AsRef<[u8]>) -> Case {
    case(|side| side.command(["delcr"]).stdin(&input).run())
}

#[test]
fn a_carriage_return_before_a_newline_goes() {
    let inputs = ["", "a", "a\n", "a\r\n", "a\r\r\n", "a\rb\r\n", "\r\n\r\n", "\r", "\r\r", "a\r"];
    for input in inputs {
        changed(input).same();
    }
    changed("a\r\n\0\r\u{e9}\r\n\r\r\r\nb").same();
    assert_eq!(changed("a\r\r\nb\r").ours().run.stdout, b"a\r\nb\r");
}

#[test]
fn much_goes_through() {
    changed("a line\r\n".repeat(50_000)).same();
    changed("\r\n".repeat(70_000)).same();
    changed("\r".repeat(200_000)).same();
    // What is read at once ends between the two.
    changed([&"a".repeat(65_535), "\r\nb"].concat()).same();
}

#[test]
fn arguments_mean_nothing() {
    case(|side| side.command(["delcr", "-x", "y"]).stdin("a\r\n").run()).same();
}

#[test]
fn what_comes_is_passed_on_at_once() {
    let side = Side::ours();
    let mut talk = side.command(["delcr"]).converse();
    assert_eq!(talk.talk("a\r\nb\r", "b"), "a\nb");
    assert_eq!(talk.talk("\n", "\n"), "\n");
    talk.close_input();
    assert_eq!(talk.ends(), 0);
}

#[test]
fn what_cannot_be_read_or_written_ends_it() {
    case(|side| side.run(["sh", "-c", "delcr < ."])).same();
    case(|side| side.run(["sh", "-c", "echo a | delcr > /dev/full"])).same_exit();
}
