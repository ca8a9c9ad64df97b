//! The suites of others for daemontools, run against our programs: `rts.tests`, which comes with the
//! original; those of Debian's package that need no reboot; and that of daemontools-encore, from the checkout
//! that `$DAISYCHAIN_ENCORE` names.

mod suites;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Side, fetched, skipped, skipped_for, sometime};
use suites::{Different, cases, installed, wrong};

/// The source of daemontools, as Debian has it.
fn source() -> Option<PathBuf> {
    let folder = fetched("DAISYCHAIN_SOURCES", "sources").join("daemontools");
    if folder.join("debian/tests/shortrts.exp").is_file() {
        return Some(folder);
    }
    skipped("the source of daemontools ($DAISYCHAIN_SOURCES)");
    None
}

/// The cases of the original's suite that are to come out otherwise.
const DIFFERENT: [Different; 3] = [
    (
        "svstat handles new and nonexistent directories",
        "test.sv: unable to open supervise/ok: file does not exist\n\
         nonexistent: unable to chdir: file does not exist\n\
         111\n",
        FAILURE,
    ),
    (
        "svc handles new and nonexistent directories",
        "svc: warning: unable to control test.sv: file does not exist\n\
         svc: warning: unable to chdir to nonexistent: file does not exist\n\
         111\n",
        FAILURE,
    ),
    (
        "supervise starts, svok works, svstat works, svc -x works",
        "test.sv: down x seconds\n0\n0\ntest.sv: supervise not running\n100\n",
        FAILURE,
    ),
];
const FAILURE: &str = "svc and svstat tell failure by their exit status";

/// The lines that match, of the cases about matchtest: Debian's package has no such program, and so its
/// suite no such case.
const MATCHES: [(&str, &str); 6] = [
    ("match handles literal string", "+-----"),
    ("match handles empty string", "+-"),
    ("match handles full-line wildcard", "++++"),
    ("match handles ending wildcard", "+++----"),
    ("match handles wildcard termination", "++++----"),
    ("match handles multiple wildcards", "++++---"),
];

/// Runs a script in the folder with our programs, which it looks for there first.
fn said(side: &Side, script: &str) -> String {
    let words = ["env", "-", "sh", "-c", "sh \"$0\" 2>&1 | cat -v", script];
    String::from_utf8(side.command(words).in_directory("bin").run().stdout).unwrap()
}

#[test]
fn the_suite_of_the_original_passes() {
    let Some(source) = source() else { return };
    // What it is to say is not in Debian's source, except for the part that Debian runs itself.
    let expected = fs::read_to_string(source.join("debian/tests/shortrts.exp")).unwrap();
    let expected = cases(&expected);
    // It sleeps a second here and there, which a busy machine may take for something else.
    sometime(|| {
        let side = Side::ours();
        installed(&side, "daemontools");
        let suite = source.join("daemontools-0.76/src/rts.tests");
        let said = said(&side, suite.to_str().unwrap());
        let found = cases(&said);
        assert_eq!(expected.len() + MATCHES.len(), found.len());
        for (title, signs) in MATCHES {
            let found: String =
                found[title].lines().filter_map(|line| line.chars().next()).collect();
            assert_eq!(found, signs, "{title}");
        }
        none(wrong(&found, &expected, &DIFFERENT, |_, _, _| false))
    });
}

fn none(wrong: Vec<String>) -> Result<(), Vec<String>> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Runs a test of Debian's, as autopkgtest does. It looks for programs in the folder that it works in
/// first.
fn debian(side: &Side, test: &Path) -> harness::Run {
    let bin = installed(side, "daemontools");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    side.command(["sh", test.to_str().unwrap()])
        .env("AUTOPKGTEST_TMP", &bin)
        .env("PATH", path)
        .run()
}

#[test]
fn debian_s_short_suite_passes() {
    let Some(source) = source() else { return };
    let expected = fs::read_to_string(source.join("debian/tests/shortrts.exp")).unwrap();
    sometime(|| {
        let side = Side::ours();
        let run = debian(&side, &source.join("debian/tests/shortrts"));
        assert_eq!(run.exit, 1, "diff has found what is meant to be different");
        let found = String::from_utf8(side.read("bin/shortrts.out")).unwrap();
        none(wrong(&cases(&found), &cases(&expected), &DIFFERENT, |_, _, _| false))
    });
}

#[test]
fn debian_s_test_of_numbers_passes() {
    let Some(source) = source() else { return };
    if !unix::Uid::current().is_root() {
        return skipped_for("Debian's test of setuidgid needs root");
    }
    let side = Side::ours();
    let run = debian(&side, &source.join("debian/tests/uidgid"));
    assert_eq!((run.exit, run.stdout, run.stderr), (0, vec![], vec![]));
}

