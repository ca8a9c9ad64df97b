//! svscan beside the original.

#[path = "svscan/directory.rs"]
mod directory;
#[path = "svscan/hostile.rs"]
mod hostile;
#[path = "svscan/idle.rs"]
mod idle;
#[path = "svscan/log.rs"]
mod log;
#[path = "svscan/many.rs"]
mod many;
#[path = "svscan/process_one.rs"]
mod process_one;
#[path = "svscan/stop.rs"]
mod stop;
#[path = "svscan/user.rs"]
mod user;

mod services;

use harness::{Background, Command, Run, Side};

/// Starts a svscan in the directory `services`.
fn svscan(side: &Side) -> Background {
    side.directory("services");
    side.command(["svscan", "services"]).start_in_background()
}

/// The first that it has said: it goes on saying so as long as it is not ended.
fn first_line(svscan: &Background) -> Run {
    let said = svscan.stderr();
    let first = said.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
    Run { stdout: Vec::new(), stderr: first.to_vec(), exit: 0 }
}

/// Both sides, where there is an original.
fn sides() -> impl Iterator<Item = Side> {
    let original = Side::debian();
    if original.is_none() {
        harness::skipped("the originals ($DAISYCHAIN_ORIGINALS)");
    }
    [Some(Side::ours()), original].into_iter().flatten()
}

/// A program run by an ordinary user, who finds this side's programs.
fn by_user<'a>(side: &'a Side, words: &[&str]) -> Command<'a> {
    for name in ["svscan", "supervise", "svc", "svok", "svstat", "multilog", "softlimit"] {
        let _ = side.program(name); // where that user can reach it
    }
    let programs = side.program("supervise");
    let folder = programs.parent().unwrap().to_str().unwrap();
    side.command(words).env("PATH", format!("{folder}:/usr/bin:/bin")).as_user()
}
