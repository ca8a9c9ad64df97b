//! What the tests of supervision share.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::Path;

use harness::{Background, Case, Outcome, Run, Side, until};

/// A run script that says what happens to it in the file `log`, and stays until it gets TERM.
pub const TALKER: &str = "\
for signal in HUP INT ALRM; do trap \"echo $signal >> log\" $signal; done
trap 'echo TERM >> log; exit' TERM
echo up >> log
sleep 600 &
while :; do wait; done
";

/// A run script that stays.
pub const SLEEPER: &str = "exec sleep 600\n";

/// A run script that leaves a child to process 1, and says so when that has been reaped; it says its last
/// words when it gets TERM.
pub const POLITE_ORPHANS: &str = "\
sh -c 'sh -c \"echo \\$\\$ > orphan; exec sleep 0.01\" &'
until [ -s orphan ]; do sleep 0.01; done
read -r orphan < orphan
while [ -e /proc/$orphan ]; do sleep 0.01; done
trap 'kill $!; echo the last words; exit' TERM
sleep 600 &
echo reaped
wait
";

/// Makes a service.
pub fn service(side: &Side, name: &str, run: &str) {
    side.script(&format!("{name}/run"), &format!("#!/bin/sh\n{run}"));
}

/// Starts a supervise and waits until it takes commands.
pub fn supervise(side: &Side, name: &str) -> Background {
    let supervise = side.command(["supervise", name]).start_in_background();
    is_supervised(side, name);
    supervise
}

/// Makes a service and supervises it until the case is over.
pub fn supervised(side: &Side, name: &str, run: &str) {
    service(side, name, run);
    side.keep(supervise(side, name));
}

/// Waits until a supervise takes commands.
pub fn is_supervised(side: &Side, name: &str) {
    assert!(until(|| side.run(["svok", name]).exit == 0), "{name}: no supervise");
}

/// The status of a service: pid, paused, want.
pub fn status(side: &Side, name: &str) -> (u32, u8, u8) {
    status_at(&side.path().join(name))
}

/// The same for a path.
pub fn status_at(path: &Path) -> (u32, u8, u8) {
    let bytes = fs::read(path.join("supervise/status")).unwrap_or_default();
    match *bytes {
        [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, paused, want] => {
            (u32::from_le_bytes([a, b, c, d]), paused, want)
        }
        _ => panic!("{bytes:?} is no status of 18 bytes"),
    }
}

/// What supervise/state tells, without the times, and without its last line, which says for which status it
/// was written.
pub fn state(side: &Side, name: &str) -> String {
    let text = String::from_utf8(side.read(&format!("{name}/supervise/state"))).unwrap();
    let words = |line: &str| match line.split_at_checked(26) {
        Some((label, words)) if label.starts_with('@') => format!("{words}\n"),
        _ => panic!("{line:?} has no label"),
    };
    let mut lines: Vec<String> = text.lines().map(words).collect();
    if let Some(last) = lines.pop() {
        assert!(last.starts_with("up ") || last == "down\n", "{text}");
    }
    lines.concat()
}

/// Waits until supervise/state tells `text`.
pub fn states(side: &Side, name: &str, text: &str) {
    let is_so = || state(side, name).contains(text);
    assert!(until(is_so), "{name}: no {text:?} in {:?}", state(side, name));
}

/// Waits until the service runs with another pid than `old` (0: for any), and gives that.
pub fn comes_up(side: &Side, name: &str, old: u32) -> u32 {
    let path = side.path().join(name);
    let mut pid = 0;
    let is_up = until(|| {
        pid = if path.join("supervise/status").exists() { status_at(&path).0 } else { 0 };
        pid != 0 && pid != old
    });
    assert!(is_up, "{name} does not come up");
    pid
}

/// Waits until svstat says `words` about a service.
pub fn shows(side: &Side, name: &str, words: &str) {
    let mut said = String::new();
    let is_shown = until(|| {
        said = String::from_utf8_lossy(&side.run(["svstat", name]).stdout).into_owned();
        without_numbers(&said).contains(words)
    });
    assert!(is_shown, "no {words:?} in {said}");
}

/// Waits until a file of the case holds `text`.
pub fn holds(side: &Side, name: &str, text: &str) {
    let found = || String::from_utf8_lossy(&side.read(name)).contains(text);
    assert!(until(found), "no {text:?} in {name}: {}", side.read(name).escape_ascii());
}

/// Sends commands; they must arrive.
pub fn svc(side: &Side, options: &str, name: &str) {
    let run = side.run(["svc", options, name]);
    assert_eq!((run.exit, run.stderr), (0, Vec::new()), "svc {options} {name}");
}

/// A text with every process number and every count of seconds replaced.
pub fn without_numbers(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|char: char| char.is_ascii_digit()) {
        let (before, after) = rest.split_at(at);
        let end = after.find(|char: char| !char.is_ascii_digit()).unwrap_or(after.len());
        let (number, tail) = after.split_at(end);
        result.push_str(before);
        result.push_str(match () {
            () if before.ends_with("(pid ") => "PID",
            () if tail.starts_with(" seconds") => "S",
            () => number,
        });
        rest = tail;
    }
    result + rest
}

/// The states of a service as a case finds them, one a line.
#[derive(Default)]
pub struct Story(Vec<u8>);

impl Story {
    /// Adds a line.
    pub fn note(&mut self, line: impl AsRef<[u8]>) {
        self.0.extend_from_slice(line.as_ref());
        self.0.push(b'\n');
    }

    /// Adds what svstat says.
    pub fn svstat(&mut self, side: &Side, name: &str) {
        let said = side.run(["svstat", name]).stdout;
        self.0.extend_from_slice(without_numbers(&String::from_utf8_lossy(&said)).as_bytes());
    }

    /// The whole story.
    pub fn end(self) -> Run {
        Run { stdout: self.0, stderr: Vec::new(), exit: 0 }
    }
}

/// Both sides told the same.
pub fn same_story(tell: impl Fn(&Side, &mut Story)) {
    let case: Case = harness::case(|side| {
        let mut story = Story::default();
        tell(side, &mut story);
        story.end()
    });
    let _ = case.same_stdout();
}

/// Names, kinds and modes of what lies in a directory of the case.
pub fn listing(outcome: &Outcome, directory: &str) -> Vec<String> {
    let prefix = format!("{directory}/");
    let entries = outcome.files.0.iter().filter(|(name, _)| name.starts_with(&prefix));
    entries.map(|(name, entry)| format!("{} {:04o} {name}", entry.kind, entry.mode)).collect()
}

/// The children of a process that have not ended.
pub fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| {
        process(pid).is_some_and(|(state, its, ..)| its == parent && !"ZX".contains(state))
    })
    .collect()
}

/// The state of a process (`Z` for a zombie), its parent, its process group and its session; `None` if
/// there is no such process.
pub fn process(pid: u32) -> Option<(char, u32, u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some((state, number()?, number()?, number()?))
}
