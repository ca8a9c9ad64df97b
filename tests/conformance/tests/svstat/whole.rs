//! What svstat tells of a service is of one instant, although it stands in two files.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Side, until};

/// Puts a file in place as a whole.
fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let new = dir.join(format!("{name}.new"));
    fs::write(&new, bytes).unwrap();
    fs::rename(new, dir.join(name)).unwrap();
}

/// As a supervise does: at the second `number` its service, the process of that number, was started,
/// because one had ended with that exit code. False if it was held up between the two files.
fn restart(dir: &Path, number: u8) -> bool {
    let seconds = (1_u64 << 62) + 10 + u64::from(number);
    let label = format!("@{seconds:016x}00000000");
    let before = Instant::now();
    put(dir, "state", format!("{label} exit {number}\n{label} up {number}\n").as_bytes());
    let process = [number, 0, 0, 0, 0, b'u'];
    put(dir, "status", &[&seconds.to_be_bytes()[..], &[0; 4], &process].concat());
    before.elapsed() < Duration::from_millis(20)
}

/// A service whose supervise is this test.
fn pretended(side: &Side) -> fs::File {
    side.directory("sv/supervise");
    let fifo = side.path().join("sv/supervise/ok");
    assert_eq!(side.run(["mkfifo", "sv/supervise/ok"]).exit, 0);
    OpenOptions::new().read(true).write(true).open(fifo).unwrap()
}

/// What a line has behind a name, up to the next.
fn after<'a>(line: &'a str, name: &str) -> &'a str {
    line.split(name).nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default()
}

/// Whether a line tells the time, the process and the exit code of one start.
fn is_whole(line: &str) -> bool {
    let number = after(line, "\"pid\":");
    let since = format!("\"since\":{number}.000000,");
    let last =
        format!("\"last_exit\":{{\"code\":{number},\"signal\":null,\"at\":{number}.000000}}");
    line.contains(&since) && line.contains(&last)
}

#[test]
fn each_line_is_of_one_instant() {
    let side = Side::ours();
    let dir = side.path().join("sv/supervise");
    let _ok = pretended(&side);
    restart(&dir, 1);
    let follower = side.command(["svstat", "-jf", "sv"]).start_in_background();
    let said = || String::from_utf8(follower.stdout()).unwrap();
    // Svstat waits for the second file, but not for long.
    let mut late = BTreeSet::new();
    // Each turn begins with a clock that was set back, and ends otherwise than the one before.
    for last in 241..=250 {
        for number in 1..=last {
            if !restart(&dir, number) {
                late.insert(number.to_string());
            }
        }
        let pid = format!("\"pid\":{last},");
        let is_shown = || {
            let said = said();
            said.ends_with("}\n") && said.lines().last().is_some_and(|line| line.contains(&pid))
        };
        assert!(until(is_shown), "{pid}: {}", said());
        let is_late = |line: &str| late.contains(after(line, "\"code\":"));
        assert!(said().lines().all(|line| is_whole(line) || is_late(line)), "{}", said());
    }
    side.keep(follower);
}

#[test]
fn a_state_whose_status_never_comes_is_shown_all_the_same() {
    let side = Side::ours();
    let dir = side.path().join("sv/supervise");
    let _ok = pretended(&side);
    restart(&dir, 2);
    let state = fs::read(dir.join("state")).unwrap();
    restart(&dir, 1);
    put(&dir, "state", &state);
    let run = side.run(["svstat", "-j", "sv"]);
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.contains("\"pid\":1,") && said.contains("\"code\":2,"), "{said}");
}
