//! qmail-showctl beside the recordings of the original.

use std::os::unix::fs::PermissionsExt;

use harness::{Case, Side, recorded};

/// What the original does not know of.
const MORE: [&str; 10] = [
    "\\nmaxrecipients: (Default.) SMTP recipient limit is 10000 a message.\\n",
    "\\ncheckrecipient: (Default.) Mailboxes are looked for at RCPT, unless this is 0: 1.\\n",
    "\\nvalidrcptto: (Default.) Recipients are not listed.\\n",
    "\\nbouncemaxbytes: (Default.) Bounces have at most so much of a message: 50000 bytes.\\n",
    "\\nbrtlimit: (Default.) Invalid recipients that a client may name, 0 for any number: 0.\\n",
    "\\nchkrcptdomains: (Default.) Mailboxes are looked for in any domain.\\n",
    "\\nrcptchecks: (Default.) No program is asked about recipients.\\n",
    "\\nrecipients: (Default.) No recipient rules.\\n",
    "\\nextraqueue: (Default.) Messages have no more recipients.\\n",
    "\\nremotetogether: (Default.) Recipients that share a connection: 100.\\n",
];

/// Without the lines about the build, in which the two hosts differ.
fn show(name: &str, files: &[(&str, &str)]) -> Case {
    let report = |text: &str| {
        let report = text.split_once("\\n\\n").map_or("", |(_, report)| report);
        MORE.iter().fold(report.to_owned(), |report, more| report.replace(more, ""))
    };
    let case = recorded("qmail-showctl", name, |side| {
        for (file, contents) in files {
            side.control(file, contents);
        }
        side.run(["qmail-showctl"])
    })
    .normalised(report);
    assert!(case.ours().run.stdout.starts_with(b"badmailfrom: "));
    case
}

#[test]
fn every_file_is_told() {
    show(
        "every-file",
        &[
            ("badmailfrom", "bad@x.y\n@bad.example\n"),
            ("bouncefrom", "MAILER\n"),
            ("bouncehost", "b.example\n"),
            ("concurrencylocal", "7\n"),
            ("concurrencyremote", "8\n"),
            ("databytes", "1000\n"),
            ("defaultdomain", "dd.example\n"),
            ("defaulthost", "dh.example\n"),
            ("doublebouncehost", "db.example\n"),
            ("doublebounceto", "double\n"),
            ("envnoathost", "en.example\n"),
            ("helohost", "he.example\n"),
            ("idhost", "id.example\n"),
            ("localiphost", "li.example\n"),
            ("locals", "a.example\n# none\nb.example \n"),
            ("me", "me.example\n"),
            ("percenthack", "p.example\n"),
            ("plusdomain", "pd.example\n"),
            ("qmqpservers", "192.0.2.1\n"),
            ("queuelifetime", "3600\n"),
            ("rcpthosts", "r.example\n.r.example\n"),
            ("smtpgreeting", "hello\n"),
            ("smtproutes", "s.example:192.0.2.2\n:relay\n"),
            ("timeoutconnect", "1\n"),
            ("timeoutremote", "2\n"),
            ("timeoutsmtpd", "3\n"),
            ("virtualdomains", "v.example:joe\n"),
        ],
    )
    .same();
}

#[test]
fn defaults_are_told_as_such() {
    show("defaults", &[("me", "me.example\n"), ("rcpthosts", "\n")]).same();
    show("nothing", &[("rcpthosts", "\n")]).same();
}

#[test]
fn what_does_not_print_is_not_printed() {
    show("unprintable", &[("me", "a\x1b[2J\u{e4}\n"), ("rcpthosts", "x\ty\n")]).same();
}

#[test]
fn a_number_that_is_none_is_no_number() {
    show("no-number", &[("rcpthosts", ""), ("databytes", "many\n"), ("concurrencylocal", "\n")])
        .same();
}