/// The cases of daemontools-encore's suite that are to come out otherwise.
const ENCORE: [Different; 10] = [
    (
        "envdir requires arguments",
        "envdir: usage: envdir dir child\n111\n",
        "envdir has the usage of 0.76, without options; envini has a prefix",
    ),
    DIFFERENT[0],
    DIFFERENT[1],
    (
        "supervise starts, svok works, svup works, svstat works, svc -x works",
        "100\n100\n100\ntest.sv: down x seconds\n0\n0\ntest.sv: supervise not running\n100\n",
        NO_LOG,
    ),
    (
        "svstat and svup work for up services",
        ".: up (pid x) x seconds, normally down\n0\n0\n0\n0\n100\n100\n",
        NO_LOG,
    ),
    ("supervise has reasonable downtimes", "test.sv: down ok\n", NO_LOG),
    (
        "supervise leaves locked service intact",
        "prw------- 0 control\n-rw------- 0 lock\nprw------- 0 ok\n-rw-r--r-- 18 status\n\
         supervise: fatal: unable to acquire test.sv/supervise/lock: temporary failure\n111\n\
         prw------- 0 control\n-rw------- 0 lock\nprw------- 0 ok\n-rw-r--r-- 18 status\n\
         0\ntest.sv: supervise not running\n100\n",
        "a status of 18 bytes, as 0.76, and beside it a state; messages name the service, as in 0.76",
    ),
    (
        "supervise runs notify properly",
        "run killed 15\nrun start 0\nstart exit 0\nstart start 0\nstop exit 0\nstop start 0\n\n",
        "svc -d is obeyed in the first second too, so that run has no time to exit by itself",
    ),
    (
        "supervise restarts service exiting 100",
        "started\nrunning\nrerunning\n\n",
        "exit 100 of run is no reason not to start it again; 125 of finish is",
    ),
    ("svscan out", "==> svc0/output <==\nsvc0 ran\n\n==> svc2/output <==\nsvc2 ran\n", NO_LOG),
];
const NO_LOG: &str = "a log is a service of its own, with a supervise of its own: no -L and -l, no file log \
                      that supervise runs, and svstat's words are those of 0.76";

/// What may come out in two ways, because two processes go on at the same time: after TERM a service gets
/// CONT, which it may no longer see; the first status may not yet be written when a service asks for it;
/// it may have ended before it was told to.
const EITHER: [(&str, &str); 3] = [
    ("Caught CONT\nCaught TERM\n", "Caught TERM\n"),
    (".: down x seconds\n", ".: up (pid x) x seconds, normally down\n"),
    ("run exit 1\n", "run killed 15\n"),
];

/// The cases that are left out, and why.
const LEFT_OUT: [(&str, &str); 4] = [
    ("envdir adds prefix", "as above"),
    ("svstat and svup work for logged services", NO_LOG),
    ("supervise stops log after main", NO_LOG),
    ("fnmatch handles ", "to matchtest of 0.76 an F at the beginning is an F"),
];

/// Lines of ours that come as often as there is time for, or tell of an option that is not ours.
fn is_by_the_way(line: &str) -> bool {
    let beginnings = [
        "supervise: fatal: unable to start test.sv/run: file does not exist",
        "supervise: fatal: unable to chdir to log: not a directory",
        "svstat: illegal option -- ",
        "svstat: usage: ",
        "svup: illegal option -- ",
        "svup: usage: ",
    ];
    line.ends_with(" state") || beginnings.iter().any(|beginning| line.starts_with(beginning))
}

/// What the suite runs as a service: it says which signals have come. A shell cannot: what a service is
/// started with ignored, no shell can trap.
const SLEEPER: &str = "#!/usr/bin/perl
$| = 1;
for my $name (qw(ALRM CONT HUP INT QUIT TERM USR1 USR2 WINCH)) {
  $SIG{$name} = sub { print \"Caught $name\\n\"; exit 1 unless $name eq 'CONT' };
}
sleep 999 while 1;
";

/// A file of the suite without what is left out.
fn without(text: &str) -> String {
    let is_title = |line: &&str| line.starts_with("echo '--- ") || line.starts_with("echo --- ");
    let mut is_in = true;
    let lines = text.lines().filter(|line| {
        if is_title(line) {
            is_in = LEFT_OUT.iter().all(|(title, _)| !line.contains(title));
        }
        is_in
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_suite_of_daemontools_encore_passes() {
    let folder =
        std::env::var_os("DAISYCHAIN_ENCORE").map(|path| PathBuf::from(path).join("rts.tests"));
    let Some(folder) = folder.filter(|folder| folder.join("00-preamble.sh").is_file()) else {
        return skipped_for("the suite of daemontools-encore: no checkout in $DAISYCHAIN_ENCORE");
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = |ending: &str| -> Vec<String> {
        let files = files.iter().filter(|path| path.extension().is_some_and(|e| e == ending));
        files.map(|path| fs::read_to_string(path).unwrap()).collect()
    };
    let script: String = texts("sh").iter().map(|text| without(text)).collect();
    let expected = texts("exp").concat();

    let side = Side::ours();
    installed(&side, "daemontools");
    side.write("rts.sh", script);
    side.script("bin/sleeper", SLEEPER);
    let said = said(&side, "../rts.sh");
    let lines = said.lines().filter(|line| !is_by_the_way(line));
    let ours: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut expected = cases(&expected);
    expected.retain(|title, _| LEFT_OUT.iter().all(|(left, _)| !title.contains(left)));
    assert!(expected.len() > 50, "the suite has its cases");
    let wrong = wrong(&cases(&ours), &expected, &ENCORE, |_, found, wanted| {
        let either = |text: &str| EITHER.iter().fold(text.to_owned(), |t, (a, b)| t.replace(a, b));
        either(found) == either(wanted)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
