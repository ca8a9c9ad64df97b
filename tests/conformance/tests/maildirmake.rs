//! maildirmake beside the recordings of the original.

use harness::{Case, recorded};

fn case(name: &str, words: &[&str]) -> Case {
    recorded("maildirmake", name, |side| side.run([&["maildirmake"], words].concat()))
}

#[test]
fn wrong_usage() {
    case("usage", &[]).same();
    // The original makes the first and says nothing.
    case("two", &["a", "b"])
        .differing_exit(100, 0)
        .differing_stderr("maildirmake: usage: maildirmake name\n", "");
}

#[test]
fn a_maildir_has_three_directories_for_its_owner_alone() {
    case("made", &["Maildir"]).same();
    case("slash", &["Maildir/"]).same();
    recorded("maildirmake", "absolute", |side| {
        let path = side.path().join("Mail dir");
        side.run(["maildirmake".as_ref(), path.as_os_str()])
    })
    .same();
}

#[test]
fn what_is_there_or_cannot_be_there() {
    recorded("maildirmake", "exists", |side| {
        side.directory("Maildir");
        side.run(["maildirmake", "Maildir"])
    })
    .same();
    case("nowhere", &["no/Maildir"]).same();
    case("empty", &[""]).same();
    recorded("maildirmake", "forbidden", |side| {
        side.directory("closed");
        side.mode("closed", 0o555);
        side.command(["maildirmake", "closed/Maildir"]).as_user().run()
    })
    .same();
}

#[test]
fn a_directory_that_cannot_be_read_can_hold_one() {
    recorded("maildirmake", "unreadable-parent", |side| {
        side.directory("dark");
        side.mode("dark", 0o333);
        let run = side.command(["maildirmake", "dark/Maildir"]).as_user().run();
        side.mode("dark", 0o755);
        run
    })
    .same();
}
