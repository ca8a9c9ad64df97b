//! What the commands do to a real service, and when it is started again.

use std::time::{Duration, Instant};

use harness::{Side, quickly, until};

use crate::services::{
    SLEEPER, Story, TALKER, comes_up, holds, same_story, service, shows, status, supervise,
    supervised, svc,
};

/// Waits until the status is `(running, paused, want)`, and notes it.
fn becomes(side: &Side, story: &mut Story, expected: (bool, u8, u8)) {
    let found = || {
        let (pid, paused, want) = status(side, "sv");
        (pid != 0, paused, want)
    };
    assert!(until(|| found() == expected), "{:?}, not {expected:?}", found());
    story.svstat(side, "sv");
}

#[test]
fn signals_reach_a_service_that_is_up() {
    same_story(|side, story| {
        supervised(side, "sv", TALKER);
        holds(side, "sv/log", "up\n");
        for (option, heard) in [("-h", "HUP\n"), ("-a", "ALRM\n"), ("-i", "INT\n")] {
            svc(side, option, "sv");
            holds(side, "sv/log", heard);
        }
        let old = comes_up(side, "sv", 0);
        svc(side, "-t", "sv");
        let old = comes_up(side, "sv", old);
        holds(side, "sv/log", "TERM\nup\n"); // killed before it speaks, it would not be heard
        svc(side, "-k", "sv");
        comes_up(side, "sv", old);
        holds(side, "sv/log", "TERM\nup\nup\n");
        becomes(side, story, (true, 0, b'u'));
        story.note(side.read("sv/log"));
    });
}

#[test]
fn down_up_once_and_exit_are_remembered() {
    same_story(|side, story| {
        service(side, "sv", TALKER);
        let mut supervise = supervise(side, "sv");
        becomes(side, story, (true, 0, b'u'));
        holds(side, "sv/log", "up\n");
        svc(side, "-d", "sv");
        becomes(side, story, (false, 0, b'd'));
        svc(side, "-haitkpc", "sv");
        svc(side, "-o", "sv");
        becomes(side, story, (true, 0, 0));
        holds(side, "sv/log", "TERM\nup\n");
        svc(side, "-t", "sv");
        becomes(side, story, (false, 0, 0));
        svc(side, "-u", "sv");
        becomes(side, story, (true, 0, b'u'));
        holds(side, "sv/log", "TERM\nup\nTERM\nup\n");
        svc(side, "-o", "sv");
        becomes(side, story, (true, 0, 0));
        // It leaves when the service does, and not before.
        svc(side, "-x", "sv");
        svc(side, "-u", "sv");
        becomes(side, story, (true, 0, b'u'));
        svc(side, "-t", "sv");
        assert_eq!(supervise.ends(), 0);
        story.svstat(side, "sv");
        assert_eq!(status(side, "sv"), (0, 0, b'u'));
        story.note(side.read("sv/log"));
    });
}

#[test]
fn a_paused_service_is_stopped_until_it_is_continued() {
    same_story(|side, story| {
        supervised(side, "sv", SLEEPER);
        let pid = comes_up(side, "sv", 0);
        let state = || crate::services::process(pid).map(|(state, ..)| state);
        svc(side, "-p", "sv");
        assert!(until(|| state() == Some('T')), "{:?}", state());
        becomes(side, story, (true, 1, b'u'));
        svc(side, "-c", "sv");
        assert!(until(|| state() == Some('S')), "{:?}", state());
        becomes(side, story, (true, 0, b'u'));
        svc(side, "-p", "sv");
        becomes(side, story, (true, 1, b'u'));
        svc(side, "-d", "sv");
        becomes(side, story, (false, 0, b'd'));
    });
}

#[test]
fn unknown_commands_are_passed_over() {
    same_story(|side, story| {
        supervised(side, "sv", TALKER);
        holds(side, "sv/log", "up\n");
        let print = "printf 'zzz\\0\\n h' > sv/supervise/control";
        assert_eq!(side.run(["sh", "-c", print]).exit, 0);
        holds(side, "sv/log", "HUP\n");
        becomes(side, story, (true, 0, b'u'));
    });
}

/// Notes the moment at which the kernel made the process, whenever that came to run: in hundredths of a
/// second since the machine started. Source: `proc_pid_stat`(5).
const NOTE: &str = "read -r stat < /proc/$$/stat; set -- $stat; echo ${22} >> starts\n";

fn starts(side: &Side) -> Vec<Duration> {
    let text = String::from_utf8(side.read("sv/starts")).unwrap();
    let hundredths = text.lines().filter_map(|line| line.parse::<u64>().ok());
    hundredths.map(|count| Duration::from_millis(count * 10)).collect()
}

#[test]
fn a_service_that_ends_at_once_is_started_once_a_second() {
    for side in [Some(Side::ours()), Side::debian()].into_iter().flatten() {
        supervised(&side, "sv", NOTE);
        assert!(until(|| starts(&side).len() >= 4), "{:?}", starts(&side));
        for pair in starts(&side).windows(2) {
            let between = pair[1].saturating_sub(pair[0]);
            assert!(between > Duration::from_millis(980), "{between:?}");
        }
    }
}

#[test]
fn a_service_that_ran_longer_is_started_at_once() {
    for side in [Some(Side::ours()), Side::debian()].into_iter().flatten() {
        supervised(&side, "sv", SLEEPER);
        let mut old = comes_up(&side, "sv", 0);
        quickly(Duration::from_secs(1), || {
            let started = Instant::now(); // or a little before
            assert!(until(|| started.elapsed() > Duration::from_secs(2)));
            let before = Instant::now();
            svc(&side, "-k", "sv");
            old = comes_up(&side, "sv", old);
            before.elapsed()
        });
    }
}

#[test]
fn commands_are_taken_in_the_second_after_a_start() {
    quickly(Duration::from_secs(1), || {
        let side = Side::ours();
        service(&side, "sv", SLEEPER);
        let before = Instant::now();
        side.keep(supervise(&side, "sv"));
        comes_up(&side, "sv", 0);
        svc(&side, "-p", "sv");
        harness::becomes(|| status(&side, "sv").1, 1);
        before.elapsed()
    });
}

#[test]
fn a_start_that_is_waited_for_can_be_called_off() {
    let side = Side::ours();
    supervised(&side, "sv", "echo up >> log\n");
    holds(&side, "sv/log", "up\n");
    svc(&side, "-d", "sv");
    shows(&side, "sv", "sv: down S seconds, normally up\n");
    let before = side.read("sv/log");
    // Once more, on demand; what was called off does not come behind it.
    svc(&side, "-o", "sv");
    let again = [&before[..], b"up\n"].concat();
    assert!(until(|| side.read("sv/log") == again));
    // It may have ended before its supervise has told of it.
    harness::becomes(|| status(&side, "sv"), (0, 0, 0));
    shows(&side, "sv", "sv: down S seconds, normally up\n");
    assert_eq!(side.read("sv/log"), again);
}

#[test]
fn a_flood_of_commands_does_not_keep_it_from_its_service() {
    let side = Side::ours();
    supervised(&side, "sv", TALKER);
    holds(&side, "sv/log", "up\n");
    let flood = "head -c 1000000 /dev/zero | tr '\\0' h > sv/supervise/control";
    assert_eq!(side.run(["sh", "-c", flood]).exit, 0);
    let old = comes_up(&side, "sv", 0);
    svc(&side, "-k", "sv");
    comes_up(&side, "sv", old);
}
