//! What happens to each line.

use memchr::{memchr, memrchr};
use wire::gather::Gather;

use crate::multilog::script::{Action, Script};

/// Bytes at the beginning of a line that patterns and status files see.
pub const HEAD: usize = 1000;

/// Bytes of a status file.
pub const STATUS: usize = HEAD + 1;

/// Bytes of a line that are shown on stderr.
const ALERT: usize = 200;

/// Bytes that a pipe takes in one piece, whoever else writes to it.
const PIPE: usize = 4096;

/// Carries out a script's actions on a stream of lines, a block at a time.
#[derive(Debug)]
pub struct Machine {
    actions: Vec<Action>,
    logs: Vec<Flow>,
    statuses: Vec<Status>,
    alerts: Gather,
    /// No action ever looks at a line.
    is_blind: bool,
    /// The last block ended within a line whose first bytes have been looked at.
    is_within: bool,
}

/// What a log gets of the lines.
#[derive(Debug)]
enum Flow {
    /// All: no pattern stands before it.
    All,
    /// Some, which are gathered here.
    Some { lines: Gather, is_selected: bool },
}

/// A status file to be.
#[derive(Debug, Default)]
struct Status {
    line: Gather,
    is_new: bool,
}

impl Machine {
    /// The machine for a script, before the first line.
    #[must_use]
    pub fn new(script: &Script) -> Machine {
        let mut logs = Vec::with_capacity(script.logs.len());
        let mut has_pattern = false;
        for action in &script.actions {
            match action {
                Action::Deselect(_) | Action::Select(_) => has_pattern = true,
                Action::Log(_) if has_pattern => {
                    logs.push(Flow::Some { lines: Gather::default(), is_selected: false });
                }
                Action::Log(_) => logs.push(Flow::All),
                Action::Alert | Action::Status(_) => {}
            }
        }
        let is_blind = script.actions.iter().all(|action| matches!(action, Action::Log(_)));
        Machine {
            actions: script.actions.clone(),
            logs,
            statuses: script.statuses.iter().map(|_| Status::default()).collect(),
            alerts: Gather::default(),
            is_blind: is_blind && !has_pattern,
            is_within: false,
        }
    }

    /// Takes the next block of the stream, and gives how many of its bytes were taken.
    ///
    /// What is left is the beginning of a line, shorter than [`HEAD`] bytes, which must come again before
    /// what follows it. Until the next call, [`Machine::log`], [`Machine::alerts`] and
    /// [`Machine::status`] give what this block brought.
    pub fn feed(&mut self, block: &[u8]) -> usize {
        self.alerts.clear();
        for flow in &mut self.logs {
            if let Flow::Some { lines, .. } = flow {
                lines.clear();
            }
        }
        if self.is_blind { self.pass(block) } else { self.look(block) }
    }

    /// Where no action looks at lines, only the end of the last one matters.
    fn pass(&mut self, block: &[u8]) -> usize {
        let ended = memrchr(b'\n', block).map(|newline| newline + 1);
        let begun = block.len() - ended.unwrap_or(0);
        self.is_within = begun >= HEAD || (ended.is_none() && self.is_within);
        if self.is_within { block.len() } else { ended.unwrap_or(0) }
    }

    fn look(&mut self, block: &[u8]) -> usize {
        let mut rest = block;
        loop {
            let end = memchr(b'\n', rest).map(|newline| newline + 1);
            if !self.is_within {
                let line = match end {
                    Some(end) => rest.get(..end - 1).unwrap_or_default(),
                    None if rest.len() < HEAD => return block.len() - rest.len(),
                    None => rest,
                };
                self.decide(line.get(..HEAD).unwrap_or(line));
            }
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            for flow in &mut self.logs {
                if let Flow::Some { lines, is_selected: true } = flow {
                    lines.push(part);
                }
            }
            self.is_within = end.is_none();
            rest = after;
            if rest.is_empty() {
                return block.len();
            }
        }
    }

    /// Goes through the actions for a line that begins with `head`.
    fn decide(&mut self, head: &[u8]) {
        let mut selected = true;
        for action in &self.actions {
            match action {
                Action::Alert if selected => alert(&mut self.alerts, head),
                Action::Deselect(pattern) => selected = selected && !pattern.matches(head),
                Action::Log(log) => {
                    if let Some(Flow::Some { is_selected, .. }) = self.logs.get_mut(*log) {
                        *is_selected = selected;
                    }
                }
                Action::Select(pattern) => selected = selected || pattern.matches(head),
                Action::Status(status) if selected => {
                    if let Some(Status { line, is_new }) = self.statuses.get_mut(*status) {
                        line.clear();
                        line.push(head);
                        *is_new = true;
                    }
                }
                Action::Alert | Action::Status(_) => {}
            }
        }
    }

