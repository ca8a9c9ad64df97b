//! The table, the objects, and following.

use harness::{Side, until};

use crate::services::{
    SLEEPER, comes_up, service, states, supervise, supervised, svc, without_numbers,
};

fn said(side: &Side, words: &[&str]) -> (i32, String) {
    let run = side.run(words);
    assert_eq!(run.stderr, b"");
    (run.exit, String::from_utf8(run.stdout).unwrap())
}

#[test]
fn a_table_is_for_people() {
    let side = Side::ours();
    service(&side, "down", SLEEPER);
    side.write("down/down", "");
    side.keep(supervise(&side, "down"));
    supervised(&side, "a-long-name", "exec sleep 600\n");
    let pid = comes_up(&side, "a-long-name", 0);
    let (exit, table) = said(&side, &["svstat", "-t", "down", "a-long-name", "never"]);
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(exit, 111); // as without -t: the directory cannot be entered
    assert_eq!(lines[0].join(" "), "service state pid for ready last exit memory");
    assert_eq!(lines[1][..3], ["down", "down", "-"]);
    assert_eq!(lines[1][4..], ["-", "-", "-"]);
    assert_eq!(lines[2][..3], ["a-long-name", "up", &pid.to_string()]);
    assert!(lines[2][6].ends_with('K') || lines[2][6].ends_with('M'), "{table}");
    assert_eq!(lines[3].join(" "), "never unable to chdir: file does not exist");
    // It is no terminal.
    assert!(!table.contains('\x1b'));
}

#[test]
fn a_terminal_shows_the_table_in_colours_unless_it_shall_not() {
    let side = Side::ours();
    supervised(&side, "sv", SLEEPER);
    comes_up(&side, "sv", 0);
    let program = side.programs().join("svstat");
    let terminal = |variables: &str| {
        let command = format!("{variables} {} -t sv", program.display());
        let run = side.run(["script", "-qec", &command, "/dev/null"]);
        String::from_utf8(run.stdout).unwrap()
    };
    if side.run(["script", "-V"]).exit != 0 {
        harness::skipped_for("no script(1) here");
        return;
    }
    assert!(terminal("TERM=xterm").contains("\x1b[32mup\x1b[0m"), "{}", terminal("TERM=xterm"));
    for variables in ["TERM=xterm NO_COLOR=1", "TERM=dumb"] {
        assert!(!terminal(variables).contains('\x1b'), "{variables}");
    }
}

#[test]
fn objects_are_for_machines() {
    let side = Side::ours();
    side.write("sv/notification-fd", "3");
    // While a process executes another program it has no memory to speak of.
    supervised(&side, "sv", "echo >&3; while :; do sleep 600; done\n");
    let old = comes_up(&side, "sv", 0);
    states(&side, "sv", &format!("ready {old}\n"));
    svc(&side, "-kWR", "sv");
    let pid = comes_up(&side, "sv", old);
    let (exit, text) = said(&side, &["svstat", "-j", "sv", "never"]);
    assert_eq!((exit, text.lines().count()), (111, 2));
    let script = "\
import json, sys
up, never = [json.loads(line) for line in sys.stdin]
assert never == {'service': 'never', 'supervised': False,
    'error': 'unable to chdir: file does not exist'}, never
assert up['service'] == 'sv' and up['supervised'] and up['state'] == 'up', up
assert up['ready'] is True and up['since'] <= up['ready_since'] <= up['now'], up
assert up['last_exit']['signal'] == 9 and up['last_exit']['code'] is None, up
assert up['memory'] > 100000 and up['next_start'] is None, up
print(up['pid'])
";
    let Some(mut python) = harness::client("python3", ["-c", script]) else { return };
    side.write("objects", text);
    python.stdin(std::fs::File::open(side.path().join("objects")).unwrap());
    let python = harness::output(&mut python).unwrap();
    let said = String::from_utf8_lossy(&python.stderr).into_owned();
    assert_eq!(String::from_utf8(python.stdout).unwrap(), format!("{pid}\n"), "{said}");
    assert!(python.status.success(), "{said}");
}

#[test]
fn what_changes_is_told_at_once() {
    let side = Side::ours();
    service(&side, "sv", SLEEPER);
    service(&side, "other", SLEEPER);
    side.write("other/down", "");
    let follower = side.command(["svstat", "-f", "sv", "other"]).start_in_background();
    follower.says("other: unable to open supervise/ok: file does not exist\n");
    let mut supervise_sv = supervise(&side, "sv");
    follower.says("sv: up (pid ");
    side.keep(supervise(&side, "other"));
    follower.says("other: down ");
    let old = comes_up(&side, "sv", 0);
    svc(&side, "-t", "sv");
    let new = comes_up(&side, "sv", old);
    follower.says(&format!("sv: up (pid {new}) "));
    svc(&side, "-d", "sv");
    let said = || String::from_utf8_lossy(&follower.stdout()).into_owned();
    let is_down = || without_numbers(&said()).contains("sv: down S seconds, normally up\n");
    assert!(until(is_down), "{}", said());
    svc(&side, "-x", "sv");
    assert_eq!(supervise_sv.ends(), 0);
    // It may have said so at the beginning, too, before the supervise was listening.
    assert!(until(|| said().ends_with("sv: supervise not running\n")), "{}", said());
    let before = follower.stdout().len();
    // Where nothing changes, nothing is said; then there is news of the other.
    svc(&side, "-p", "other");
    svc(&side, "-u", "other");
    assert!(until(|| follower.stdout().len() > before));
    let news = String::from_utf8(follower.stdout()[before..].to_vec()).unwrap();
    assert!(news.starts_with("other: up (pid "), "{news}");
    side.keep(follower);
}

#[test]
fn a_follower_may_show_rows_or_objects() {
    let side = Side::ours();
    supervised(&side, "sv", SLEEPER);
    comes_up(&side, "sv", 0);
    for (option, first) in [("-ft", "service  state"), ("-fj", "{\"service\":\"sv\"")] {
        let follower = side.command(["svstat", option, "sv"]).start_in_background();
        follower.says(first);
        svc(&side, "-dWd", "sv");
        follower.says("down");
        svc(&side, "-uWu", "sv");
        let heads = String::from_utf8(follower.stdout()).unwrap().matches("state  ").count();
        assert!(heads <= 1);
        side.keep(follower);
    }
}
