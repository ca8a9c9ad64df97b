//! The rules by example; and a model of a directory, in which every turn-over and every recovery is cut
//! short after each step.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use proptest::prelude::*;

#[test]
fn a_file_never_exceeds_its_size() {
    assert_eq!(cut(0, 4096, &[b'x'; 10_000]), 4096);
    assert_eq!(cut(4000, 4096, &[b'x'; 10_000]), 96);
    assert!(is_full(4096, 4096, b"x"));
    assert!(!is_full(4095, 4096, b"x"));
}

#[test]
fn close_to_its_size_a_file_ends_with_a_line() {
    let data = [&[b'x'; 3000][..], b"\nyyyy"].concat();
    assert_eq!(cut(0, 4096, &data), 3001);
    assert!(is_full(3001, 4096, &data[..3001]));
    assert!(is_full(2096, 4096, b"\n"));
    assert!(!is_full(2095, 4096, b"\n"));
}

#[test]
fn far_from_its_size_everything_goes_into_a_file() {
    assert_eq!(cut(0, 99_999, b"a\nbc"), 4);
    assert_eq!(cut(0, 4096, b""), 0);
}

const NOW: Wall = Wall { seconds: 1_000_000_000, nanos: 5 };

fn at(seconds: i64) -> String {
    old_name(Wall { seconds, nanos: 0 }, OsStr::new("s")).into_string().unwrap()
}

