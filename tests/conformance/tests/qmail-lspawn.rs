//! qmail-lspawn beside the recordings of the original.
//!
//! The original runs as root and delivers as the account `spec`; ours runs in a private home, as an
//! ordinary user, who is also the one it delivers as. Set-id is shown in `e2e/installed.rs`.

use std::fs;
use std::path::PathBuf;

use harness::{Case, Run, Side, recorded};
use unix::Uid;

/// A program in the place of qmail-local: shows its arguments and the message, or what the local
/// part says.
const LOCAL: &str = r#"#!/bin/sh
case $4 in
  code-*) echo said; exit ${4#code-} ;;
  kill) kill -9 $$ ;;
  long-*) head -c ${4#long-} /dev/zero | tr '\0' x; exit 100 ;;
  zero) printf 'one\0two\n' ;;
  *) for word; do printf '[%s]' "$word"; done; echo; cat; echo 'on descriptor 2' >&2
     [ $PWD = HOME ] && echo at home ;;
esac
"#;

/// A program in the place of qmail-getpw: an owner, or what the local part says.
const GETPW: &str = r#"#!/bin/sh
case $1 in
  getpw-*) exit ${1#getpw-} ;;
  killed) kill -9 $$ ;;
  short) printf '%s\0' user UID 7 /home -; printf short ;;
  noise) echo noise >&2; printf '%s\0' user UID 7 /home - noise ;;
  *) printf '%s\0' "user$#" UID 7 "/home/$1" - "$1" ;;
esac
"#;

/// Whom deliveries are made as: not root, so that they are made at all.
fn owner(side: &Side) -> u32 {
    match Uid::current() {
        _ if !side.is_ours() => 7797,
        uid if uid.is_root() => 65534,
        uid => uid.as_raw(),
    }
}

/// Makes the home: the stand-ins, and a message.
fn home(side: &Side) {
    let home = side.home();
    fs::create_dir_all(home.join("queue/mess/7")).unwrap();
    fs::write(home.join("queue/mess/7/7"), "the message\n").unwrap();
    if side.is_ours() {
        let _ = fs::remove_file(home.join("bin")); // a link to the programs
        fs::create_dir_all(home.join("bin")).unwrap();
    }
    // Copied by a child: while we held a program open for writing, a child of another test could
    // inherit that, and then nobody could execute it.
    let program = side.programs().join("qmail-lspawn");
    let copy = "set -e; cp \"$1\" \"$0/bin/spawn\"; cat > \"$0/bin/qmail-local\"
        chmod 755 \"$0/bin/spawn\" \"$0/bin/qmail-local\"";
    let local = LOCAL.replace("HOME", &home.display().to_string());
    let words = ["sh".into(), "-c".into(), copy.into(), home.into(), program];
    assert_eq!(side.command::<PathBuf>(words).stdin(local).run().exit, 0);
    let copy = "cat > \"$0/bin/qmail-getpw\"; chmod 755 \"$0/bin/qmail-getpw\"";
    let getpw = GETPW.replace("UID", &owner(side).to_string());
    let words = ["sh".into(), "-c".into(), copy.into(), home.into()];
    assert_eq!(side.command::<PathBuf>(words).stdin(getpw).run().exit, 0);
    let queue = if side.is_ours() { owner(side).to_string() } else { "qmailq".into() };
    if Uid::current().is_root() {
        let words = ["chown".into(), queue.into(), home.join("queue/mess/7/7")];
        assert_eq!(side.run::<PathBuf>(words).exit, 0);
    }
}

/// Gives commands one after the other, each to a spawner of its own; shows what each answers. In
/// `commands` a vertical bar stands for a zero byte.
fn ask(side: &Side, commands: &[&str]) -> Run {
    let spawn = side.home().join("bin/spawn");
    let user = owner(side).to_string();
    let mut words: Vec<PathBuf> = Vec::new();
    if side.is_ours() && Uid::current().is_root() {
        let user = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
        words.extend(user.map(PathBuf::from));
    }
    words.extend([spawn, "./Mailbox".into()]);
    let mut all = Run { stdout: Vec::new(), stderr: Vec::new(), exit: 0 };
    for command in commands {
        let run = side.command(&words).stdin(command.replace('|', "\0")).run();
        all.stdout.extend([run.stdout.as_slice(), b"\n"].concat());
        all.stderr.extend(run.stderr);
        all.exit |= run.exit;
    }
    all
}

fn spawn(name: &str, commands: &[&str]) -> Case {
    recorded("qmail-lspawn", name, |side| {
        home(side);
        ask(side, commands)
    })
}

/// A users/cdb with these records; a vertical bar stands for a zero byte, `UID` for the owner.
fn users(side: &Side, records: &[(&str, &str)]) {
    let path = side.home().join("users/cdb");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut cdb = lookup::cdb::Writer::create(&path.with_extension("tmp")).unwrap();
    let uid = owner(side).to_string();
    for (key, data) in records {
        let bytes = |text: &str| text.replace('|', "\0").replace("UID", &uid).into_bytes();
        cdb.add(&bytes(key), &bytes(data)).unwrap();
    }
    cdb.finish().unwrap().commit(&path).unwrap();
}

fn with_users(name: &str, records: &[(&str, &str)], commands: &[&str]) -> Case {
    recorded("qmail-lspawn", name, |side| {
        home(side);
        users(side, records);
        let run = ask(side, commands);
        fs::remove_file(side.home().join("users/cdb")).unwrap();
        run
    })
}

