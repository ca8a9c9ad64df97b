//! A table for people.

use unix::clock::Wall;

use super::{Facts, Report, seconds};
use crate::state::{End, Pause};
use crate::status::{Normally, Service, Want};

const HEADS: [&str; 7] = ["service", "state", "pid", "for", "ready", "last exit", "memory"];

/// Columns whose entries end, rather than begin, at the same place.
const RIGHT: [bool; 7] = [false, false, true, true, false, false, true];

/// Rows in columns that are as wide as they need to be, and never become narrower.
#[derive(Clone, Debug)]
pub struct Table {
    widths: [usize; 7],
    colours: bool,
}

/// The colour of a row's state. Source: ECMA-48 SGR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    /// As it should be.
    Green,
    /// Nothing to say.
    Plain,
    /// Something is wrong.
    Red,
    /// It changes, or somebody wants it so.
    Yellow,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Green => "32",
            Colour::Plain => "0",
            Colour::Red => "31",
            Colour::Yellow => "33",
        }
    }
}

impl Table {
    /// A table with colours, or without.
    #[must_use]
    pub fn new(colours: bool) -> Table {
        Table { widths: HEADS.map(str::len), colours }
    }

    /// The rows of `reports`, with heads above them if `is_first`.
    pub fn rows(&mut self, reports: &[Report], now: Wall, is_first: bool, out: &mut Vec<u8>) {
        let rows: Vec<([String; 7], Colour)> =
            reports.iter().map(|report| row(report, now)).collect();
        for (entries, _) in &rows {
            // The words of one that has no facts go on beyond its state.
            let known = if entries.get(3).is_some_and(String::is_empty) { 1 } else { 7 };
            for (width, entry) in self.widths.iter_mut().zip(entries).take(known) {
                *width = (*width).max(entry.chars().count());
            }
        }
        if is_first {
            self.row(&HEADS.map(str::to_owned), Colour::Plain, out);
        }
        for (entries, colour) in &rows {
            self.row(entries, *colour, out);
        }
    }

    fn row(&self, entries: &[String; 7], colour: Colour, out: &mut Vec<u8>) {
        let mut line = String::new();
        let columns = entries.iter().zip(self.widths).zip(RIGHT).enumerate();
        for (number, ((entry, width), is_right)) in columns {
            let padding = " ".repeat(width.saturating_sub(entry.chars().count()));
            let gap = if number == 0 { "" } else { "  " };
            let is_coloured = self.colours && number == 1 && colour != Colour::Plain;
            let (before, after) = if is_coloured {
                (format!("\x1b[{}m", colour.code()), "\x1b[0m")
            } else {
                (String::new(), "")
            };
            let (left, right) = if is_right { (&*padding, "") } else { ("", &*padding) };
            line.extend([gap, left, &before, entry, after, right]);
        }
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

/// The entries of a row; where there are no facts, the words stand for the state and the rest is empty.
fn row(report: &Report, now: Wall) -> ([String; 7], Colour) {
    let name = printable(&report.name);
    let facts = match &report.facts {
        Ok(facts) => facts,
        Err(words) => {
            let mut entries = <[String; 7]>::default();
            let [first, second, ..] = &mut entries;
            (*first, *second) = (name, printable(words));
            return (entries, Colour::Red);
        }
    };
    let (state, colour) = state(facts, now);
    let none = || "-".to_owned();
    let pid = match (facts.status.service, facts.state.pause) {
        (Service::Up { pid, .. }, _) | (Service::Down, Some(Pause::Script(_, pid, _))) => {
            pid.to_string()
        }
        (Service::Down, _) => none(),
    };
    let ready = match (facts.status.service, facts.state.ready) {
        (Service::Up { pid, .. }, Some(ready)) if ready.pid == pid => {
            if ready.is_ready { "yes" } else { "no" }.to_owned()
        }
        _ => none(),
    };
    let last = facts.state.last.map_or_else(none, |(end, at)| {
        format!("{}, {} ago", ended(end), duration(seconds(at, now)))
    });
    let age = duration(seconds(facts.status.since, now));
    let memory = facts.memory.map_or_else(none, size);
    ([name, state, pid, age, ready, last, memory], colour)
}

fn state(facts: &Facts, now: Wall) -> (String, Colour) {
    let word = |word: &str| word.to_owned();
    match (facts.status.service, facts.status.want) {
        (Service::Up { paused: true, .. }, _) => (word("paused"), Colour::Yellow),
        (Service::Up { .. }, Want::Down) => (word("up, want down"), Colour::Yellow),
        (Service::Up { .. }, _) if facts.normally == Normally::Down => {
            (word("up, normally down"), Colour::Green)
        }
        (Service::Up { .. }, _) => (word("up"), Colour::Green),
        (Service::Down, _) => match facts.state.pause {
            Some(Pause::Clearing(_)) => (word("clearing"), Colour::Yellow),
            Some(Pause::Done(_)) => (word("started"), Colour::Green),
            Some(Pause::Failed(_)) => (word("failed"), Colour::Red),
            Some(Pause::Script(script, ..)) => (word(script.doing()), Colour::Yellow),
            Some(Pause::Waiting(_, until)) => {
                let wait = seconds(now, until);
                let soon = if wait == 0 { word("soon") } else { format!("in {}", duration(wait)) };
                (format!("down, again {soon}"), Colour::Red)
            }
            None if facts.status.want == Want::Up => (word("down, want up"), Colour::Red),
            None if facts.normally == Normally::Up => (word("down, normally up"), Colour::Yellow),
            None => (word("down"), Colour::Plain),
        },
    }
}

fn ended(end: End) -> String {
    let name = match end {
        End::Signal(number) => unix::signal::Signal::try_from(i32::from(number)).ok(),
        End::Exit(_) | End::Unknown => None,
    };
    name.map_or_else(|| end.words(), |name| name.as_str().trim_start_matches("SIG").to_owned())
}

/// Seconds in the two largest units that say something: `3d 4h`, `2m 5s`, `7s`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Bytes in a unit that leaves at most four digits: `812K`, `5.1M`, `1.2G`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let kib = bytes.div_ceil(1024);
    let mut tenths = kib.saturating_mul(10);
    let mut unit = 'K';
    for larger in ['M', 'G', 'T'] {
        if tenths < 10_240 {
            break;
        }
        tenths = tenths.div_ceil(1024);
        unit = larger;
    }
    match (unit, tenths) {
        ('K', _) => format!("{kib}K"),
        (_, 1000..) => format!("{}{unit}", tenths / 10),
        _ => format!("{}.{}{unit}", tenths / 10, tenths % 10),
    }
}

/// Text that does nothing to a terminal but show itself.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{NOW, at, down, report, trouble, up};
    use crate::state::{Script, State};

