//! What the suites of others have in common.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use harness::Side;

/// Our programs and the scripts of a package in the folder `bin`, as they are installed.
pub fn installed(side: &Side, package: &str) -> PathBuf {
    let bin = side.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(package).join("scripts");
    for folder in [side.programs().to_owned(), scripts.canonicalize().unwrap()] {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_file() && !bin.join(entry.file_name()).exists() {
                symlink(entry.path(), bin.join(entry.file_name())).unwrap();
            }
        }
    }
    bin
}

/// What comes of each case of a suite in shell, by its title: `--- TITLE`, and what it says.
pub fn cases(text: &str) -> BTreeMap<&str, &str> {
    let titles = text.match_indices("--- ").map(|(at, _)| at);
    let is_line = |at: &usize| *at == 0 || text[..*at].ends_with('\n');
    let mut places: Vec<usize> = titles.filter(is_line).collect();
    places.push(text.len());
    let cases = places.windows(2).map(|place| &text[place[0] + "--- ".len()..place[1]]);
    cases.map(|case| case.split_once('\n').expect("a title on a line of its own")).collect()
}

/// A case that is to come out otherwise: its title, what is ours, and why.
pub type Different = (&'static str, &'static str, &'static str);

/// The cases that come out in a way that nobody has expected, one text each. `is_same` compares a case
/// that is not simply the same or not.
pub fn wrong(
    found: &BTreeMap<&str, &str>,
    expected: &BTreeMap<&str, &str>,
    different: &[Different],
    is_same: impl Fn(&str, &str, &str) -> bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (title, expected) in expected {
        let ours = different.iter().find(|(known, ..)| known == title);
        let wanted = ours.map_or(*expected, |(_, ours, _)| ours);
        let found = found.get(title).copied().unwrap_or_default();
        if found != wanted && !is_same(title, found, wanted) {
            wrong.push(format!("--- {title}\nexpected:\n{wanted}found:\n{found}"));
        }
    }
    for (title, ..) in different.iter().filter(|(title, ..)| !expected.contains_key(title)) {
        wrong.push(format!("--- {title}\nno such case\n"));
    }
    wrong
}
