//! Which .qmail file counts, and what its lines say: `qmail-local -n`.

use std::fs;

use harness::{Case, Side, recorded, skipped_for};

use crate::{Delivery, Several};

/// Every file that could count, each saying its own name; the one that counted is removed, until none
/// is left.
fn search(name: &str, dash: &str, ext: &str, files: &[&str]) {
    recorded("qmail-local", &format!("search-{name}"), |side| {
        side.directory("home");
        for file in files {
            side.write(&format!("home/{file}"), format!("&{file}\n"));
        }
        let mut several = Several::default();
        loop {
            let run = Delivery { dash, ext, ..Delivery::default() }.show(side);
            several.add("next", &run);
            let found = String::from_utf8_lossy(&run.stdout).into_owned();
            let Some(found) = found.lines().find_map(|line| line.strip_prefix("forward ")) else {
                break;
            };
            fs::remove_file(side.path().join("home").join(found)).unwrap();
        }
        several.run()
    })
    .same();
}

#[test]
fn the_search_goes_from_the_whole_to_the_start() {
    search(
        "dots-and-capitals",
        "-",
        "A.b-C-D",
        &[
            ".qmail",
            ".qmail-A.b-C-D",
            ".qmail-a:b-c-d",
            ".qmail-a:b-c-default",
            ".qmail-a:b-default",
            ".qmail-a:default",
            ".qmail-default",
            ".qmaildefault",
        ],
    );
    search("plain", "", "", &[".qmail", ".qmail-default", ".qmaildefault"]);
    search("empty-extension", "-", "", &[".qmail", ".qmail-", ".qmail-default", ".qmaildefault"]);
    search("dash-at-the-end", "-", "a-", &[".qmail-a-", ".qmail-a-default", ".qmail-default"]);
    search("slash", "-/", "a-b", &[".qmail-/a-b", ".qmail-/a-default", ".qmail-/default"]);
    search("other-dash", "+", "a.-b", &[".qmail+a:-b", ".qmail+a:-default", ".qmail+default"]);
}

/// Shows what is done about a .qmail file with this text and mode.
fn show(name: &str, text: &str, mode: u32, delivery: Delivery<'_>) -> Case {
    recorded("qmail-local", name, |side| {
        side.write("home/.qmail", text);
        side.mode("home/.qmail", mode);
        delivery.show(side)
    })
}

#[test]
fn each_kind_of_line() {
    let text = "# comment\n\n&a@b\n& a@b\nc@d \t \n ./Mailbox\n./Mailbox\n./a b \n/tmp/x/\n./Maildir/\n\
                |exit 0\n| exit 0 \n|\n&\n.\n/\n+other\n+list \n&e@f\nno newline@end";
    show("lines", text, 0o644, Delivery::default()).same();
}

#[test]
fn forwarding_only() {
    for (name, text) in [
        ("list-file", "&a@b\n+list\n&c@d\n./Mailbox\n&e@f\n"),
        ("list-program", "+list\n|exit 0\n"),
        ("list-late", "./Mailbox\n|exit 0\n+list\n&a@b\n"),
    ] {
        show(name, text, 0o644, Delivery::default()).same();
    }
    for (name, text) in [
        ("x-forward", "&a@b\n"),
        ("x-file", "&a@b\n./Mailbox\n"),
        ("x-maildir", "./Maildir/\n"),
        ("x-program", "|exit 0\n"),
        ("x-empty", ""),
    ] {
        show(name, text, 0o744, Delivery::default()).same();
    }
}

#[test]
fn the_first_line_must_say_something() {
    for (name, text) in
        [("blank-first", "\n./Mailbox\n"), ("blanks-first", " \t \n./Mailbox\n"), ("newline", "\n")]
    {
        show(name, text, 0o644, Delivery::default()).same();
    }
    show("blank-later", "#\n\n \n./Mailbox\n", 0o644, Delivery::default()).same();
    show("comments", "# a\n# b\n", 0o644, Delivery::default()).same();
}

#[test]
fn the_default_delivery_stands_in_for_an_empty_file() {
    let default = "./Maildir/\n&a@b \n#x\n|exit 0";
    show("default-lines", "", 0o644, Delivery { default, ..Delivery::default() }).same();
    show("default-empty", "", 0o644, Delivery { default: "", ..Delivery::default() }).same();
    recorded("qmail-local", "default-without-file", |side| {
        side.directory("home");
        Delivery { default, ..Delivery::default() }.show(side)
    })
    .same();
}

