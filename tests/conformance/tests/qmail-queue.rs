//! qmail-queue beside the recordings of the original.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{Case, Side, recorded, strace, until};
use unix::signal::Signal;

/// The queue of a private host; the original has its own.
fn queue(side: &Side) {
    let queue = side.home().join("queue");
    if !side.is_ours() {
        return;
    }
    for name in ["pid", "intd", "todo", "bounce", "lock"] {
        std::fs::create_dir_all(queue.join(name)).unwrap();
    }
    for number in 0..23 {
        std::fs::create_dir_all(queue.join(format!("mess/{number}"))).unwrap();
    }
    unix::fifo::make(&queue.join("lock/trigger"), 0o622).unwrap();
}

/// Runs shell commands in the queue's directory, with `message` and `envelope` as files of the case,
/// and afterwards moves what is in the queue into the case's directory, under names that do not
/// depend on message numbers.
fn in_queue(side: &Side, message: &[u8], envelope: &[u8], script: &str) -> harness::Run {
    queue(side);
    side.write("message", message);
    side.write("envelope", envelope);
    let work = side.path().display().to_string();
    let script = format!(
        "work={work}; cd {home}/queue; {script}
         code=$?
         for area in pid intd todo; do
           for file in $area/*; do [ -f $file ] && mv $file $work/$area; done
         done
         for file in mess/*/*; do [ -f $file ] && mv $file $work/mess; done
         rm $work/message $work/envelope
         exit $code",
        home = side.home().display(),
    );
    side.run(["sh", "-c", &script])
}

const RUN: &str = "qmail-queue < $work/message 1< $work/envelope";

/// Queues a message, and compares all that is left.
fn deposit(name: &str, message: &[u8], envelope: &[u8]) -> Case {
    recorded("qmail-queue", name, |side| in_queue(side, message, envelope, RUN))
        .normalised(without_numbers)
}

/// The text without times, and the numbers of processes and users.
fn without_numbers(text: &str) -> String {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if let Some(rest) = text.strip_prefix("Received: (qmail ") {
        let line = rest.find("\\n").unwrap_or(rest.len());
        let (line, rest) = rest.split_at(line);
        let words = line.get(digits(line)..).unwrap_or_default();
        let words = words.split("); ").next().unwrap_or_default();
        let words = words.trim_end_matches(|c: char| c.is_ascii_digit());
        return format!("Received: (qmail N{words}N); DATE{rest}");
    }
    if let Some(rest) = text.strip_prefix('u')
        && let Some(rest) = rest.get(digits(rest)..).and_then(|rest| rest.strip_prefix("\\x00p"))
        && let Some(rest) = rest.get(digits(rest)..)
    {
        return format!("uN\\x00pN{rest}");
    }
    text.to_owned()
}

#[test]
fn a_message_is_queued_with_its_envelope() {
    let envelope = b"Fa@b\0Tc@d\0Te@f\0\0";
    deposit("queued", b"Subject: x\n\nbody\n", envelope).same();
    deposit("no-newline", b"no newline at the end", envelope).same();
    deposit("every-byte", &(0..=255).collect::<Vec<u8>>(), envelope).same();
    deposit("empty", b"", envelope).same();
}

#[test]
fn a_large_message_is_whole() {
    let message = [b"x".repeat(998), b"\n".to_vec()].concat().repeat(300);
    // A recording need not hold all of it.
    let script = format!("{RUN}; sed 1d mess/*/* | cksum; rm mess/*/* todo/* intd/*");
    let run = |side: &Side| in_queue(side, &message, b"F\0Tc@d\0\0", &script);
    recorded("qmail-queue", "large", run).same();
}

#[test]
fn odd_envelopes_that_are_taken() {
    deposit("no-recipient", b"x\n", b"Fa@b\0\0").same();
    deposit("empty-addresses", b"x\n", b"F\0T\0\0").same();
    deposit("behind-the-end", b"x\n", b"F\0Ta@b\0\0Tnot@this\0").same();
    let longest = "x".repeat(1002);
    deposit("longest", b"x\n", format!("F{longest}\0T{longest}\0\0").as_bytes()).same();
}

#[test]
fn an_envelope_without_its_end_leaves_nothing() {
    deposit("no-end", b"x\n", b"Fa@b\0Tc@d\0").same();
    deposit("no-envelope", b"x\n", b"").same();
    deposit("half-address", b"x\n", b"Fa@b\0Tc").same();
}

/// Only the exit code is the same: the original leaves files behind.
fn refused(name: &str, envelope: &[u8]) {
    let case = deposit(name, b"x\n", envelope).same_exit().same_stdout().same_stderr();
    let names = |files: &harness::Files| files.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&case.ours().files), [""; 0]);
    if let Some(original) = case.original() {
        assert_eq!(names(&original.files), ["intd", "mess"]);
    }
}

