//! Rules that a compiler does not know.

use std::collections::BTreeSet;
use std::fs;

use tidy::{none, relative, root, scripts, sources};

/// No file is longer: who reads it should see all of it.
const LINES: usize = 400;

#[test]
fn no_source_file_is_long() {
    let mut wrong = Vec::new();
    for path in sources().into_iter().chain(scripts()) {
        let name = relative(&path).display().to_string();
        let lines = fs::read_to_string(&path).unwrap_or_default().lines().count();
        if lines > LINES {
            wrong.push(format!("{name}: {lines} lines"));
        }
    }
    none(wrong);
}

#[test]
fn unsafe_code_is_in_lib_unix_alone() {
    let mut wrong = Vec::new();
    for path in sources().into_iter().filter(|path| !path.starts_with(root().join("lib/unix"))) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        // In pieces, so that this file does not find itself.
        let marks = [
            concat!("unsafe", " {"),
            concat!("unsafe", " fn"),
            concat!("unsafe", " impl"),
            concat!("allow(", "unsafe_code"),
            concat!("expect(", "unsafe_code"),
        ];
        if marks.iter().any(|mark| text.contains(mark)) {
            wrong.push(relative(&path).display().to_string());
        }
    }
    none(wrong);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Some(mark) = marks.iter().find(|mark| text.contains(*mark)) {
            wrong.push(format!("{}: {mark}", relative(&path).display()));
        }
    }
    none(wrong);
}

/// Crates that must do no I/O: they can be fuzzed, and read, without a kernel.
#[test]
fn pure_code_stays_pure() {
    let pure = [
        "lib/wire/src",
        "qmail/src/addr",
        "qmail/src/inject",
        "qmail/src/smtp",
        "qmail/src/send",
        "qmail/src/local",
        "ucspi-tcp/src/guests.rs",
        "ucspi-tcp/src/limits.rs",
        "ucspi-tcp/src/meter.rs",
        "ucspi-tcp/src/proxy",
        "ucspi-tcp/src/proxy.rs",
        "ucspi-tcp/src/slots.rs",
        "ucspi-tcp/src/watch.rs",
    ];
    let marks = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::process",
        "unix::fd",
        "unix::process",
        "SystemTime",
    ];
    let mut wrong = Vec::new();
    for path in sources()
        .into_iter()
        .filter(|path| pure.iter().any(|folder| path.starts_with(root().join(folder))))
    {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let is_test = relative(&path).components().any(|part| {
            let name = part.as_os_str();
            name == "tests" || name == "tests.rs"
        });
        let code = text.split("#[cfg(test)]").next().filter(|_| !is_test).unwrap_or_default();
        for mark in marks.iter().filter(|mark| code.contains(*mark)) {
            wrong.push(format!("{}: {mark}", relative(&path).display()));
        }
    }
    none(wrong);
}

/// What is setuid, or runs beside it, can reach no resolver, no cdb and no mail parsing.
#[test]
fn the_queue_crate_depends_on_nothing_but_unix_prog_and_wire() {
    let manifest = fs::read_to_string(root().join("qmail/queue/Cargo.toml")).unwrap_or_default();
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names: BTreeSet<&str> =
        section.lines().filter_map(|line| line.split_once('.').map(|(name, _)| name)).collect();
    assert_eq!(names, BTreeSet::from(["prog", "unix", "wire"]));
}
