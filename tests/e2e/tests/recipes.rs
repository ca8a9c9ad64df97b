//! `.qmail` files and the recipes of the FAQ.

use harness::{ADDRESS, Host, Smtp};

const MESSAGE: &str = "From: a@b.example\nTo: x\nSubject: s\n\nbody\n";

fn send(host: &Host, to: &str) {
    host.sends(MESSAGE, &["-f", "a@b.example", to]);
}

#[test]
fn an_extension_goes_to_maildir_mbox_program_and_forward() {
    let host = Host::start();
    host.write("you/.qmail-all", "# everything at once\n./Maildir2/\n./Mailbox\n|cat > program; env > environment\n&you@daisychain.example\n");
    let maildir = host.path("you/Maildir2");
    assert_eq!(host.command(["maildirmake".as_ref(), maildir.as_os_str()]).run().exit, 0);
    send(&host, "you-all@daisychain.example");
    let mail = host.receives(1);
    assert!(
        mail[0].starts_with("Return-Path: <a@b.example>\nDelivered-To: you@daisychain.example\n")
    );
    assert!(mail[0].contains("\nDelivered-To: you-all@daisychain.example\n"), "{}", mail[0]);
    assert_eq!(host.mail_in("you/Maildir2").len(), 1);
    host.arrives("you/Mailbox", "From a@b.example ");
    host.arrives("you/program", "\nbody\n");
    host.arrives("you/environment", "EXT=all\n");
    host.arrives("you/environment", "RECIPIENT=you-all@daisychain.example\n");
    host.drains();
}

#[test]
fn a_default_file_takes_what_no_other_does() {
    let host = Host::start();
    host.write("you/.qmail-default", "|echo \"$DEFAULT\" > default\n");
    host.write("you/.qmail-list-default", "|echo \"$DEFAULT\" > list\n");
    send(&host, "you-Some.Thing@daisychain.example");
    send(&host, "you-list-owner@daisychain.example");
    host.arrives("you/default", "Some.Thing\n");
    host.arrives("you/list", "owner\n");
}

#[test]
fn an_alias_with_dots_and_one_for_root() {
    let host = Host::start();
    host.write("qmail/alias/.qmail-p:d:q:bach", "./bach\n");
    send(&host, "P.D.Q.Bach@daisychain.example");
    host.arrives("qmail/alias/bach", "\nDelivered-To: P.D.Q.Bach@daisychain.example\n");
    send(&host, "root@daisychain.example");
    assert!(host.receives(1)[0].contains("\nDelivered-To: root@daisychain.example\n"));
}

#[test]
fn nobody_by_that_name_is_a_bounce() {
    let host = Host::start();
    host.sends(MESSAGE, &["-f", ADDRESS, "nosuch@daisychain.example"]);
    let mail = host.receives(1);
    let text = "<nosuch@daisychain.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n";
    assert!(mail[0].contains(text), "{}", mail[0]);
}

#[test]
fn a_virtual_domain_belongs_to_a_user() {
    let host = Host::start();
    host.write(
        "qmail/control/virtualdomains",
        "virtual.example:you-virtual\n.wild.example:you-wild\n",
    );
    host.write("qmail/control/rcpthosts", "daisychain.example\nvirtual.example\n");
    host.write("you/.qmail-virtual-default", "|echo \"$DEFAULT $HOST\" >> virtual\n");
    host.write("you/.qmail-wild-default", "|echo \"$DEFAULT $HOST\" >> wild\n");
    host.rereads();
    Smtp::connect(host.port()).deliver("a@b.example", "info@virtual.example", MESSAGE);
    send(&host, "me@any.wild.example");
    host.arrives("you/virtual", "info virtual.example\n");
    host.arrives("you/wild", "me any.wild.example\n");
}

#[test]
fn a_loop_is_found() {
    let host = Host::start();
    host.write("you/.qmail-loop", "&you-loop@daisychain.example\n");
    host.sends(MESSAGE, &["-f", ADDRESS, "you-loop@daisychain.example"]);
    let mail = host.receives(1);
    let text = "This message is looping: it already has my Delivered-To line. (#5.4.6)\n";
    assert!(mail[0].contains(text), "{}", mail[0]);
}

/// The owner's document: clients whose mail needs a header get RELAYCLIENT=@fixme.
#[test]
fn mail_from_dumb_clients_is_fixed_up() {
    let host = Host::start();
    host.write("tcp.smtp", "127.:allow,RELAYCLIENT=\"@fixme\"\n");
    let (cdb, tmp) = (host.path("tcp.smtp.cdb"), host.path("tcp.smtp.tmp"));
    let words = ["tcprules".as_ref(), cdb.as_os_str(), tmp.as_os_str()];
    let rules = std::fs::read(host.path("tcp.smtp")).expect("rules");
    assert_eq!(host.command(words).stdin(rules).run().exit, 0);
    host.fixes_up(
        "| bouncesaying 'Permission denied' [ \"@$HOST\" != \"@fixme\" ]\n\
         | qmail-inject -f \"$SENDER\" -- \"$DEFAULT\"\n",
    );
    let mut smtp = Smtp::connect(host.port());
    smtp.deliver("a@b.example", ADDRESS, "Subject: no from, no date\n\nx\n");
    let mail = host.receives(1);
    assert!(mail[0].contains("\nDate: ") && mail[0].contains("\nMessage-ID: <"), "{}", mail[0]);

    // Nobody else may use it: an address that ends up there directly is refused.
    send(&host, "fixup-x@daisychain.example");
    host.logs("qmail", "failure: Permission_denied/");
}