#[test]
fn what_is_no_envelope_is_refused_and_leaves_nothing() {
    refused("no-sender", b"Ta@b\0\0");
    refused("two-senders", b"Fa@b\0Fc@d\0\0");
    let long = "x".repeat(1003);
    refused("long-sender", format!("F{long}\0Ta@b\0\0").as_bytes());
    refused("long-recipient", format!("F\0T{long}\0\0").as_bytes());
}

#[test]
fn each_directory_that_is_missing_has_its_code() {
    for area in ["pid", "mess", "intd", "todo"] {
        let script = format!("mv {area} gone; {RUN}; code=$?; mv gone {area}; (exit $code)");
        let run = |side: &Side| in_queue(side, b"x\n", b"F\0Ta@b\0\0", &script);
        recorded("qmail-queue", &format!("without-{area}"), run).same_exit();
    }
    let script =
        format!("cd ..; mv queue gone; {RUN}; code=$?; mv gone queue; cd queue; (exit $code)");
    recorded("qmail-queue", "without-queue", |side| in_queue(side, b"", b"", &script)).same_exit();
}

#[test]
fn a_home_that_is_missing_has_its_code() {
    let side = Side::ours();
    let run = side.command(["qmail-queue"]).env("QMAILHOME", side.path().join("missing")).run();
    assert_eq!((run.exit, run.stdout, run.stderr), (61, vec![], vec![]));
}

#[test]
fn the_trigger_is_pulled() {
    let script = format!(
        "exec 8<> lock/trigger; {RUN}; code=$?; \
         dd bs=10 count=1 <&8 2>/dev/null | od -An -c; exec 8>&-; (exit $code)"
    );
    let run = |side: &Side| in_queue(side, b"x\n", b"F\0Ta@b\0\0", &script);
    recorded("qmail-queue", "trigger", run).normalised(without_numbers).same();
}

/// Sends a signal while the message arrives; then lets it arrive.
fn signalled(name: &str, signal: Signal) -> Case {
    recorded("qmail-queue", &format!("signal-{name}"), |side| {
        queue(side);
        side.write("envelope", b"F\0Ta@b\0\0");
        unix::fifo::make(&side.path().join("message"), 0o644).unwrap();
        let words = ["sh", "-c", "exec qmail-queue < message 1< envelope"];
        let mut running = side.command(words).start_in_background();
        let mut message =
            std::fs::OpenOptions::new().write(true).open(side.path().join("message")).unwrap();
        let queue = side.home().join("queue");
        assert!(until(|| !files(&queue, "mess").is_empty() && files(&queue, "pid").is_empty()));
        running.signal(signal);
        // One that has ended takes no more.
        let _ = std::io::Write::write_all(&mut message, b"x\n");
        drop(message);
        let exit = running.ends();
        for file in ["message", "envelope"] {
            std::fs::remove_file(side.path().join(file)).unwrap();
        }
        let left = |area: &str| files(&queue, area).len();
        let left = format!("mess {} intd {} todo {}\n", left("mess"), left("intd"), left("todo"));
        for path in ["mess", "intd", "todo"].iter().flat_map(|area| files(&queue, area)) {
            std::fs::remove_file(path).unwrap();
        }
        harness::Run { stdout: left.into_bytes(), stderr: Vec::new(), exit }
    })
}

/// The files in an area, split or not.
fn files(queue: &Path, area: &str) -> Vec<std::path::PathBuf> {
    let mut open = vec![queue.join(area)];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() { &mut open } else { &mut found }.push(entry.path());
        }
    }
    found
}

#[test]
fn signals_of_a_terminal_do_not_end_it() {
    for (name, signal) in [
        ("hup", Signal::SIGHUP),
        ("int", Signal::SIGINT),
        ("quit", Signal::SIGQUIT),
        ("pipe", Signal::SIGPIPE),
        ("vtalrm", Signal::SIGVTALRM),
        ("prof", Signal::SIGPROF),
        ("xcpu", Signal::SIGXCPU),
        ("xfsz", Signal::SIGXFSZ),
    ] {
        signalled(name, signal).same();
    }
}

