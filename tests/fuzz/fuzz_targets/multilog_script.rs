//! multilog's arguments, separated by zero bytes; an empty one; the lines.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use daemontools::multilog::action::{HEAD, Machine};
use daemontools::multilog::input::{BLOCK, Input};
use daemontools::multilog::rotate;
use daemontools::multilog::script::{Log, Script};
use libfuzzer_sys::fuzz_target;
use unix::clock::Wall;

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

/// Removes surplus old files, and checks that no more and no fewer go than have to.
fn pruned(log: &Log, files: &mut Vec<(OsString, u64)>, now: Wall) {
    let room = log.total.map_or(u64::MAX, |total| total.saturating_sub(log.size));
    let fits = |files: &[(OsString, u64)]| {
        (files.len() as u64) < log.keep && files.iter().map(|(_, size)| size).sum::<u64>() <= room
    };
    let gone = rotate::surplus(files.clone(), log.keep, room, now);
    assert!(gone.iter().eq(files.iter().take(gone.len()).map(|(name, _)| name)));
    let last = gone.len().saturating_sub(1);
    assert!(gone.is_empty() || !fits(&files[last..]));
    files.drain(..gone.len());
    assert!(fits(files));
}

/// Puts the lines of a log into files as it would, while the clock is set back by `step` seconds for each.
fn rotated(log: &Log, lines: &[u8], step: i64) {
    let (mut rest, mut held, mut files) = (lines, 0, Vec::new());
    let mut now = Wall { seconds: 994_720_184, nanos: 0 };
    let mut newest = rotate::newest(&[], now);
    let mut shelve = |size| {
        now.seconds -= step;
        let time = rotate::next_time(newest, now);
        assert!(time > newest || step > 3600);
        let name = rotate::old_name(time, &log.code);
        assert!(rotate::is_old(name.as_encoded_bytes()));
        newest = time;
        files.push((name, size));
        if step == 0 {
            pruned(log, &mut files, now);
        }
    };
    while !rest.is_empty() {
        if held >= log.size {
            shelve(std::mem::take(&mut held));
        }
        let count = rotate::cut(held, log.size, rest);
        assert!(count > 0);
        let (now, later) = rest.split_at(count);
        held += now.len() as u64;
        assert!(held <= log.size);
        if rotate::is_full(held, log.size, now) {
            shelve(std::mem::take(&mut held));
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
        rotated(log, lines, 0);
        rotated(log, lines, 30);
        rotated(log, lines, 5000);
    }

    // The lines on their way in: stamped or not, nothing else is changed.
    let mut input = Input::new(script.stamp);
    let mut source = lines;
    let time = Wall { seconds: 994_720_184, nanos: 0 };
    while input.fill(4096, |room| source.read(room), || time).unwrap() > 0 {}
    input.end_line();
    let plain = input.bytes().split_inclusive(|byte| *byte == b'\n').flat_map(|line| {
        let stamp = line.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
        &line[if script.stamp.is_some() { stamp } else { 0 }..]
    });
    let end = if lines.is_empty() || lines.ends_with(b"\n") { &b""[..] } else { b"\n" };
    assert!(script.stamp.is_none() && lines.len() > BLOCK || plain.eq(lines.iter().chain(end)));
});
