//! What goes wrong.

use std::fs::{self, File};

use harness::Side;
use unix::signal::Signal;

use super::daemon::Daemon;
use super::send;

#[test]
fn it_does_not_start_without_what_it_needs() {
    send("start-no-names", |daemon| {
        fs::remove_file(daemon.side.home().join("control/me")).unwrap();
        daemon.start(100);
        daemon.end()
    })
    .same();
    send("start-unreadable", |daemon| {
        fs::create_dir(daemon.side.home().join("control/concurrencyremote")).unwrap();
        daemon.start(100);
        let run = daemon.end();
        fs::remove_dir(daemon.side.home().join("control/concurrencyremote")).unwrap();
        run
    })
    .same();
    send("start-no-mutex", |daemon| {
        fs::remove_file(daemon.queue("lock/sendmutex")).unwrap();
        daemon.start(100);
        daemon.end()
    })
    .same();
    send("start-no-queue", |daemon| {
        let (queue, aside) = (daemon.queue(""), daemon.side.home().join("aside"));
        fs::rename(&queue, &aside).unwrap();
        daemon.start(100);
        daemon.logs("alert: cannot start: ");
        fs::rename(&aside, &queue).unwrap();
        daemon.end()
    })
    .same();
    send("start-running", |daemon| {
        let mutex = File::create(daemon.queue("lock/sendmutex")).unwrap();
        mutex.lock().unwrap();
        daemon.start(100);
        daemon.end()
    })
    .same();
    send("start-no-spawner", |daemon| {
        daemon.start_with(100, "queue", &[("from-remote", "/dev/null")]);
        daemon.end()
    })
    .same();
}

#[test]
fn it_waits_for_deliveries_before_it_leaves() {
    send("leave", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|Ty@remote.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("remote");
        daemon.signal(Signal::SIGTERM);
        daemon.report("remote", 0, "Znot yet\n");
        daemon.logs_last("status: local 1/10 remote 0/20 exitasap\n");
        daemon.put(31, "u7|p99|Fa@b|Tz@mail.test|");
        daemon.report("local", 0, "Kok\n");
        daemon.end()
    })
    .same();
}

#[test]
fn control_files_are_read_again() {
    send("reread", |daemon| {
        daemon.begin();
        let deliver = |id: u64, channel, other: Option<&str>| {
            daemon.put(id, "u7|p99|Fa@b|Tx@new.test|Ty@mail.test|");
            daemon.pull();
            daemon.clean();
            daemon.command(channel);
            daemon.command(other.unwrap_or(channel));
            daemon.report(channel, 0, "K");
            if let Some(other) = other {
                daemon.logs_last(&format!("success: \nstatus: {}\n", left(other)));
                daemon.report(other, 0, "K");
            } else {
                daemon.logs_last(&format!("success: \nstatus: {}\n", left(channel)));
                daemon.report(channel, 1, "K");
            }
            daemon.clean();
            daemon.logs_last(&format!("end msg {id}\n"));
        };
        deliver(30, "remote", Some("local"));
        daemon.side.control("locals", "new.test\n");
        reread(daemon, 40);
        deliver(31, "local", Some("remote"));
        fs::remove_file(daemon.side.home().join("control/locals")).unwrap();
        daemon.side.control("virtualdomains", "new.test:new\n");
        reread(daemon, 41);
        deliver(32, "local", None);
        fs::create_dir(daemon.side.home().join("control/locals")).unwrap();
        daemon.signal(Signal::SIGHUP);
        daemon.logs("alert: unable to reread control/locals\n");
        fs::remove_dir(daemon.side.home().join("control/locals")).unwrap();
        fs::remove_file(daemon.side.home().join("control/virtualdomains")).unwrap();
        fs::create_dir(daemon.side.home().join("control/virtualdomains")).unwrap();
        daemon.signal(Signal::SIGHUP);
        daemon.logs("alert: unable to reread control/virtualdomains\n");
        fs::remove_dir(daemon.side.home().join("control/virtualdomains")).unwrap();
        deliver(33, "local", None);
        daemon.leave()
    })
    .same();
}

