//! start, finish, stop, notify.

use harness::{Side, becomes, until};
use unix::signal::Signal;

use crate::services::{
    SLEEPER, comes_up, holds, service, shows, state, states, status, supervise, supervised, svc,
};

/// Makes a script of `sv` that writes its name and arguments into `sv/log`, and goes on with `rest`.
fn script(side: &Side, name: &str, rest: &str) {
    side.script(&format!("sv/{name}"), &format!("#!/bin/sh\necho {name} $* >> log\n{rest}"));
}

#[test]
fn each_script_has_its_place() {
    let side = Side::ours();
    for name in ["start", "finish", "stop"] {
        script(&side, name, "");
    }
    // Whether it is bad is settled before it says that it runs.
    let run = "#!/bin/sh\nrm bad; is_good=$?; echo run >> log\n\
               [ $is_good = 1 ] || exit 3; exec sleep 600\n";
    side.script("sv/run", run);
    let mut supervise = supervise(&side, "sv");
    holds(&side, "sv/log", "start\nrun\n");
    // It has not found the file, nor will it.
    let comm = format!("/proc/{}/comm", comes_up(&side, "sv", 0));
    becomes(|| std::fs::read_to_string(&comm).unwrap_or_default(), "sleep\n");
    side.write("sv/bad", "");
    svc(&side, "-k", "sv");
    // It is over in no time, and started again a second later.
    holds(&side, "sv/log", "finish 3 0\nrun\n");
    svc(&side, "-d", "sv");
    holds(&side, "sv/log", "stop\n");
    svc(&side, "-u", "sv");
    comes_up(&side, "sv", 0);
    holds(&side, "sv/log", "stop\nstart\nrun\n");
    svc(&side, "-dx", "sv");
    assert_eq!(supervise.ends(), 0);
    let expected = "\
start
run
finish -1 9
run
finish 3 0
run
finish -1 15
stop
start
run
finish -1 15
stop
";
    assert_eq!(String::from_utf8(side.read("sv/log")).unwrap(), expected);
}

#[test]
fn a_start_that_fails_gives_the_service_up() {
    let side = Side::ours();
    script(&side, "start", "[ -e good ]\n");
    script(&side, "run", SLEEPER);
    script(&side, "stop", "");
    side.keep(supervise(&side, "sv"));
    states(&side, "sv", "failed\n");
    shows(&side, "sv", "sv: down S seconds, normally up\n");
    assert_eq!((status(&side, "sv"), side.read("sv/log")), ((0, 0, b'd'), b"start\n".to_vec()));
    side.write("sv/good", "");
    svc(&side, "-u", "sv");
    comes_up(&side, "sv", 0);
    holds(&side, "sv/log", "start\nstart\nrun\n");
    assert_eq!(state(&side, "sv"), "");
}

#[test]
fn a_finish_that_exits_125_gives_the_service_up() {
    let side = Side::ours();
    script(&side, "run", "exit 7\n");
    script(&side, "finish", "exit 125\n");
    side.keep(supervise(&side, "sv"));
    states(&side, "sv", "failed\n");
    shows(&side, "sv", "sv: down S seconds, normally up\n");
    assert_eq!(
        (status(&side, "sv"), state(&side, "sv")),
        ((0, 0, b'd'), "exit 7\nfailed\n".into())
    );
    assert_eq!(side.read("sv/log"), b"run\nfinish 7 0\n");
}

#[test]
fn a_finish_that_takes_its_time_is_waited_for_and_told_and_can_be_ended() {
    let side = Side::ours();
    script(&side, "run", "exec sleep 600\n");
    script(&side, "finish", "exec sleep 600\n");
    side.keep(supervise(&side, "sv"));
    let old = comes_up(&side, "sv", 0);
    svc(&side, "-t", "sv");
    states(&side, "sv", "finishing ");
    let told = state(&side, "sv");
    let finish = told.lines().last().unwrap().strip_prefix("finishing ").unwrap();
    assert!(crate::services::process(finish.parse().unwrap()).is_some(), "{told}");
    shows(&side, "sv", "sv: down S seconds, normally up, want up\n");
    svc(&side, "-k", "sv");
    comes_up(&side, "sv", old);
    assert_eq!(state(&side, "sv"), "signal 15\n");
}

#[test]
fn notify_hears_of_everything() {
    let side = Side::ours();
    side.script("sv/notify", "#!/bin/sh\necho \"$*\" >> heard\n");
    script(&side, "start", "");
    script(&side, "run", "exec sleep 600\n");
    script(&side, "stop", "exit 4\n");
    supervised_as_is(&side);
    let pid = comes_up(&side, "sv", 0);
    svc(&side, "-d", "sv");
    let heard = || String::from_utf8(side.read("sv/heard")).unwrap();
    assert!(until(|| heard().lines().count() == 6), "{}", heard());
    let mut lines: Vec<String> = heard().lines().map(str::to_owned).collect();
    // They run at the same time, and may write in any order.
    lines.sort();
    let expected = [
        "run killed PID 15",
        "run start PID 0",
        "start exit",
        "start start",
        "stop exit",
        "stop start",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&expected.replace("PID", &pid.to_string())), "{lines:?}");
    }
    assert!(lines[4].ends_with(" 4") && lines[2].ends_with(" 0"), "{lines:?}");
}

fn supervised_as_is(side: &Side) {
    side.keep(supervise(side, "sv"));
}

#[test]
fn a_script_that_is_not_executable_is_none() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    for name in ["start", "finish", "stop", "check", "notify"] {
        side.write(&format!("sv/{name}"), "#!/bin/sh\necho x >> log\n");
    }
    let mut supervise = supervise(&side, "sv");
    comes_up(&side, "sv", 0);
    assert_eq!(state(&side, "sv"), "");
    supervise.signal(Signal::SIGTERM);
    assert_eq!((supervise.ends(), supervise.stderr()), (0, Vec::new()));
    assert_eq!(side.read("sv/log"), b"");
}

#[test]
fn a_service_without_run_is_started_and_stopped() {
    let side = Side::ours();
    script(&side, "start", "");
    script(&side, "stop", "");
    let mut supervise = supervise(&side, "sv");
    states(&side, "sv", "started\n");
    assert_eq!(supervise.stderr(), b"");
    svc(&side, "-dx", "sv");
    assert_eq!(supervise.ends(), 0);
    assert_eq!(
        (side.read("sv/log"), state(&side, "sv")),
        (b"start\nstop\n".to_vec(), String::new())
    );
}

#[test]
fn what_cannot_be_run_is_told() {
    let side = Side::ours();
    supervised(&side, "sv", SLEEPER);
    let pid = comes_up(&side, "sv", 0);
    let bad = "#!/nonexistent\n";
    side.script("sv/finish", bad);
    svc(&side, "-t", "sv");
    comes_up(&side, "sv", pid);
    side.script("other/run", "#!/bin/sh\nexec sleep 600\n");
    side.script("other/stop", bad);
    let mut supervise = supervise(&side, "other");
    comes_up(&side, "other", 0);
    svc(&side, "-dx", "other");
    assert_eq!(supervise.ends(), 0);
    supervise.hears("supervise: fatal: unable to start other/stop: file does not exist\n");
}
