//! svscanboot, in a view of the file system in which our programs lie where it looks for them.
//!
//! Not beside the original, which Debian has tied to /etc/service.

mod services;

use std::path::Path;

use harness::{Background, Side, skipped_for, until};
use services::{SLEEPER, comes_up, holds, process, service, status, supervise};
use unix::signal::Signal;

/// Starts svscanboot in the directory `services`, with the program that is to hear errors; `None` where there
/// are no mount namespaces.
fn boot(side: &Side, program: &[&str]) -> Option<Background> {
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    if side.run([&unshare[..], &["true"]].concat()).exit != 0 {
        skipped_for("user and mount namespaces (unshare)");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../daemontools/scripts/svscanboot");
    let see = "for place in /command /usr/local/bin; do \
               [ ! -d $place ] || mount --bind \"$0\" $place || exit; done; exec \"$@\"";
    let programs = side.programs().to_str().unwrap();
    let words = ["sh", "-c", see, programs, script.to_str().unwrap(), "services"];
    let command = side.command([&unshare[..], &words, program].concat());
    Some(command.env("VARIABLE", "value").start_in_background())
}

/// What ps shows of the readproctitle below a svscan.
fn title(svscan: u32) -> String {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids.filter(|&pid| process(pid).is_some_and(|(_, parent, ..)| parent == svscan));
    let lines = children.filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.find(|line| line.starts_with("readproctitle ")).unwrap_or_default()
}

#[test]
fn services_start_in_a_clean_environment_and_errors_are_shown() {
    let side = Side::ours();
    let run = "env > env; readlink /proc/$$/fd/0 > stdin; echo out; echo err >&2; exec sleep 600\n";
    service(&side, "services/sv", run);
    let Some(mut svscan) = boot(&side, &[]) else { return };
    comes_up(&side, "services/sv", 0);
    holds(&side, "services/sv/stdin", "/dev/null\n");
    let env = String::from_utf8(side.read("services/sv/env")).unwrap();
    let names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(
        names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)),
        "{env}"
    );
    assert!(env.contains("PATH=/command:/usr/local/bin:/usr/local/sbin:/bin:"), "{env}");

    let is_shown = || title(svscan.pid()).contains("out\nerr\n");
    assert!(until(is_shown), "{}", title(svscan.pid()));
    assert!(title(svscan.pid()).starts_with("readproctitle service errors: ........"));
    assert_eq!((svscan.stdout(), svscan.stderr()), (Vec::new(), Vec::new()));

    svscan.signal(Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
    assert_eq!(status(&side, "services/sv"), (0, 0, b'd'));
}

#[test]
fn what_an_earlier_svscan_has_left_behind_is_ended() {
    let side = Side::ours();
    service(&side, "services/sv", SLEEPER);
    service(&side, "services/sv/log", "exec cat\n");
    let mut earlier = [supervise(&side, "services/sv"), supervise(&side, "services/sv/log")];
    let old = comes_up(&side, "services/sv", 0);
    let Some(svscan) = boot(&side, &[]) else { return };
    assert_eq!([earlier[0].ends(), earlier[1].ends()], [0, 0]);
    comes_up(&side, "services/sv", old);
    side.keep(svscan);
}

#[test]
fn errors_can_be_logged_with_their_times() {
    let side = Side::ours();
    service(&side, "services/sv", "echo complaint >&2; exec sleep 600\n");
    let Some(mut svscan) = boot(&side, &["multilog", "t", "./.errors"]) else { return };
    comes_up(&side, "services/sv", 0);
    holds(&side, "services/.errors/current", " complaint\n");
    assert!(side.read("services/.errors/current").starts_with(b"@4"));
    svscan.signal(Signal::SIGTERM);
    assert_eq!(svscan.ends(), 0);
}