#[test]
fn time_that_is_up_and_bugs_end_it_and_leave_what_there_is() {
    signalled("alrm", Signal::SIGALRM).same();
    for (name, signal) in [
        ("ill", Signal::SIGILL),
        ("abrt", Signal::SIGABRT),
        ("fpe", Signal::SIGFPE),
        ("bus", Signal::SIGBUS),
        ("segv", Signal::SIGSEGV),
        ("sys", Signal::SIGSYS),
        ("term", Signal::SIGTERM),
    ] {
        signalled(name, signal).same();
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    // A limit on the size of files stands in for a full disk: SIGXFSZ is ignored, the write fails.
    let script = format!("(ulimit -f 8; {RUN})");
    let message = b"x\n".repeat(50_000);
    let run = |side: &Side| in_queue(side, &message, b"F\0Ta@b\0\0", &script);
    recorded("qmail-queue", "full", run).same();
}

#[test]
fn a_directory_that_is_a_file_has_the_code_of_one_that_is_missing() {
    for (area, code) in [("pid", 63), ("mess", 64), ("intd", 65), ("todo", 66)] {
        let side = Side::ours();
        let script = format!(
            "mv {area} kept; : > {area}; {RUN}; code=$?; rm {area}; mv kept {area}; (exit $code)"
        );
        let run = in_queue(&side, b"x\n", b"F\0Ta@b\0\0", &script);
        assert_eq!((run.exit, run.stderr), (code, vec![]), "{area}");
        for area in ["pid", "mess", "intd", "todo"] {
            assert_eq!(side.read(area), b"", "{area}");
        }
    }
}

/// The envelope alone is larger than the memory that there is.
#[test]
fn three_million_recipients_take_no_memory() {
    let side = Side::ours();
    let script = format!(
        "(ulimit -v 60000; {RUN}); code=$?; cat todo/* | wc -c; rm todo/* intd/*; (exit $code)"
    );
    let envelope =
        [b"Fa@b\0".to_vec(), b"Tsomebody@example.org\0".repeat(3_000_000), b"\0".to_vec()];
    let run = in_queue(&side, b"x\n", &envelope.concat(), &script);
    let written: usize = String::from_utf8(run.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(run.exit, 0);
    assert!(written > 66_000_000, "{written}");
}

#[test]
fn a_message_that_cannot_be_read_leaves_nothing() {
    let run =
        |side: &Side| in_queue(side, b"", b"F\0Ta@b\0\0", "qmail-queue < . 1< $work/envelope");
    recorded("qmail-queue", "unreadable-message", run).same();
    let run = |side: &Side| in_queue(side, b"x\n", b"", "qmail-queue < $work/message 1< .");
    recorded("qmail-queue", "unreadable-envelope", run).same();
}

#[test]
fn files_are_readable_by_the_group_at_most() {
    let side = Side::ours();
    let run = in_queue(&side, b"x\n", b"F\0Ta@b\0\0", &format!("umask 0; {RUN}"));
    assert_eq!(run.exit, 0);
    let mode = |name: &str| {
        std::fs::metadata(side.path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("mess"), mode("todo")), (0o644, 0o644));
}

/// The original has to be built for that.
#[test]
fn every_message_may_have_more_recipients() {
    let side = Side::ours();
    side.control("extraqueue", "# copies\nlog\n");
    let run = in_queue(&side, b"x\n", b"Fa@b\0Tc@d\0\0", RUN);
    assert_eq!(run.exit, 0);
    let todo = String::from_utf8_lossy(&side.read("todo")).into_owned();
    assert!(todo.ends_with("\0Fa@b\0Tlog\0Tc@d\0"), "{todo:?}");

    let side = Side::ours();
    side.control("extraqueue/x", "");
    assert_eq!(in_queue(&side, b"x\n", b"Fa@b\0Tc@d\0\0", RUN).exit, 55);
}

/// The seconds for which it sets its alarm.
fn alarms(strace: &[OsString], argument: &str) -> Vec<u32> {
    let side = Side::ours();
    queue(&side);
    side.write("message", "x\n");
    side.write("envelope", b"Fa@b\0Tc@d\0\0");
    let trace = side.path().join("trace");
    let script = "exec \"$@\" < message 1< envelope 7<&-";
    let mut words: Vec<OsString> = ["sh", "-c", script, "sh"].map(Into::into).into();
    words.extend_from_slice(strace);
    words.extend(["-o".into(), trace.into()]);
    words.extend(["-e", "trace=?alarm,setitimer", "qmail-queue"].map(Into::into));
    words.extend((!argument.is_empty()).then(|| argument.into()));
    assert_eq!(side.run(&words).exit, 0);
    let text = String::from_utf8(side.read("trace")).unwrap();
    let numbers = |line: &str| {
        let (_, rest) = line.split_once("alarm(").or_else(|| {
            let (_, value) = line.split_once("it_value=")?;
            value.split_once("tv_sec=")
        })?;
        rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
    };
    text.lines().filter_map(numbers).collect()
}

#[test]
fn one_that_waits_for_a_message_has_a_day_for_it_from_its_beginning() {
    let Some(strace) = strace() else { return };
    assert_eq!(alarms(&strace, ""), [86_400]);
    // Without a socket as descriptor 7 it ends with its first message.
    assert_eq!(alarms(&strace, "series"), [28_800, 86_400]);
}