/// The load while one delivery on `channel` is under way.
fn left(channel: &str) -> &'static str {
    if channel == "local" { "local 1/10 remote 0/20" } else { "local 0/10 remote 1/20" }
}

/// Tells it to read the control files again, and waits until it must have: it takes signals before
/// anything else, and another message shows that it has gone on.
fn reread(daemon: &Daemon<'_>, id: u64) {
    daemon.signal(Signal::SIGHUP);
    daemon.put(id, "u7|p99|Fa@b|");
    daemon.pull();
    daemon.clean();
    daemon.clean();
    daemon.logs_last(&format!("end msg {id}\n"));
}

#[test]
fn reports_that_make_no_sense() {
    send("reports", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|Ty@mail.test|Tz@mail.test|Tw@mail.test|");
        daemon.pull();
        daemon.clean();
        (0..4).for_each(|_| drop(daemon.command("local")));
        daemon.report("local", 9, "Kok\n");
        daemon.report("local", 200, "Kok\n");
        daemon.logs_last("out of range\nwarning: internal error: delivery report out of range\n");
        daemon.report("remote", 0, "Kok\n");
        daemon.logs_last(&"warning: internal error: delivery report out of range\n".repeat(3));
        daemon.report("local", 0, "what?\n");
        daemon.logs_last("mangled, will defer\nstatus: local 3/10 remote 0/20\n");
        daemon.report("local", 0, "Kok\n");
        daemon.report("local", 1, "");
        daemon.logs_last("mangled, will defer\nstatus: local 2/10 remote 0/20\n");
        daemon.report("local", 2, &format!("K{}", "0123456789".repeat(1200)));
        daemon.logs_last("\nstatus: local 1/10 remote 0/20\n");
        daemon.report("local", 3, &format!("D{}", "0123456789".repeat(1200)));
        daemon.logs_last("\nstatus: local 0/10 remote 0/20\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn a_spawner_that_ends() {
    send("lost-spawner", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|Ty@remote.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("remote");
        daemon.hang_up("from-remote");
        daemon.logs_last("dying...\n");
        daemon.report("local", 0, "Kok\n");
        daemon.end()
    })
    .same();
}

#[test]
fn a_cleaner_that_ends() {
    send("lost-cleaner", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
        daemon.pull();
        daemon.hear("to-clean", 1);
        daemon.hang_up("from-clean");
        daemon.end()
    })
    .same();
}