    fn shown(table: &mut Table, reports: &[Report], is_first: bool) -> String {
        let mut out = Vec::new();
        table.rows(reports, NOW, is_first, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_entry() {
        let mut table = Table::new(false);
        let all = shown(&mut table, &[report(up()), trouble(), report(down())], true);
        let expected = "\
service     state               pid    for  ready  last exit        memory
/service/x  up                 1234  1m 1s  yes    KILL, 1h 1m ago    5.2M
/service/y  supervise not running
/service/x  down, normally up     -     5s  -      -                     -
";
        assert_eq!(all, expected);
        // Rows that follow stand below them.
        let row = shown(&mut table, &[report(up())], false);
        assert_eq!(row, expected.split_inclusive('\n').nth(1).unwrap());
    }

    #[test]
    fn a_terminal_shows_colours_and_the_columns_stay() {
        let rows = shown(&mut Table::new(true), &[report(up()), trouble()], false);
        let expected = "\
/service/x  \x1b[32mup\x1b[0m     1234  1m 1s  yes    KILL, 1h 1m ago    5.2M
/service/y  \x1b[31msupervise not running\x1b[0m
";
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_state_has_words_and_a_colour() {
        let with = |pause| Facts { state: State { pause, ..State::default() }, ..down() };
        let normally_down = Facts { normally: Normally::Down, ..down() };
        let wanted = |service, want| {
            let mut facts = up();
            (facts.status.service, facts.status.want) = (service, want);
            facts
        };
        let running = Service::Up { pid: 1, paused: false };
        let paused = Service::Up { pid: 1, paused: true };
        let table = [
            (up(), "up", Colour::Green),
            (Facts { normally: Normally::Down, ..up() }, "up, normally down", Colour::Green),
            (wanted(running, Want::Down), "up, want down", Colour::Yellow),
            (wanted(paused, Want::Up), "paused", Colour::Yellow),
            (down(), "down, normally up", Colour::Yellow),
            (normally_down, "down", Colour::Plain),
            (wanted(Service::Down, Want::Up), "down, want up", Colour::Red),
            (with(Some(Pause::Clearing(at(5)))), "clearing", Colour::Yellow),
            (with(Some(Pause::Failed(at(5)))), "failed", Colour::Red),
            (with(Some(Pause::Done(at(5)))), "started", Colour::Green),
            (with(Some(Pause::Script(Script::Stop, 7, at(5)))), "stopping", Colour::Yellow),
            (with(Some(Pause::Waiting(6, at(-8)))), "down, again in 8s", Colour::Red),
            (with(Some(Pause::Waiting(6, at(8)))), "down, again soon", Colour::Red),
        ];
        for (facts, words, colour) in table {
            assert_eq!(state(&facts, NOW), (words.to_owned(), colour));
        }
    }

    #[test]
    fn durations_and_sizes_are_short() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m 0s"),
            (3599, "59m 59s"),
            (3600, "1h 0m"),
            (86399, "23h 59m"),
            (86400, "1d 0h"),
            (u64::MAX, "213503982334601d 7h"),
        ] {
            assert_eq!(duration(seconds), words);
        }
        for (bytes, words) in [
            (0, "0K"),
            (1, "1K"),
            (1_047_552, "1023K"),
            (1_048_576, "1.0M"),
            (5_400_000, "5.2M"),
            (150_000_000, "143M"),
            (1_100_000_000, "1.1G"),
            (u64::MAX, "16777216T"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn a_name_does_nothing_to_the_terminal() {
        assert_eq!(printable(b"a\x1b[2Jb\xff\n"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
    }
}