/// A command for `recipient`.
fn to(recipient: &str) -> String {
    format!("\x017/7|se@nder|{recipient}|")
}

fn all(recipients: &[&str]) -> Vec<String> {
    recipients.iter().map(|recipient| to(recipient)).collect()
}

fn words(commands: &[String]) -> Vec<&str> {
    commands.iter().map(String::as_str).collect()
}

#[test]
fn qmail_local_is_told_who_and_what() {
    spawn("arguments", &words(&all(&["joe-list@host.test", "a@b@c", "Jo E@x"]))).same();
}

#[test]
fn an_address_without_a_local_part_is_thrown_away() {
    spawn("trash", &words(&all(&["@host.test"]))).same();
}

#[test]
fn what_an_exit_code_means() {
    let codes = [
        0, 1, 71, 74, 75, 99, 100, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 126, 127,
        255,
    ];
    let recipients: Vec<String> = codes.iter().map(|code| format!("code-{code}@h")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    spawn("codes", &words(&all(&recipients))).same();
    spawn("crash", &words(&all(&["kill@h"]))).same();
}

#[test]
fn a_report_ends_at_a_zero_byte_and_is_cut() {
    spawn("zero", &words(&all(&["zero@h"]))).same();
    spawn("longest", &words(&all(&["long-3000@h"]))).same();
    spawn("long", &words(&all(&["long-3001@h", "long-20000@h"]))).same();
}

#[test]
fn what_qmail_getpw_may_answer() {
    let recipients = ["getpw-115@h", "getpw-116@h", "getpw-118@h", "getpw-1@h", "getpw-111@h"];
    spawn("getpw", &words(&all(&recipients))).same();
    spawn("getpw-broken", &words(&all(&["killed@h", "short@h", "noise@h"]))).same();
}

#[test]
fn users_cdb_comes_first() {
    let records = [
        ("", "-+"),
        ("!joe|", "joe|UID|7|/home/joe||"),
        ("!joe-", "joe|UID|7|/home/joe|-|"),
        ("!joe-list-", "lister|UID|7|/home/list|-|in-"),
        ("!a+", "plus|UID|7|/home/plus|+|"),
        ("!x", "never|UID|7|/|-|"),
    ];
    let recipients =
        ["joe@h", "JOE@h", "Joe-Any@h", "joe-@h", "joe-list-A-b@h", "joe-list@h", "a+b@h", "xy@h"];
    with_users("users", &records, &words(&all(&recipients))).same();
    let records = [("", ""), ("!", "rest|UID|7|/home/rest|-|")];
    with_users("users-rest", &records, &words(&all(&["Any-Thing@h"]))).same();
}

#[test]
fn a_users_cdb_that_cannot_be_trusted_defers() {
    with_users("users-no-wildcards", &[("!joe|", "joe|UID|7|/||")], &words(&all(&["joe@h"])))
        .same();
    let broken = [("", ""), ("!joe|", "joe|UID|7|/"), ("!ann|", "ann|x|7|/||")];
    with_users("users-short", &broken, &words(&all(&["joe@h"]))).same();
    recorded("qmail-lspawn", "users-torn", |side| {
        home(side);
        let path = side.home().join("users/cdb");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "torn").unwrap();
        let run = ask(side, &words(&all(&["joe@h"])));
        fs::remove_file(path).unwrap();
        run
    })
    .same();
    recorded("qmail-lspawn", "users-directory", |side| {
        home(side);
        let path = side.home().join("users/cdb");
        fs::create_dir_all(&path).unwrap();
        let run = ask(side, &words(&all(&["joe@h"])));
        fs::remove_dir(path).unwrap();
        run
    })
    .same();
}

#[test]
fn nothing_is_delivered_as_root() {
    let records = [("", ""), ("!root|", "root|0|0|/root||")];
    with_users("root", &records, &words(&all(&["root@h"]))).same();
}

#[test]
fn an_owner_whose_number_is_none_is_a_bug() {
    let records = [("", ""), ("!ann|", "ann|x|7|/||")];
    with_users("no-number", &records, &words(&all(&["ann@h"]))).differing_stdout(
        "x\x01ZInternal qmail-lspawn bug.\n\0\n",
        "x\x01ZNot allowed to perform deliveries as root.\n\0\n",
    );
}

#[test]
fn programs_that_cannot_be_run() {
    for program in ["qmail-local", "qmail-getpw"] {
        recorded("qmail-lspawn", &format!("without-{program}"), |side| {
            home(side);
            fs::remove_file(side.home().join("bin").join(program)).unwrap();
            ask(side, &words(&all(&["joe@h"])))
        })
        .same();
    }
}

#[test]
fn it_needs_a_default_delivery() {
    recorded("qmail-lspawn", "no-argument", |side| {
        fs::create_dir_all(side.home().join("queue/mess")).unwrap();
        side.run(["qmail-lspawn"])
    })
    .same();
}

#[test]
fn a_private_host_delivers_only_to_its_own_user() {
    let side = Side::ours();
    home(&side);
    users(&side, &[("", ""), ("!other|", "other|12345|7|/home/other||")]);
    let run = ask(&side, &words(&all(&["other@h"])));
    let text = "This is a private mail host: it delivers only to its own user. (#5.1.1)";
    assert_eq!(run.stdout, format!("x\x01D{text}\n\0\n").into_bytes());
}
