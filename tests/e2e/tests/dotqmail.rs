//! What the documents say one can write into a .qmail file, on a running host.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{ADDRESS, Host, executable};

const MESSAGE: &str = "From: a@b.example\nMessage-ID: <one@b.example>\nSubject: s\n\nbody\n";

fn send(host: &Host, to: &str) {
    let to = format!("{to}@daisychain.example");
    host.sends(MESSAGE, &["-f", "a@b.example", &to]);
}

/// A program of the user's, `you/NAME`.
fn script(host: &Host, name: &str, text: &str) {
    let name = format!("you/{name}");
    host.write(&name, format!("#!/bin/sh\n{text}\n"));
    executable(&host.path(&name));
}

#[test]
fn programs_that_expect_the_lines_of_the_envelope() {
    let host = Host::start();
    script(&host, "filter", "cat > filtered");
    host.write("you/.qmail-filter", "|preline ./filter\n");
    send(&host, "you-filter");
    host.arrives("you/filtered", "\nbody\n");
    let text = fs::read_to_string(host.path("you/filtered")).expect("a file");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("From a@b.example "), "{text}");
    assert_eq!(lines[1], "Return-Path: <a@b.example>");
    assert_eq!(lines[2], "Delivered-To: you-filter@daisychain.example");

    script(&host, "uux", "{ echo \"$@\"; cat; } > sent");
    let uucp = "|preline -df ./uux - -r -gC -a\"${SENDER:-MAILER-DAEMON}\" gonzo!rmail \
                \"($DEFAULT@$HOST)\"\n";
    host.write("you/.qmail-uucp-default", uucp);
    send(&host, "you-uucp-Joe.x");
    let head = "- -r -gC -aa@b.example gonzo!rmail (Joe.x@daisychain.example)\n\
                Return-Path: <a@b.example>\nReceived: ";
    host.arrives("you/sent", head);
    host.drains();
}

#[test]
fn forwarding_to_an_address_made_of_variables() {
    let host = Host::start();
    host.write("qmail/alias/.qmail-default", "| forward \"you-$LOCAL\"@daisychain.example\n");
    host.write("you/.qmail-default", "./default\n");
    send(&host, "Some.Body");
    let text = "Return-Path: <a@b.example>\nDelivered-To: you-Some.Body@daisychain.example\n";
    host.arrives("you/default", text);
    host.arrives("you/default", "\nDelivered-To: Some.Body@daisychain.example\n");
    host.logs("qmail", "success: forward:_qp_");
}

#[test]
fn logging_what_passes() {
    let host = Host::start();
    let awk = "| awk '/^$/ { exit } /^[mM][eE][sS][sS][aA][gG][eE]-/ { print }'\n";
    host.write("you/.qmail-log", format!("{awk}./msg-log\n"));
    send(&host, "you-log");
    host.logs("qmail", "success: Message-ID:_<one@b.example>/did_1+0+1/");
    host.arrives("you/msg-log", "From a@b.example ");
}

#[test]
fn conditions() {
    let host = Host::start();
    host.write("you/.qmail-no", "|bouncesaying 'Gone fishing. (#5.1.1)'\n./never\n");
    host.write("you/.qmail-if", "|except grep -q ^body\n./never\n");
    host.write("you/.qmail-else", "|except grep -q nothing-like-it\n./passed\n");
    let elsewhere = "|condredirect you-passed@daisychain.example grep -q ^body\n./never\n";
    host.write("you/.qmail-elsewhere", elsewhere);
    host.write("you/.qmail-passed", "./redirected\n");
    host.write("you/.qmail-stay", "|condredirect you-no@daisychain.example false\n./stayed\n");
    for to in ["no", "if", "else", "elsewhere", "stay"] {
        let to = format!("you-{to}@daisychain.example");
        host.sends(MESSAGE, &["-f", ADDRESS, &to]);
    }
    host.arrives("you/passed", "\nbody\n");
    host.arrives("you/redirected", "\nbody\n");
    host.arrives("you/stayed", "\nbody\n");
    let bounces = host.receives(2).concat();
    assert!(bounces.contains("<you-no@daisychain.example>:\nGone fishing. (#5.1.1)\n"));
    assert!(bounces.contains("<you-if@daisychain.example>:\n"));
    host.drains();
    assert!(!host.path("you/never").exists());
}

#[test]
fn a_list_with_an_owner() {
    let host = Host::start();
    host.write("you/.qmail-list", "you-one@daisychain.example\n&you-two@daisychain.example\n");
    host.write("you/.qmail-list-owner", "./owner\n");
    host.write("you/.qmail-one", "./one\n");
    host.write("you/.qmail-two", "|bouncesaying 'No such member. (#5.1.1)'\n");
    send(&host, "you-list");
    host.arrives("you/one", "Return-Path: <you-list-owner@daisychain.example>\n");
    // A bounce goes to the owner, not to who sent.
    host.arrives("you/owner", "No such member. (#5.1.1)");

    // With a sender for each member, another host's bounce says by its address whom it is about. Our
    // own is one message about all who failed, and goes to the address without a member.
    host.write("you/.qmail-list-owner-default", "|echo \"[$DEFAULT]\" >> bounced\n");
    send(&host, "you-list");
    let sender = "you-list-owner-you-one=daisychain.example@daisychain.example";
    host.arrives("you/one", &format!("Return-Path: <{sender}>\n"));
    host.arrives("you/bounced", "[]\n");
    send(&host, "you-list-owner-you-two=daisychain.example");
    host.arrives("you/bounced", "[you-two=daisychain.example]\n");
    host.drains();
}

#[test]
fn a_home_may_be_closed_while_its_files_are_edited() {
    let host = Host::start();
    let home = host.path("you");
    let mode = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).expect("a mode");
    mode(0o1755);
    send(&host, "you");
    host.logs("qmail", "deferral: Home_directory_is_sticky:_user_is_editing_his_.qmail_file.");
    mode(0o755);
    host.svc("-a", "qmail");
    assert!(host.receives(1)[0].contains("\nbody\n"));
}

#[test]
fn one_can_ask_what_would_happen() {
    let host = Host::start();
    host.write("you/.qmail", "./Maildir/\n&me@elsewhere.example\n");
    let home = host.path("you").display().to_string();
    let words = ["qmail-local", "-n", "you", &home, "you", "", "", "", "", "./Mailbox"];
    let run = host.command(words).run();
    let text = "maildir ./Maildir/\nforward me@elsewhere.example\ndid 1+1+0\n";
    assert_eq!((run.exit, String::from_utf8_lossy(&run.stdout).as_ref()), (0, text));
    assert!(host.mail().is_empty());
}

#[test]
fn mail_is_deferred_while_nobody_knows_whose_it_is() {
    let host = Host::start();
    let cdb = host.path("qmail/users/cdb");
    let whole = fs::read(&cdb).expect("users/cdb");
    host.write("qmail/users/cdb", &whole[..100]);
    send(&host, "you");
    host.logs("qmail", "deferral: Trouble_reading_users/cdb_in_qmail-lspawn./");
    assert_eq!(host.command(["qmail-newu"]).run().exit, 0);
    host.svc("-a", "qmail");
    assert!(host.receives(1)[0].contains("\nbody\n"));
}