    /// Whether the bytes taken so far end within a line.
    #[must_use]
    pub fn is_within_line(&self) -> bool {
        self.is_within
    }

    /// What log number `log` gets, where `taken` is the part of the last block that was taken.
    #[must_use]
    pub fn log<'a>(&'a self, log: usize, taken: &'a [u8]) -> &'a [u8] {
        match self.logs.get(log) {
            Some(Flow::All) => taken,
            Some(Flow::Some { lines, .. }) => lines.text(),
            None => b"",
        }
    }

    /// What goes to stderr: pieces that end with a line, and that a pipe takes as one.
    pub fn alerts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.alerts.text();
        std::iter::from_fn(move || {
            let most = rest.get(..PIPE).unwrap_or(rest);
            let (piece, after) = rest.split_at(memrchr(b'\n', most)? + 1);
            rest = after;
            Some(piece)
        })
    }

    /// The new contents of status file number `status`, if it has changed since this was asked.
    ///
    /// The last selected line, its first [`HEAD`] bytes, and newlines up to [`STATUS`] bytes.
    pub fn status(&mut self, status: usize) -> Option<&[u8]> {
        let Status { line, is_new } = self.statuses.get_mut(status)?;
        if !std::mem::take(is_new) {
            return None;
        }
        let padding = STATUS.saturating_sub(line.text().len());
        line.push([b'\n'; STATUS].get(..padding).unwrap_or_default());
        Some(line.text())
    }
}

