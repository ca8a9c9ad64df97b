//! Services with a log.

use harness::{Side, becomes, until};

use crate::services::{comes_up, holds, is_supervised, service, shows, svc};
use crate::{sides, svscan};

/// Writes the numbers behind the one in `next`, a hundred in each of its lives, up to 2000; then stays.
const COUNTER: &str = "\
read -r next < next
if [ $next -gt 2000 ]; then exec sleep 600; fi
end=$((next + 100))
while [ $next -lt $end ]; do echo $next; next=$((next + 1)); done
echo $next > next
";

fn counting(side: &Side) {
    service(side, "services/sv", COUNTER);
    side.write("services/sv/next", "1\n");
    service(side, "services/sv/log", "exec multilog s16000000 ./main\n");
}

fn numbers(side: &Side) -> Vec<u32> {
    let text = side.read("services/sv/log/main/current");
    String::from_utf8(text).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn nothing_is_lost_while_either_side_is_started_again() {
    for side in sides() {
        counting(&side);
        side.keep(svscan(&side));
        let old = comes_up(&side, "services/sv/log", 0);
        holds(&side, "services/sv/log/main/current", "\n100\n");
        svc(&side, "-t", "services/sv/log");
        let old = comes_up(&side, "services/sv/log", old);
        holds(&side, "services/sv/log/main/current", "\n300\n");
        svc(&side, "-t", "services/sv/log");
        comes_up(&side, "services/sv/log", old);
        holds(&side, "services/sv/log/main/current", "\n500\n");
        let all: Vec<u32> = (1..=500).collect();
        assert_eq!(&numbers(&side)[..500], all);
    }
}

#[test]
fn nothing_is_lost_while_the_supervise_of_a_log_is_away() {
    for side in sides() {
        counting(&side);
        side.write("services/sv/next", "1601\n");
        side.keep(svscan(&side));
        holds(&side, "services/sv/log/main/current", "\n1700\n");
        let log = comes_up(&side, "services/sv/log", 0);
        let (_, supervise, ..) = crate::services::process(log).unwrap();
        svc(&side, "-dx", "services/sv/log");
        assert!(until(|| crate::services::process(supervise).is_none()));
        // Meanwhile the service writes into the pipe.
        holds(&side, "services/sv/next", "2001\n");
        holds(&side, "services/sv/log/main/current", "\n2000\n");
        let all: Vec<u32> = (1601..=2000).collect();
        assert_eq!(numbers(&side), all);
    }
}

#[test]
fn only_standard_output_goes_to_the_log() {
    for side in sides() {
        let run = "echo out; echo err >&2; exec sleep 600\n";
        service(&side, "services/sv", run);
        service(&side, "services/sv/log", "exec cat > said\n");
        let svscan = svscan(&side);
        holds(&side, "services/sv/log/said", "out\n");
        svscan.hears("err\n");
        side.keep(svscan);
    }
}

#[test]
fn a_log_that_is_no_service_is_supervised_all_the_same() {
    for side in sides() {
        service(&side, "services/sv", "exec sleep 600\n");
        side.write("services/sv/log", "");
        let svscan = svscan(&side);
        svscan.hears("supervise: fatal: unable to chdir to log: not a directory\n");
        comes_up(&side, "services/sv", 0);
        side.keep(svscan);
    }
}

#[test]
fn a_service_goes_on_when_nobody_hears_errors() {
    let side = Side::ours();
    side.directory("services");
    service(&side, "sv", "exec sleep 600\n");
    let nobody = ["sh", "-c", "svscan services 2>&1 | true"];
    side.keep(side.command(nobody).start_in_background());
    let link = |target, name| {
        let place = side.path().join("services").join(name);
        std::os::unix::fs::symlink(target, place).unwrap();
    };
    link("nowhere", "dangling");
    link("../sv", "sv");
    let old = comes_up(&side, "sv", 0);
    // Its supervise, too, has something to complain about.
    let run = side.path().join("sv/run");
    std::fs::rename(&run, side.path().join("sv/away")).unwrap();
    svc(&side, "-t", "sv");
    shows(&side, "sv", "down S seconds, normally up, want up\n");
    std::fs::rename(side.path().join("sv/away"), &run).unwrap();
    comes_up(&side, "sv", old);
}

#[test]
fn a_log_that_is_added_to_a_running_service_is_taken_up() {
    let side = Side::ours();
    service(&side, "services/sv", "echo up $$; exec sleep 600\n");
    let mut svscan = svscan(&side);
    let first = comes_up(&side, "services/sv", 0);
    service(&side, "services/sv/log", "exec cat >> said\n");
    let log = comes_up(&side, "services/sv/log", 0);
    // The running service is left alone.
    assert_eq!(comes_up(&side, "services/sv", 0), first);
    becomes(|| svscan.stdout(), format!("up {first}\n").into_bytes());
    // By now its supervise knows of the pipe.
    assert!(until(|| !side.path().join("services/sv/supervise/output").exists()));
    svc(&side, "-tWr", "services/sv");
    let second = comes_up(&side, "services/sv", first);
    holds(&side, "services/sv/log/said", &format!("up {second}\n"));
    // It stays so if its supervise is started again.
    let (_, supervise, ..) = crate::services::process(second).unwrap();
    let supervise = unix::Pid::from_raw(i32::try_from(supervise).unwrap());
    unix::signal::send(supervise, unix::signal::Signal::SIGKILL).unwrap();
    svscan.hears("supervise: info: taking over sv, which was left running\n");
    is_supervised(&side, "services/sv");
    svc(&side, "-tWr", "services/sv");
    let third = comes_up(&side, "services/sv", second);
    holds(&side, "services/sv/log/said", &format!("up {second}\nup {third}\n"));
    assert_eq!(comes_up(&side, "services/sv/log", 0), log);
    assert!(!side.path().join("services/sv/supervise/output").exists());
    // And its end is that of any other.
    svscan.signal(unix::signal::Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
    assert_eq!(svscan.stdout(), format!("up {first}\n").into_bytes());
}