/// What goes of files of 10 bytes each.
fn surplus_of(names: &[&str], keep: u64, room: u64) -> Vec<String> {
    let files = names.iter().map(|name| (OsString::from(name), 10)).collect();
    surplus(files, keep, room, NOW).into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn fewer_than_the_number_are_left_and_the_oldest_go_first() {
    let names = [&*at(3), &at(1), &at(2)];
    assert_eq!(surplus_of(&names, 4, 100), Vec::<String>::new());
    assert_eq!(surplus_of(&names, 3, 100), [at(1)]);
    assert_eq!(surplus_of(&names, 2, 100), [at(1), at(2)]);
    assert!(is_old(at(1).as_bytes()) && !is_old(b"current") && !is_old(b"@short"));
}

#[test]
fn old_files_go_until_there_is_room_for_the_others() {
    let names = [&*at(3), &at(1), &at(2)];
    assert_eq!(surplus_of(&names, 9, 30), Vec::<String>::new());
    assert_eq!(surplus_of(&names, 9, 29), [at(1)]);
    assert_eq!(surplus_of(&names, 9, 10), [at(1), at(2)]);
    assert_eq!(surplus_of(&names, 9, 0), [at(1), at(2), at(3)]);
    assert_eq!(surplus_of(&names, 2, 29), [at(1), at(2)]);
}

#[test]
fn files_from_the_future_go_before_those_from_the_past() {
    let (past, future) = (at(1), at(2_000_000_000));
    assert_eq!(surplus_of(&[&past, &future], 2, 100), [future]);
    let (past, soon) = (at(1), at(NOW.seconds + 3600));
    let strange = format!("@{}", "z".repeat(24));
    assert_eq!(surplus_of(&[&past, &soon], 2, 100), [at(1)]);
    assert_eq!(surplus_of(&[&past, &strange], 2, 100), [past]);
}

#[test]
fn names_stay_in_order_when_the_clock_is_set_back_a_little() {
    let now = |seconds, nanos| Wall { seconds, nanos };
    assert_eq!(next_time(now(8, 3), now(9, 1)), now(9, 1));
    assert_eq!(next_time(now(9, 1), now(9, 1)), now(9, 2));
    assert_eq!(next_time(now(9, 999_999_999), now(5, 0)), now(10, 0));
    assert_eq!(next_time(now(3600, 0), now(0, 0)), now(3600, 1));
    assert_eq!(next_time(now(3601, 0), now(0, 0)), now(0, 0));
}

#[test]
fn the_newest_name_is_not_from_the_future() {
    let names = [at(3), at(2_000_000_000), "current".into(), at(7)].map(OsString::from);
    assert_eq!(newest(&names, NOW), Wall { seconds: 7, nanos: 0 });
    assert_eq!(next_time(newest(&[], NOW), NOW), NOW);
}

/// A file: its lines, how many of them are on disk, whether it is closed.
#[derive(Clone, Debug, Default, PartialEq)]
struct File {
    number: u32,
    lines: Vec<u32>,
    synced: usize,
    closed: bool,
}

/// A directory with one writer.
#[derive(Clone, Debug, Default)]
struct Model {
    files: BTreeMap<Name, File>,
    old: Vec<(File, Code)>,
    next: u32,
    created: u32,
    /// The names that are on disk.
    disk: (BTreeMap<Name, File>, Vec<(File, Code)>),
    /// The lines of finished files.
    safe: BTreeSet<u32>,
}

impl Model {
    /// A directory that a start has made ready.
    fn new() -> Model {
        let mut model = Model::default();
        model.start(usize::MAX);
        model
    }

    /// Takes at most `most` of `steps`; gives how many it took.
    fn take(&mut self, steps: &[Step], most: usize) -> usize {
        for step in steps.iter().take(most) {
            match *step {
                Step::Close(name) => self.files.get_mut(&name).unwrap().closed = true,
                Step::Create(name) => self.create(name, Vec::new()),
                Step::Finish(name, code) => {
                    let Some(file) = self.files.remove(&name) else { continue };
                    if code == Code::Safe {
                        self.safe.extend(&file.lines);
                    }
                    self.old.push((file, code));
                }
                Step::Process => {
                    let lines = self.files.get(&Name::Previous).unwrap().lines.clone();
                    self.create(Name::Processed, lines);
                    self.create(Name::NewState, Vec::new());
                }
                Step::Prune => {}
                Step::SyncNames => self.disk = (self.files.clone(), self.old.clone()),
                Step::Remove(name) => drop(self.files.remove(&name)),
                Step::Rename(from, to) => {
                    let file = self.files.remove(&from).unwrap();
                    assert!(to != Name::Previous || !self.files.contains_key(&to), "overwritten");
                    self.files.insert(to, file);
                }
                Step::Sync(name) => {
                    let file = self.files.get_mut(&name).unwrap();
                    file.synced = file.lines.len();
                    let file = file.clone();
                    let named = self.disk.0.values_mut();
                    for named in named.chain(self.disk.1.iter_mut().map(|(file, _)| file)) {
                        if named.number == file.number {
                            named.lines.clone_from(&file.lines);
                            named.synced = file.synced;
                        }
                    }
                }
            }
        }
        steps.len().min(most)
    }

    fn create(&mut self, name: Name, lines: Vec<u32>) {
        self.created += 1;
        let file = File { number: self.created, lines, ..File::default() };
        self.files.insert(name, file);
    }

    /// Leaves the names that are on disk, and of each file what is on disk.
    fn lose_power(&mut self) {
        (self.files, self.old) = self.disk.clone();
        for file in self.files.values_mut().chain(self.old.iter_mut().map(|(file, _)| file)) {
            file.lines.truncate(file.synced);
        }
    }

    fn start(&mut self, most: usize) -> usize {
        let closed = |name| self.files.get(&name).is_some_and(|file: &File| file.closed);
        let found = Found {
            current_closed: closed(Name::Current),
            previous: self.files.contains_key(&Name::Previous),
            processed_closed: closed(Name::Processed),
        };
        let steps = recover(found);
        let taken = self.take(&steps, most);
        if taken == steps.len() {
            self.files.get_mut(&Name::Current).unwrap().closed = false;
        }
        taken
    }

    fn write(&mut self, lines: u32) {
        let current = self.files.get_mut(&Name::Current).unwrap();
        current.lines.extend(self.next..self.next + lines);
        self.next += lines;
    }

    /// Every line once and in order, counting a file and what is being made of it as one.
    fn check(&self) {
        let half = [Name::Previous, Name::Processed].iter().find_map(|name| self.files.get(name));
        let current = self.files.get(&Name::Current);
        let all: Vec<u32> = self
            .old
            .iter()
            .map(|(file, _)| file)
            .chain(half)
            .chain(current)
            .flat_map(|file| file.lines.iter().copied())
            .collect();
        assert_eq!(all, (0..self.next).collect::<Vec<_>>(), "{self:?}");
        for (file, code) in &self.old {
            assert!(*code != Code::Safe || file.synced == file.lines.len(), "unsafe: {self:?}");
        }
    }
}

#[test]
fn no_line_is_lost_or_doubled_by_two_crashes_at_any_step() {
    for steps in [turn_over(false), turn_over(true)] {
        for first in 0..=steps.len() {
            for second in 0..=12 {
                let mut model = Model::new();
                model.write(3);
                model.take(steps, first);
                if model.files.contains_key(&Name::Current) {
                    model.write(2);
                }
                model.check();
                model.start(second);
                model.check();
                model.start(usize::MAX);
                model.check();
                model.write(1);
                model.take(steps, usize::MAX);
                model.check();
            }
        }
    }
}

#[test]
fn no_line_of_a_finished_file_is_lost_by_a_power_cut_at_any_step() {
    for steps in [turn_over(false), turn_over(true)] {
        for first in 0..=2 * steps.len() {
            let mut model = Model::new();
            model.take(SETTLE, usize::MAX);
            model.write(3);
            let rest = first - model.take(steps, first);
            if rest > 0 {
                model.write(2);
                model.take(steps, rest);
            }
            model.lose_power();
            model.start(usize::MAX);
            let files = model.files.values().chain(model.old.iter().map(|(file, _)| file));
            let left: BTreeSet<u32> = files.flat_map(|file| file.lines.iter().copied()).collect();
            assert!(model.safe.is_subset(&left), "after {first} steps: {model:?}");
        }
    }
}

#[test]
fn a_processor_that_is_not_waited_for_leaves_the_file_unprocessed() {
    let steps = turn_over(true);
    let process = steps.iter().position(|step| *step == Step::Process).unwrap();
    let mut model = Model::new();
    model.write(3);
    model.take(steps, process);
    model.take(UNPROCESSED, usize::MAX);
    model.check();
    assert_eq!(model.old.last().map(|(_, code)| *code), Some(Code::Unprocessed));
}

#[test]
fn a_closed_log_is_appended_to() {
    let mut model = Model::new();
    model.write(3);
    model.take(&[Step::Sync(Name::Current), Step::Close(Name::Current)], usize::MAX);
    assert_eq!(model.start(usize::MAX), 0);
    model.write(1);
    model.check();
    assert_eq!(model.files[&Name::Current].lines.len(), 4);
}

proptest! {
    #[test]
    fn files_keep_the_bounds_whatever_is_written(
        writes in prop::collection::vec(
            prop::collection::vec((0..900_usize, prop::bool::weighted(0.8)), 1..20),
            1..20,
        ),
        size in 4096..9000_u64,
    ) {
        let mut held = 0;
        for write in &writes {
            let part = |&(length, ends): &(usize, bool)| {
                "x".repeat(length) + if ends { "\n" } else { "" }
            };
            let write: String = write.iter().map(part).collect();
            let mut data = write.as_bytes();
            while !data.is_empty() {
                if held >= size {
                    held = 0;
                }
                let (now, later) = data.split_at(cut(held, size, data));
                prop_assert!(!now.is_empty());
                held += now.len() as u64;
                prop_assert!(held <= size);
                if is_full(held, size, now) {
                    prop_assert!(held == size || (held + MARGIN >= size && now.ends_with(b"\n")));
                    held = 0;
                }
                data = later;
            }
        }
    }
}
