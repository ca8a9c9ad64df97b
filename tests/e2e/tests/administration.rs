//! svc, svstat, logs: what an administrator does all day.

use std::fs;

use harness::{ADDRESS, Host, Smtp, until};

const MESSAGE: &str = "Subject: s\n\nbody\n";

#[test]
fn svc_does_what_its_letters_say() {
    let host = Host::start();
    host.logs("qmail", "status: local 0/"); // earlier the signal would end it without a word
    let first = host.service_pid("qmail");
    host.svc("-t", "qmail");
    assert!(until(|| host.service_pid("qmail") != first));
    host.logs("qmail", "status: exiting");

    host.svc("-d", "qmail");
    host.becomes("qmail", "down ");
    Smtp::connect(host.port()).deliver("a@b.example", ADDRESS, MESSAGE);
    host.svc("-u", "qmail");
    assert_eq!(host.receives(1).len(), 1);

    host.svc("-d", "smtpd");
    host.becomes("smtpd", "down ");
    host.svc("-o", "smtpd");
    host.becomes("smtpd", "up (pid ");
    host.svc("-k", "smtpd");
    host.becomes("smtpd", "down ");
    host.svc("-u", "smtpd");
    host.becomes("smtpd", "up (pid ");
    host.svc("-p", "smtpd");
    assert!(until(|| host.status("smtpd").ends_with(", paused")));
    host.svc("-c", "smtpd");
    assert!(until(|| !host.status("smtpd").ends_with(", paused")));
}

#[test]
fn a_hangup_makes_new_names_count() {
    let host = Host::start();
    fs::write(host.path("qmail/control/locals"), "daisychain.example\nnew.example\n")
        .expect("locals");
    host.rereads();
    host.write("qmail/control/smtproutes", ":127.0.0.1:1\n");
    host.sends(MESSAGE, &["you@new.example"]);
    assert_eq!(host.receives(1).len(), 1);
}

#[test]
fn a_service_directory_that_appears_is_picked_up_and_one_that_goes_is_left_running() {
    let host = Host::start();
    host.write("new/run", "#!/bin/sh\necho started >> ran\nexec sleep 1000\n");
    harness::executable(&host.path("new/run"));
    fs::rename(host.path("new"), host.path("service/new")).expect("a service");
    let running = host.service_pid("new");
    assert!(until(|| fs::read_to_string(host.path("service/new/ran")).is_ok()));
    fs::rename(host.path("service/new"), host.path("gone")).expect("a service");
    let gone = host.path("gone");
    let svc = |option: &str| {
        host.command([option_words(option), vec![gone.as_os_str().into()]].concat()).run()
    };
    let run = host.command(["svstat".as_ref(), gone.as_os_str()]).run();
    assert!(String::from_utf8_lossy(&run.stdout).contains(&running), "it runs on");
    assert_eq!(svc("-dx").exit, 0);
    let ok = || host.command(["svok".as_ref(), gone.as_os_str()]).run().exit;
    assert!(until(|| ok() == 100), "supervise has ended");
}

fn option_words(option: &str) -> Vec<std::ffi::OsString> {
    vec!["svc".into(), option.into()]
}

#[test]
fn a_service_that_dies_at_once_is_started_once_a_second() {
    let host = Host::start();
    // When the kernel made the process, in hundredths of a second, however late that came to run.
    let note = "read -r stat < /proc/$$/stat; set -- $stat; echo ${22} >> times";
    host.write("new/run", format!("#!/bin/sh\n{note}\nexit 1\n"));
    harness::executable(&host.path("new/run"));
    fs::rename(host.path("new"), host.path("service/new")).expect("a service");
    let times = || fs::read_to_string(host.path("service/new/times")).unwrap_or_default();
    assert!(until(|| times().lines().count() >= 4), "it is started again and again");
    let times: Vec<u64> = times().lines().filter_map(|line| line.parse().ok()).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] > 98, "{times:?}");
    }
}

#[test]
fn a_log_turns_over_under_load_and_loses_no_line() {
    let host = Host::start();
    host.write("log/run", "#!/bin/sh\nexec seq 1 20000\n");
    host.write("log/log/run", "#!/bin/sh\nexec multilog t s4096 n1000 ./main\n");
    host.write("log/down", "");
    harness::executable(&host.path("log/run"));
    harness::executable(&host.path("log/log/run"));
    fs::rename(host.path("log"), host.path("service/log")).expect("a service");
    host.becomes("log", "down ");
    host.svc("-o", "log");
    let lines = || {
        let main = host.path("service/log/log/main");
        let mut names: Vec<_> =
            fs::read_dir(main).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        names.retain(|path| {
            path.file_name()
                .is_some_and(|name| name == "current" || name.to_string_lossy().starts_with('@'))
        });
        names.sort(); // "@…" before "current", and by time
        let text: String =
            names.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect();
        text.lines()
            .filter_map(|line| line.split(' ').nth(1)?.parse::<u32>().ok())
            .collect::<Vec<_>>()
    };
    // In the middle of a turn-over a file may be seen twice, or not at all.
    let all: Vec<u32> = (1..=20_000).collect();
    assert!(until(|| lines() == all), "{} lines", lines().len());
}

#[test]
fn recordio_shows_the_dialogue() {
    let host = Host::start();
    let script = format!(
        "#!/bin/sh\nexec 2>&1\nexec env - PATH=\"$PATH\" QMAILHOME='{}' tcpserver -vHR -l x 127.0.0.1 {} recordio qmail-smtpd\n",
        host.path("qmail").display(),
        host.port()
    );
    host.run_script("smtpd", &script);
    Smtp::connect(host.port()).deliver("a@b.example", ADDRESS, MESSAGE);
    host.logs("smtpd", " > 220 daisychain.example ESMTP");
    host.logs("smtpd", " < MAIL FROM:<a@b.example>");
    let log = host.log("smtpd");
    let local = host.side().command(["tai64nlocal"]).stdin(&log).run();
    let shown = String::from_utf8_lossy(&local.stdout).into_owned();
    assert_eq!(shown.lines().count(), log.lines().count());
    assert!(shown.starts_with("20"), "{shown}");
}