#[test]
fn a_cleaner_that_cannot() {
    send("cleaner", |daemon| {
        daemon.begin();
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
        daemon.pull();
        daemon.clean_as(b"!");
        daemon.logs_last("warning: qmail-clean unable to clean up todo/30\n");
        daemon.note_queue();
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.report("local", 0, "Kok\n");
        daemon.clean_as(b"!");
        daemon.logs_last("warning: qmail-clean unable to clean up foop/30\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn files_that_are_not_what_they_should_be() {
    send("torn", |daemon| {
        daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|?|");
        daemon.file("info/8/31", "nonsense|");
        daemon.file("local/8/31", "Tx@mail.test|");
        daemon.begin();
        daemon.logs("warning: unknown record type in local/7/30!\n");
        daemon.command("local");
        daemon.report("local", 0, "Kok\n");
        daemon.logs("warning: trouble opening info/8/31; will try again later\n");
        daemon.logs("delivery 1: success: ok/\n");
        daemon.leave()
    })
    .normalised(sorted)
    .same_exit()
    .same_stdout()
    .same_stderr();
    send("todo", |daemon| {
        daemon.put(30, "u7|p99|Fa@b|?|Tx@mail.test|");
        daemon.begin();
        daemon.logs_last("warning: unknown record type in todo/30\n");
        daemon.file("todo/31", "u7|p99|Fa@b|Tx@mail.test|");
        fs::remove_file(daemon.queue("todo/30")).unwrap();
        daemon.pull();
        daemon.logs_last("warning: unable to stat mess/8/31\n");
        daemon.leave()
    })
    .same_exit()
    .same_stderr();
}

/// The lines in order: two messages that begin together have none.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.split_inclusive("\\n").collect();
    lines.sort_unstable();
    lines.concat()
}

#[test]
fn preprocessing_that_was_broken_off_is_done_again() {
    send("half", |daemon| {
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|");
        daemon.file("info/7/30", "Fa@");
        daemon.file("remote/7/30", "Told@remote.test|");
        daemon.begin();
        daemon.clean();
        daemon.command("local");
        daemon.note_queue();
        daemon.report("local", 0, "Kok\n");
        daemon.clean();
        daemon.leave()
    })
    .same();
}

#[test]
fn no_more_deliveries_than_all_agree_on() {
    send("concurrency", |daemon| {
        daemon.side.control("concurrencylocal", "2\n");
        daemon.start(5);
        daemon.logs("status: local 0/2 remote 0/5\n");
        daemon.put(30, "u7|p99|Fa@b|Tx@mail.test|Ty@mail.test|Tz@mail.test|");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.command("local");
        daemon.report("local", 1, "Znot yet\n");
        daemon.command("local");
        daemon.report("local", 1, "Kok\n");
        daemon.logs_last("\nstatus: local 1/2 remote 0/5\n");
        daemon.report("local", 0, "Kok\n");
        daemon.logs_last("\nstatus: local 0/2 remote 0/5\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn a_channel_may_be_held() {
    send("held", |daemon| {
        daemon.side.control("concurrencyremote", "0\n");
        daemon.start(100);
        daemon.put(30, "u7|p99|Fa@b|Tx@remote.test|Ty@mail.test|");
        daemon.logs("status: local 0/10 remote 0/0\n");
        daemon.pull();
        daemon.clean();
        daemon.command("local");
        daemon.report("local", 0, "Kok\n");
        daemon.logs_last("\nstatus: local 0/10 remote 0/0\n");
        daemon.leave()
    })
    .same();
}

#[test]
fn what_nobody_needs_is_swept() {
    send("sweep", |daemon| {
        for id in [30, 31] {
            daemon.file(&format!("mess/{}/{id}", id % 23), "x");
        }
        daemon.put_preprocessed(32, 0, "a@b", "local", "Dx@mail.test|");
        daemon.age("mess/7/30", 200_000);
        daemon.age("mess/9/32", 200_000);
        daemon.begin();
        daemon.clean();
        daemon.clean();
        daemon.leave()
    })
    .normalised(sorted)
    .same();
}

#[test]
fn a_bounce_that_cannot_be_queued_waits() {
    for (name, program) in [("bounce-refused", "refuse"), ("bounce-no-queue", "missing")] {
        send(name, |daemon| {
            daemon.side.script("refuse", "#!/bin/sh\ncat >/dev/null; exit 53\n");
            daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|");
            daemon.start_with(100, program, &[]);
            daemon.command("local");
            daemon.report("local", 0, "Dno\n");
            daemon.logs_last("warning: trouble injecting bounce message, will try later\n");
            daemon.leave()
        })
        .same();
    }
}

#[test]
fn a_bounce_s_queue_program_has_no_pipe_of_ours() {
    let side = Side::ours();
    let mut daemon = Daemon::new(&side);
    side.script(
        "show",
        "#!/bin/sh\ncat >/dev/null; cat <&1 >/dev/null; readlink /proc/$$/fd/* > ${0%/*}/open; exit 0\n",
    );
    daemon.put_preprocessed(30, 10, "a@b", "local", "Tx@mail.test|");
    daemon.start_with(100, "show", &[]);
    daemon.command("local");
    daemon.report("local", 0, "Dno\n");
    daemon.clean();
    assert_eq!(daemon.leave().exit, 0);
    let open = String::from_utf8(side.read("open")).unwrap();
    assert!(open.contains("pipe:"), "{open}");
    for fifo in ["to-local", "from-local", "to-remote", "from-remote", "to-clean", "from-clean"] {
        assert!(!open.contains(fifo), "{open}");
    }
}