#[test]
fn a_file_that_means_nothing_is_told() {
    show("unknown", &[("rcpthosts", ""), ("rcpthost", "a\n")]).same();
}

#[test]
fn the_database_of_more_hosts_is_looked_at() {
    let hosts = ("rcpthosts", "a\n");
    show("more", &[hosts, ("morercpthosts", "b\n"), ("morercpthosts.cdb", "")]).same();
    show("more-list", &[hosts, ("morercpthosts", "b\n")]).same();
    show("more-database", &[hosts, ("morercpthosts.cdb", "")]).same();
    recorded("qmail-showctl", "more-old", |side| {
        side.control("rcpthosts", "a\n");
        side.control("morercpthosts", "b\n");
        side.control("morercpthosts.cdb", "");
        let path = side.home().join("control/morercpthosts.cdb").display().to_string();
        assert_eq!(side.run(["touch", "-d", "@1795220491", &path]).exit, 0);
        let newer = side.home().join("control/morercpthosts").display().to_string();
        assert_eq!(side.run(["touch", "-d", "@1795220492", &newer]).exit, 0);
        let run = side.run(["qmail-showctl"]);
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with("morercpthosts.cdb: "));
        harness::Run { stdout: line.unwrap_or_default().into(), ..run }
    })
    .same();
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    recorded("qmail-showctl", "directory", |side| {
        let path = side.home().join("control/locals");
        std::fs::create_dir(&path).expect("a directory");
        side.control("rcpthosts", "a\n");
        let run = side.run(["qmail-showctl"]);
        std::fs::remove_dir(&path).expect("the directory");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with("locals: "));
        harness::Run { stdout: line.unwrap_or_default().into(), ..run }
    })
    .same();
}

/// What ours says of a host with these control files.
fn ours(files: &[(&str, &str)]) -> (Side, String) {
    let side = Side::ours();
    for (file, contents) in files {
        side.control(file, contents);
    }
    let run = side.run(["qmail-showctl"]);
    assert_eq!(run.exit, 0);
    (side, String::from_utf8_lossy(&run.stdout).into_owned())
}

