//! qmail-clean beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

/// Makes files of the queue, sends requests, and shows the answers and which files are left.
///
/// In `requests` a vertical bar stands for a zero byte.
fn clean(name: &str, files: &[&str], requests: &str) -> Case {
    recorded("qmail-clean", name, |side| {
        let queue = side.home().join("queue");
        for area in ["pid", "intd", "todo", "mess/7"] {
            std::fs::create_dir_all(queue.join(area)).unwrap();
        }
        for file in files {
            std::fs::write(queue.join(file), "x").unwrap();
        }
        let run = side.command(["qmail-clean"]).stdin(requests.replace('|', "\0")).run();
        let left = left(side, files);
        Run { stdout: [run.stdout.as_slice(), b"\n", left.as_bytes()].concat(), ..run }
    })
}

/// Which of `files` are still there; they are removed.
fn left(side: &Side, files: &[&str]) -> String {
    let gone = |file: &&&str| std::fs::remove_file(side.home().join("queue").join(file)).is_ok();
    let left: Vec<&str> = files.iter().filter(gone).copied().collect();
    format!("left: {}\n", left.join(" "))
}

const FILES: [&str; 3] = ["mess/7/7", "intd/7", "todo/7"];

#[test]
fn a_message_that_is_done_with_is_removed() {
    clean("message", &FILES, "foop/7|").same();
}

#[test]
fn an_envelope_that_is_preprocessed_is_removed() {
    clean("envelope", &FILES, "todo/7|").same();
}

#[test]
fn a_message_that_is_over_is_removed_with_its_envelope() {
    // The original knows no such request.
    clean("over", &FILES, "over/7|over/8|over/|")
        .same_exit()
        .same_stderr()
        .differing_stdout("++x\nleft: \n", "xxx\nleft: mess/7/7 intd/7 todo/7\n");
}

#[test]
fn files_that_are_gone_are_as_good_as_removed() {
    clean("gone", &["mess/7/7"], "todo/7|foop/7|foop/7|").same();
}

#[test]
fn each_request_is_answered() {
    clean("several", &FILES, "foop/8|todo/7|foop/7|todo/9|").same();
}

#[test]
fn what_is_no_request_is_answered_with_x_and_does_nothing() {
    clean("nonsense", &FILES, "|foop/|mess/7|foop7|FOOP/7|").same();
    let long = format!("foop/{}|", "0".repeat(95));
    clean("overlong", &FILES, &long).same();
    let longest = format!("foop/{}7|", "0".repeat(93));
    clean("longest", &FILES, &longest).same();
}

#[test]
fn a_number_with_something_behind_it_is_no_request() {
    // The original answers twice, and removes the message all the same.
    clean("not-a-number", &FILES, "foop/7x|")
        .same_exit()
        .same_stderr()
        .differing_stdout("x\nleft: mess/7/7 intd/7 todo/7\n", "x+\nleft: todo/7\n");
}

#[test]
fn an_unfinished_request_is_none() {
    clean("unfinished", &FILES, "todo/7|foop/7").same();
}

#[test]
fn a_file_that_cannot_be_removed_is_told() {
    recorded("qmail-clean", "stuck", |side| {
        let queue = side.home().join("queue");
        std::fs::create_dir_all(queue.join("intd/7")).unwrap();
        std::fs::create_dir_all(queue.join("mess/7")).unwrap();
        std::fs::write(queue.join("mess/7/7"), "x").unwrap();
        let run = side.command(["qmail-clean"]).stdin("foop/7\0foop/8\0").run();
        std::fs::remove_dir(queue.join("intd/7")).unwrap();
        let left = left(side, &["mess/7/7"]);
        Run { stdout: [run.stdout.as_slice(), b"\n", left.as_bytes()].concat(), ..run }
    })
    .same();
}

#[test]
fn scratch_files_of_36_hours_ago_are_removed() {
    recorded("qmail-clean", "pid", |side| {
        let queue = side.home().join("queue");
        for area in ["pid", "intd", "mess/8"] {
            std::fs::create_dir_all(queue.join(area)).unwrap();
        }
        let script = "cd $0/queue/pid
            touch new; touch -a -d '35 hours ago' young; touch -a -d '37 hours ago' old
            printf 'foop/8\\0' | qmail-clean
            ls; touch -a -d '37 hours ago' young
            yes foop/8 | head -n 30 | tr '\\n' '\\0' | qmail-clean
            ls; touch -a -d '37 hours ago' new
            # removed by the cleanup behind the 31st request, while the 32nd is awaited
            { yes foop/8 | head -n 31 | tr '\\n' '\\0'; until ! ls new; do :; done 2>/dev/null >&2; } |
              qmail-clean
            ls; rm -f *";
        side.run(["sh".into(), "-c".into(), script.into(), side.home().as_os_str().to_owned()])
    })
    .same();
}

#[test]
fn answers_that_nobody_takes_end_it() {
    recorded("qmail-clean", "deaf", |side| {
        std::fs::create_dir_all(side.home().join("queue/pid")).unwrap();
        side.script(
            "run",
            "exec 3>&1; mkfifo gone; sh -c 'exec < gone' & exec > gone; wait\n\
                            printf 'foop/8\\0' | { qmail-clean; echo $? >&3; }\n",
        );
        let run = side.run(["sh", "run"]);
        std::fs::remove_file(side.path().join("gone")).unwrap();
        std::fs::remove_file(side.path().join("run")).unwrap();
        run
    })
    .same();
}

#[test]
fn without_a_queue_it_does_not_start() {
    recorded("qmail-clean", "no-queue", |side| {
        let script = "mv $0/queue $0/gone 2>/dev/null
            qmail-clean < /dev/null; code=$?; mv $0/gone $0/queue 2>/dev/null; exit $code";
        side.run(["sh".into(), "-c".into(), script.into(), side.home().as_os_str().to_owned()])
    })
    .same();
}
