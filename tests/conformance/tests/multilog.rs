//! multilog beside the original.

#[path = "multilog/actions.rs"]
mod actions;
#[path = "multilog/behind.rs"]
mod behind;
#[path = "multilog/crash.rs"]
mod crash;
#[path = "multilog/files.rs"]
mod files;
#[path = "multilog/limits.rs"]
mod limits;
#[path = "multilog/losses.rs"]
mod losses;
#[path = "multilog/processor.rs"]
mod processor;
#[path = "multilog/signals.rs"]
mod signals;
#[path = "multilog/stamps.rs"]
mod stamps;
#[path = "multilog/trouble.rs"]
mod trouble;

use std::fs;
use std::os::unix::fs::MetadataExt;

use harness::{Background, Files, Run, Side, until};

/// An escaped text, or a name, with every label replaced.
fn without_times(text: &str) -> String {
    let mut parts = text.split('@');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_label = part.len() >= 24
            && part.bytes().take(24).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        result.extend(if is_label { ["@TIME", &part[24..]] } else { ["@", part] });
    }
    result
}

/// The names of the old files of a log, in order.
fn old_names(side: &Side, log: &str) -> Vec<String> {
    let entries = fs::read_dir(side.path().join(log)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with('@')).collect();
    names.sort();
    names
}

/// What the names of the old files say behind the time: `s` or `u`.
fn codes(side: &Side, log: &str) -> Vec<String> {
    let code = |name: String| name.rsplit('.').next().unwrap_or_default().to_owned();
    old_names(side, log).into_iter().map(code).collect()
}

/// Everything that a log holds, oldest first, with what a turn-over has not ended.
fn everything(side: &Side, log: &str) -> String {
    let names = old_names(side, log).into_iter().chain(["previous".into(), "current".into()]);
    let texts = names.map(|name| side.read(&format!("{log}/{name}")));
    String::from_utf8(texts.collect::<Vec<_>>().concat()).unwrap()
}

/// `multilog` with `actions` in the background, with a pipe to write to; ready to read.
fn started(side: &Side, actions: &[&str]) -> Background {
    let words: Vec<&str> = [&["multilog"], actions].concat();
    let program = side.command(words).converse();
    // Its files are made before its first line is read.
    for action in actions.iter().filter(|action| action.starts_with("./")) {
        let current = side.path().join(action).join("current");
        let is_open = || fs::metadata(&current).is_ok_and(|meta| meta.mode() & 0o100 == 0);
        assert!(until(is_open), "no {}", current.display());
    }
    program
}

/// Lines of a hundred bytes.
fn numbered(count: usize) -> String {
    (0..count).map(|number| format!("{number:099}\n")).collect::<Vec<_>>().concat()
}

/// Writes lines to it.
fn tell(program: &mut Background, text: &str) {
    let _ = program.talk(text, "");
}

/// Waits until `log/current` holds `text`.
fn holds(side: &Side, log: &str, text: &str) {
    let name = format!("{log}/current");
    assert!(until(|| side.read(&name) == text.as_bytes()), "{}", side.read(&name).escape_ascii());
}

/// The end of a program in the background as a run.
fn ended(mut program: Background) -> Run {
    program.close_input();
    let exit = program.ends();
    Run { stdout: Vec::new(), stderr: program.stderr(), exit }
}

/// A run with each complaint once: one that tries again and again complains as often as there is time for.
fn once(mut run: Run) -> Run {
    let mut lines: Vec<&[u8]> = run.stderr.split_inclusive(|&byte| byte == b'\n').collect();
    lines.dedup();
    run.stderr = lines.concat();
    run
}

/// The mode of a file of a case.
fn mode(files: &Files, name: &str) -> u32 {
    files.0.get(name).unwrap_or_else(|| panic!("no {name} in\n{files}")).mode
}