#[test]
fn a_file_that_others_may_write_is_not_followed() {
    show("writable", "./Mailbox\n", 0o646, Delivery::default()).same();
    let writable = "Uh-oh: .qmail file is writable. (#4.7.0)\n";
    let _ = show("group-writable", "./Mailbox\n", 0o664, Delivery::default())
        .differing_exit(111, 0)
        .differing_stdout("", "mbox ./Mailbox\ndid 1+0+0\n")
        .differing_stderr(writable, "");
}

#[test]
fn what_is_no_file_is_passed_over() {
    recorded("qmail-local", "directory", |side| {
        side.directory("home/.qmail-a");
        let mut several = Several::default();
        several.add("alone", &Delivery::to("a").show(side));
        side.write("home/.qmail-default", "./default\n");
        several.add("with a default", &Delivery::to("a").show(side));
        several.run()
    })
    .same();
}

#[test]
fn nobody_by_that_name() {
    recorded("qmail-local", "no-mailbox", |side| {
        side.write("home/.qmail-other", "./other\n");
        Delivery::to("a-b").show(side)
    })
    .same();
}

#[test]
fn a_file_that_cannot_be_opened_gives_way_to_none() {
    let case = |side: &Side| {
        side.write("home/.qmail-a", "./a\n");
        side.mode("home/.qmail-a", 0o000);
        side.write("home/.qmail-default", "./default\n");
        let run = Delivery::to("a").show(side);
        side.mode("home/.qmail-a", 0o600); // to be compared
        run
    };
    recorded("qmail-local", "unreadable", case).same();
    let loop_of_links = |side: &Side| {
        side.write("home/.qmail-default", "./default\n");
        std::os::unix::fs::symlink(".qmail-a", side.path().join("home/.qmail-a")).unwrap();
        Delivery::to("a").show(side)
    };
    recorded("qmail-local", "loop-of-links", loop_of_links).same();
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let side = Side::ours();
    side.directory("home");
    // The beginning of a process's memory, which nobody can read.
    std::os::unix::fs::symlink("/proc/self/mem", side.path().join("home/.qmail")).unwrap();
    let run = Delivery::default().show(&side);
    assert_eq!((run.exit, run.stdout), (111, vec![]));
    assert_eq!(run.stderr, b"Unable to read .qmail: input/output error. (#4.3.0)\n");
}

#[test]
fn names_and_addresses_of_any_length_and_bytes() {
    let long = format!("&{}@x.y\n./{}\n", "a".repeat(3000), "b".repeat(1000));
    show("long", &long, 0o644, Delivery::default()).same();
    let odd = "&\u{e4}\u{1}@x\n./\u{7f}\r\n|\t\n";
    show("odd-bytes", odd, 0o644, Delivery::default()).same();
}

#[test]
fn a_zero_byte_is_refused() {
    show("zero-byte", "#\0\n./a\0b\n&c@d\n", 0o644, Delivery::default())
        .differing_exit(111, 0)
        .differing_stdout(
            "",
            "mbox ./a\0b\ndid 1+1+0\n".replace("did", "forward c@d\ndid").as_str(),
        )
        .differing_stderr("Uh-oh: .qmail has a zero byte. (#4.2.1)\n", "");
}

#[test]
fn a_sticky_home_is_only_warned_about() {
    recorded("qmail-local", "sticky-shown", |side| {
        side.directory("home");
        side.mode("home", 0o1755);
        Delivery::default().show(side)
    })
    .same();
}

#[test]
fn root_may_look() {
    if !unix::Uid::current().is_root() {
        return skipped_for("only root can show what root may do");
    }
    let side = Side::ours();
    side.directory("home");
    let run = Delivery::default().command(&side, &["-n"]).run();
    assert_eq!((run.exit, run.stdout), (0, b"mbox ./Mailbox\ndid 1+0+0\n".to_vec()));
    let run = Delivery::default().command(&side, &[]).run();
    assert_eq!(run.exit, 113);
    assert_eq!(run.stderr, b"Not allowed to perform deliveries as root. (#4.3.0)\n");
}
