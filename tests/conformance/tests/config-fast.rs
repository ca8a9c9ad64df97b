//! config-fast beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// The script of the side, and the control files it leaves.
fn run(side: &Side, args: &[&str]) -> Run {
    let run = side.run([&["config-fast"], args].concat());
    for name in ["me", "defaultdomain", "plusdomain", "locals", "rcpthosts"] {
        let from = side.home().join("control").join(name);
        if from.exists() {
            std::fs::copy(from, side.path().join(name)).expect("a control file");
        }
    }
    run
}

fn configure(name: &str, host: &str) -> Case {
    recorded("config-fast", name, |side| run(side, &[host]))
}

#[test]
fn the_files_follow_from_the_name() {
    for (name, host) in [
        ("three-labels", "mail.example.test"),
        ("five-labels", "a.b.c.example.test"),
        ("two-labels", "example.test"),
        ("one-label", "localhost"),
    ] {
        let _ = configure(name, host).same_files().same_exit().same_stderr();
    }
}

#[test]
fn it_says_what_it_puts_where() {
    configure("three-labels", "mail.example.test").differing_stdout(
        "Your fully qualified host name is mail.example.test.\n\
         Putting mail.example.test into control/me...\n\
         Putting example.test into control/defaultdomain...\n\
         Putting example.test into control/plusdomain...\n\
         Adding mail.example.test to control/locals...\n\
         Adding mail.example.test to control/rcpthosts...\n\
         Mail from other hosts is now taken by SMTP for mail.example.test only.\n\
         What you add to locals or virtualdomains has to be in rcpthosts too.\n",
        "Your fully qualified host name is mail.example.test.\n\
         Putting mail.example.test into control/me...\n\
         Putting example.test into control/defaultdomain...\n\
         Putting example.test into control/plusdomain...\n\
         Putting mail.example.test into control/locals...\n\
         Putting mail.example.test into control/rcpthosts...\n\
         Now qmail will refuse to accept SMTP messages except to mail.example.test.\n\
         Make sure to change rcpthosts if you add hosts to locals or virtualdomains!\n",
    );
}

/// The text of a control file afterwards.
fn file(outcome: &harness::Outcome, name: &str) -> String {
    let contents = outcome.files.0.get(name).map(|entry| entry.contents.clone());
    String::from_utf8_lossy(&contents.unwrap_or_default()).into_owned()
}

#[test]
fn what_is_there_is_kept_and_no_line_is_doubled() {
    let case = recorded("config-fast", "again", |side| {
        side.control("me", "old.test\n");
        side.control("locals", "old.test\nMail.Example.Test\n");
        let _ = run(side, &["mail.example.test"]);
        run(side, &["mail.example.test"])
    });
    let ours = case.ours();
    assert_eq!(file(ours, "me"), "old.test\n");
    assert_eq!(file(ours, "locals"), "old.test\nMail.Example.Test\n");
    assert_eq!(file(ours, "rcpthosts"), "mail.example.test\n");
    if let Some(original) = case.original() {
        assert_eq!(file(original, "me"), "mail.example.test\n");
        assert_eq!(file(original, "rcpthosts"), "mail.example.test\nmail.example.test\n");
    }
}

#[test]
fn what_is_no_name_is_refused_and_writes_nothing() {
    for (name, args) in [
        ("no-argument", &[][..]),
        ("two-arguments", &["a.test", "b.test"]),
        ("empty", &[""]),
        ("blank", &["a test"]),
        ("dots", &["a..test"]),
        ("line-end", &["a.test\nb"]),
    ] {
        let case = recorded("config-fast", name, |side| run(side, args));
        assert!(case.ours().files.0.is_empty(), "{name}");
        let _ = case.differing_exit(100, 0);
    }
}

#[test]
fn without_a_home_it_ends() {
    let side = Side::ours();
    let run = side.command(["config-fast", "a.test"]).env("QMAILHOME", "/nonexistent").run();
    assert_eq!(run.exit, 111);
    assert_eq!(
        String::from_utf8_lossy(&run.stderr),
        "config-fast: fatal: unable to switch to /nonexistent/control: file does not exist\n"
    );
}
