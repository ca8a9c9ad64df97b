//! multilog's arguments, separated by zero bytes; an empty one; the lines.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use daemontools::multilog::action::{HEAD, Machine};
use daemontools::multilog::rotate;
use daemontools::multilog::script::{Log, Script};
use libfuzzer_sys::fuzz_target;

/// What each log gets of `lines`, which come `size` bytes at a time.
fn logged(script: &Script, lines: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut machine = Machine::new(script);
    let mut logs = vec![Vec::new(); script.logs.len()];
    let mut held = Vec::new();
    for block in lines.chunks(size).chain([&b"\n"[..]]) {
        held.extend_from_slice(block);
        let taken = machine.feed(&held);
        for (number, log) in logs.iter_mut().enumerate() {
            log.extend_from_slice(machine.log(number, &held[..taken]));
        }
        assert!(machine.alerts().all(|piece| piece.len() <= 4096 && piece.ends_with(b"\n")));
        held.drain(..taken);
        assert!(held.len() < HEAD);
    }
    assert!(held.is_empty());
    logs
}

/// Puts the lines of a log into files as it would.
fn rotated(log: &Log, lines: &[u8]) {
    let (mut rest, mut held) = (lines, 0);
    while !rest.is_empty() {
        if held >= log.size {
            held = 0;
        }
        let count = rotate::cut(held, log.size, rest);
        assert!(count > 0);
        let (now, later) = rest.split_at(count);
        held += now.len() as u64;
        assert!(held <= log.size);
        if rotate::is_full(held, log.size, now) {
            held = 0;
        }
        rest = later;
    }
}

fuzz_target!(|data: &[u8]| {
    let end = data.windows(2).position(|pair| pair == [0, 0]).unwrap_or(data.len());
    let (words, lines) = data.split_at(end);
    let lines = lines.get(2..).unwrap_or_default();
    let words: Vec<&OsStr> = words.split(|byte| *byte == 0).map(OsStr::from_bytes).collect();
    let Ok(script) = Script::parse(&words) else { return };

    let whole = logged(&script, lines, usize::MAX);
    assert_eq!(whole, logged(&script, lines, 1 + lines.len() / 7));
    for (log, lines) in script.logs.iter().zip(&whole) {
        rotated(log, lines);
    }
});