#[test]
fn the_build_is_told_first() {
    let (side, text) = ours(&[]);
    let start = format!(
        "qmail home directory: {}.\n\
         user-ext delimiter: -.\n\
         paternalism (in decimal): 18.\n\
         silent concurrency limit: 120.\n\
         subdirectory split: 23.\n\
         user ids: ",
        side.home().display()
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn our_own_files_are_known() {
    let (_, text) = ours(&[
        ("maxrecipients", "7\n"),
        ("extraqueue", "log\n"),
        ("bouncemaxbytes", "9\n"),
        ("brtlimit", "3\n"),
        ("chkrcptdomains", "here.test\n"),
        ("morevalidrcptto", ""),
        ("morevalidrcptto.cdb", ""),
        ("rcptchecks", "bin/check\n"),
        ("recipients", "*|bin/check\n"),
        ("validrcptto.cdb", ""),
        ("checkrecipient", "0\n"),
        ("validrcptto", "joe@here.test\n"),
        ("remotetogether", "1\n"),
        ("defaultdelivery", "./Maildir/\n"),
    ]);
    assert!(text.contains("\nmaxrecipients: SMTP recipient limit is 7 a message.\n"), "{text}");
    assert!(text.contains("\nextraqueue: \nEach message goes to log too.\n"), "{text}");
    assert!(text.contains("unless this is 0: 0.\n"), "{text}");
    assert!(
        text.contains("\nbouncemaxbytes: Bounces have at most so much of a message: 9 bytes.\n")
    );
    assert!(text.contains("\nvalidrcptto: \nA recipient is joe@here.test.\n"), "{text}");
    assert!(text.contains("\nremotetogether: Recipients that share a connection: 1.\n"), "{text}");
    assert!(!text.contains("no idea"), "{text}");
}

#[test]
fn without_rcpthosts_only_local_recipients_are_taken() {
    let said = "\nrcpthosts: (Default.) SMTP clients may send messages to what locals and \
                virtualdomains make local.\n";
    let (_, text) = ours(&[("morercpthosts", "a\n")]);
    assert!(text.contains(said), "{text}");
    let said = "\nmorercpthosts: \nNo rcpthosts; doesn't matter that morercpthosts has a.\n";
    assert!(text.contains(said), "{text}");
}

#[test]
fn what_is_dangerous_is_told() {
    let (side, text) = ours(&[("rcpthosts", "a\n*\n"), ("locals", "a\n")]);
    let oops = "Oops! With *, SMTP clients may send messages to any recipient.\n";
    assert!(text.contains(oops), "{text}");
    assert!(!text.contains("Anybody"), "{text}");
    let control = side.home().join("control");
    for path in [control.join("locals"), control] {
        let path = path.display().to_string();
        assert_eq!(side.run(["chmod", "o+w", &path]).exit, 0);
    }
    let text = String::from_utf8_lossy(&side.run(["qmail-showctl"]).stdout).into_owned();
    let end = "\nlocals: Oops! Anybody can write to this file.\n\
               \nOops! Anybody can write to the directory control.\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_trigger_that_is_no_use_is_told() {
    let side = Side::ours();
    let lock = side.home().join("queue/lock");
    std::fs::create_dir_all(&lock).expect("a directory");
    let trigger = lock.join("trigger");
    let _ = std::fs::remove_file(&trigger); // it may not be there
    let end = |name: &str| {
        let text = String::from_utf8_lossy(&side.run(["qmail-showctl"]).stdout).into_owned();
        let oops = text.lines().rfind(|line| line.contains("lock/trigger"));
        assert_eq!(oops.is_some(), name != "well", "{name}: {text}");
        oops.unwrap_or_default().to_owned()
    };
    let late = "; new mail may wait for half an hour.";
    assert_eq!(end("missing"), format!("Oops! lock/trigger is missing{late}"));
    std::fs::write(&trigger, "").expect("a file");
    assert_eq!(end("file"), format!("Oops! lock/trigger is no fifo{late}"));
    std::fs::remove_file(&trigger).expect("a file");
    let chmod = |mode: u32| {
        std::fs::set_permissions(&trigger, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    unix::fifo::make(&trigger, 0o600).expect("a fifo");
    chmod(0o600);
    assert_eq!(end("closed"), format!("Oops! Not everybody can write to lock/trigger{late}"));
    chmod(0o622);
    end("well");
    std::fs::remove_file(&trigger).expect("a fifo");
}

#[test]
fn a_socket_that_nobody_serves_is_told() {
    let side = Side::ours();
    let text = || String::from_utf8_lossy(&side.run(["qmail-showctl"]).stdout).into_owned();
    assert!(!text().contains("run/queue"), "{}", text());
    let run = side.home().join("run");
    std::fs::create_dir(&run).expect("a directory");
    let run = unix::dir::Dir::base_at(&run).expect("a directory");
    let listener = unix::socket::listen_at(&run, "queue".as_ref(), 5).expect("a socket");
    assert!(!text().contains("run/queue"), "{}", text());
    drop(listener);
    let oops = "\nOops! Nobody serves run/queue; mail is slower until qmail-start is run again.\n";
    assert!(text().ends_with(oops), "{}", text());
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let side = Side::ours();
    std::fs::remove_dir(side.home().join("control")).expect("an empty directory");
    let run = side.run(["qmail-showctl"]);
    assert_eq!(run.exit, 111);
    assert!(run.stdout.ends_with(b".\nOops! Unable to chdir to control.\n"));
    let run = side.command(["qmail-showctl"]).env("QMAILHOME", "/nowhere/at/all").run();
    assert_eq!(run.exit, 111);
    assert!(run.stdout.ends_with(b".\nOops! Unable to chdir to /nowhere/at/all.\n"));
}