/// Appends a line as stderr shows it: all of it, or its beginning and three dots.
fn alert(alerts: &mut Gather, head: &[u8]) {
    if let Some((shown, [_, ..])) = head.split_at_checked(ALERT) {
        alerts.push(shown);
        alerts.push_array(b"...\n");
    } else {
        alerts.push(head);
        alerts.push_array(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything a machine made of a stream: each log, stderr, each status file.
    #[derive(Debug, PartialEq)]
    struct Made {
        logs: Vec<String>,
        alerts: String,
        statuses: Vec<String>,
    }

    fn make(script: &[&str], blocks: &[&[u8]]) -> Made {
        let script = Script::parse(script).unwrap();
        let mut machine = Machine::new(&script);
        let mut made = Made {
            logs: vec![String::new(); script.logs.len()],
            alerts: String::new(),
            statuses: vec![String::new(); script.statuses.len()],
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut left = Vec::new();
        for block in blocks {
            left.extend_from_slice(block);
            let taken = machine.feed(&left);
            for (number, log) in made.logs.iter_mut().enumerate() {
                *log += &text(machine.log(number, &left[..taken]));
            }
            made.alerts.extend(machine.alerts().map(text));
            for (number, status) in made.statuses.iter_mut().enumerate() {
                if let Some(new) = machine.status(number) {
                    *status = text(new);
                }
            }
            left.drain(..taken);
            assert!(left.len() < HEAD && !left.contains(&b'\n'));
        }
        made
    }

    fn alerts(script: &[&str], input: &str) -> String {
        make(script, &[input.as_bytes()]).alerts
    }

    #[test]
    fn every_line_begins_selected() {
        assert_eq!(alerts(&["e"], "one\ntwo\n"), "one\ntwo\n");
        assert_eq!(alerts(&["e", "e"], "one\ntwo\n"), "one\none\ntwo\ntwo\n");
        assert_eq!(alerts(&["-*", "e"], "one\ntwo\n"), "");
        assert_eq!(alerts(&["-*", "+one", "e"], "one\ntwo\n"), "one\n");
        assert_eq!(alerts(&["+x", "-o*", "e", "+*n*", "e"], "one\ntwo\n"), "one\ntwo\ntwo\n");
    }

    #[test]
    fn stderr_shows_two_hundred_bytes_of_a_line() {
        let (whole, longer) = ("x".repeat(200), "x".repeat(201));
        assert_eq!(alerts(&["e"], &format!("{whole}\n")), format!("{whole}\n"));
        assert_eq!(alerts(&["e"], &format!("{longer}\n")), format!("{whole}...\n"));
    }

    #[test]
    fn stderr_gets_pieces_that_no_other_writer_can_tear() {
        let script = Script::parse(&["e"]).unwrap();
        let mut machine = Machine::new(&script);
        machine.feed("0123456789\n".repeat(1000).as_bytes());
        let pieces: Vec<_> = machine.alerts().collect();
        assert_eq!(pieces.concat().len(), 11_000);
        assert!(pieces.iter().all(|piece| piece.len() <= PIPE && piece.ends_with(b"\n")));
        assert_eq!(pieces.len(), 3);
    }

    #[test]
    fn a_status_file_holds_the_last_selected_line() {
        let made = make(&["-two", "=status"], &[b"one\ntwo\n"]);
        assert_eq!(made.statuses, [format!("one{}", "\n".repeat(998))]);
        let long = format!("{}\n", "x".repeat(1500));
        let made = make(&["=status"], &[long.as_bytes()]);
        assert_eq!(made.statuses, [format!("{}\n", "x".repeat(1000))]);
    }

    #[test]
    fn a_log_gets_what_is_selected_where_it_stands() {
        let made = make(&["./all", "-*", "+o*", "./some", "+*", "./again"], &[b"one\ntwo\n"]);
        assert_eq!(made.logs, ["one\ntwo\n", "one\n", "one\ntwo\n"]);
    }

    #[test]
    fn a_line_is_known_by_its_first_thousand_bytes() {
        let line = [&[b'a'; HEAD][..], b"tail\nb\n"].concat();
        let pattern = format!("+{}", "a".repeat(HEAD));
        let made = make(&["-*", &pattern, "./log"], &[&line]);
        assert_eq!(made.logs, [String::from_utf8(line[..HEAD + 5].to_vec()).unwrap()]);
    }

    #[test]
    fn a_long_line_is_passed_on_before_it_ends() {
        for script in [&["./log"][..], &["-x", "./log"], &["-x", "+x", "./log", "e"]] {
            let mut machine = Machine::new(&Script::parse(script).unwrap());
            assert_eq!(machine.feed(&[b'a'; HEAD - 1]), 0);
            assert!(!machine.is_within_line());
            let block = [b'a'; HEAD];
            assert_eq!(machine.feed(&block), HEAD);
            assert!(machine.is_within_line());
            assert_eq!(machine.log(0, &block), block);
            assert_eq!(machine.feed(b"end\nb"), 4);
            assert!(!machine.is_within_line());
        }
    }

    /// The same, a line at a time.
    fn by_hand(script: &Script, input: &str) -> (Vec<String>, String) {
        let (mut logs, mut alerts) = (vec![String::new(); script.logs.len()], String::new());
        for line in input.split_inclusive('\n') {
            let head = &line[..line.len() - 1];
            let head = head.get(..HEAD).unwrap_or(head);
            let mut selected = true;
            for action in &script.actions {
                match action {
                    Action::Alert if selected && head.len() > 200 => {
                        alerts.extend([&head[..200], "...\n"]);
                    }
                    Action::Alert if selected => alerts.extend([head, "\n"]),
                    Action::Deselect(pattern) => selected &= !pattern.matches(head.as_bytes()),
                    Action::Select(pattern) => selected |= pattern.matches(head.as_bytes()),
                    Action::Log(log) if selected => logs[*log] += line,
                    _ => {}
                }
            }
        }
        (logs, alerts)
    }

    proptest! {
        #[test]
        fn blocks_do_not_matter(
            words in prop::collection::vec("(-|\\+)[ab*]{0,3}|e|\\./x|=s", 0..6),
            line in prop::collection::vec(("[ab]{0,4}", prop::bool::weighted(0.1)), 0..12),
            size in 20..1500_usize,
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let text = |(text, is_long): &(String, bool)| text.repeat(if *is_long { 300 } else { 1 });
            let mut input = line.iter().map(text).collect::<Vec<_>>().join("\n");
            input.push('\n');
            let blocks: Vec<&[u8]> = input.as_bytes().chunks(size).collect();
            let made = make(&words, &blocks);
            let (logs, alerts) = by_hand(&Script::parse(&words).unwrap(), &input);
            prop_assert_eq!(made.logs, logs);
            prop_assert_eq!(made.alerts, alerts);
        }
    }
}
