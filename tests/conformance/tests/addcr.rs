//! addcr beside the original.

use harness::{Case, Side, case};

fn changed(input: impl AsRef<[u8]>) -> Case {
    case(|side| side.command(["addcr"]).stdin(&input).run())
}

#[test]
fn every_newline_gets_a_carriage_return() {
    for input in ["", "a", "a\n", "a\nb\n", "a\r\n", "a\r\r\n", "\n\n\r", "\r", "a\n\0b\u{e9}\nc"] {
        changed(input).same();
    }
    assert_eq!(changed("a\r\nb").ours().run.stdout, b"a\r\r\nb");
}

#[test]
fn much_goes_through() {
    changed("a line\n".repeat(50_000)).same();
    changed("\n".repeat(70_000)).same();
    changed("a".repeat(200_000)).same();
}

#[test]
fn arguments_mean_nothing() {
    case(|side| side.command(["addcr", "-x", "y"]).stdin("a\n").run()).same();
}

#[test]
fn what_comes_is_passed_on_at_once() {
    let side = Side::ours();
    let mut talk = side.command(["addcr"]).converse();
    assert_eq!(talk.talk("a\nb", "b"), "a\r\nb");
    talk.close_input();
    assert_eq!(talk.ends(), 0);
}

#[test]
fn what_cannot_be_read_or_written_ends_it() {
    case(|side| side.run(["sh", "-c", "addcr < ."])).same();
    case(|side| side.run(["sh", "-c", "echo a | addcr > /dev/full"])).same();
    case(|side| side.run(["sh", "-c", "addcr < /dev/zero | head -c 9 | od -c"])).same();
}
