//! When and how a log's files turn over: the rules, and the steps in an order that survives a crash
//! after any of them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use memchr::memrchr;
use unix::clock::Wall;

use crate::stamp;
use crate::tai::{self, LABEL};

/// A file this close to its size is full when a line ends.
const MARGIN: u64 = 2000;

/// Seconds by which the clock may be set back, and old names are still given in order.
const STEP: i64 = 3600;

/// How many bytes of `data` go next into a file that holds `held` bytes and may hold `size`.
///
/// No more than there is room for; and once that comes close to the size, nothing behind the last
/// line end, if there is one. Source: multilog(8).
#[must_use]
pub fn cut(held: u64, size: u64, data: &[u8]) -> usize {
    let room = usize::try_from(size.saturating_sub(held)).unwrap_or(usize::MAX);
    let fitting = data.get(..room).unwrap_or(data);
    if held.saturating_add(fitting.len() as u64) < size.saturating_sub(MARGIN) {
        return fitting.len();
    }
    memrchr(b'\n', fitting).map_or(fitting.len(), |newline| newline + 1)
}

/// Whether a file is full when `written` has brought it to `held` bytes.
#[must_use]
pub fn is_full(held: u64, size: u64, written: &[u8]) -> bool {
    held >= size || (held >= size.saturating_sub(MARGIN) && written.ends_with(b"\n"))
}

/// The names with a meaning in a log directory, besides those of old files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// What is being written.
    Current,
    /// The processor's next state.
    NewState,
    /// What a processor makes of an old file, while lines are read.
    Packed,
    /// What is being rotated.
    Previous,
    /// What the processor makes of it.
    Processed,
    /// The processor's state.
    State,
}

impl Name {
    /// The name in the directory.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Name::Current => "current",
            Name::NewState => "newstate",
            Name::Packed => "packed",
            Name::Previous => "previous",
            Name::Processed => "processed",
            Name::State => "state",
        }
    }
}

/// What an old file's name says behind the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Finished, and safely on disk.
    Safe,
    /// Left by a crash, or not processed.
    Unprocessed,
}

/// One step of a turn-over or a recovery. After a crash or a failure it may be taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give the file 0744, which says that it is whole.
    Close(Name),
    /// Make an empty file with mode 0644.
    Create(Name),
    /// Give the file, if it is there, its old name: the time and a code. A file of no bytes that no
    /// processor made is removed.
    Finish(Name, Code),
    /// Let the processor make `processed` and `newstate` of `previous` and `state`.
    Process,
    /// Remove surplus old files.
    Prune,
    /// Remove the file, if it is there.
    Remove(Name),
    /// Give the first file the second name.
    Rename(Name, Name),
    /// Wait until the file's contents are on disk.
    Sync(Name),
    /// Wait until the names are on disk.
    SyncNames,
}

/// Turns `current` over.
///
/// Where it is closed and has its name still, a start goes on with it. Only a processor needs another
/// name on the way.
///
/// The names are synced before the file has a new one: it is safe by either name then, and where a
/// file system's journal has both, the two syncs are one. A new name is safe with the next file.
#[must_use]
pub fn turn_over(has_processor: bool) -> &'static [Step] {
    use {Name as N, Step as S};
    const PLAIN: &[Step] = &[
        S::Sync(N::Current),
        S::SyncNames,
        S::Close(N::Current),
        S::Finish(N::Current, Code::Safe),
        S::Create(N::Current),
        S::Prune,
    ];
    const PROCESSED: &[Step] = &[
        S::Sync(N::Current),
        S::Rename(N::Current, N::Previous),
        S::Create(N::Current),
        S::Close(N::Previous),
        S::Process,
        S::Sync(N::Processed),
        S::Close(N::Processed),
        S::Sync(N::NewState),
        // Before the original goes, the name of what was made of it must be safe.
        S::SyncNames,
        S::Remove(N::Previous),
        S::Rename(N::NewState, N::State),
        S::Finish(N::Processed, Code::Safe),
        S::SyncNames,
        S::Prune,
    ];
    if has_processor { PROCESSED } else { PLAIN }
}

/// Ends a turn-over whose processor is not waited for any longer.
pub const UNPROCESSED: &[Step] = &[
    Step::Remove(Name::Processed),
    Step::Remove(Name::NewState),
    Step::Finish(Name::Previous, Code::Unprocessed),
    Step::SyncNames,
    Step::Prune,
];

/// Ends a start: the names it has made are safe, and files that it has finished count.
pub const SETTLE: &[Step] = &[Step::SyncNames, Step::Prune];

/// Begins a new `current` after somebody has removed it.
pub const REPLACE: &[Step] = &[Step::Create(Name::Current), Step::SyncNames];

/// What a start finds in the directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// `current` is there and was closed: it can be appended to.
    pub current_closed: bool,
    /// `previous` is there: a turn-over was not ended.
    pub previous: bool,
    /// `processed` is there and was closed: it can take the place of `previous`.
    pub processed_closed: bool,
}

/// What to do first; then [`SETTLE`].
#[must_use]
pub fn recover(found: Found) -> Vec<Step> {
    use {Name as N, Step as S};
    let mut steps = Vec::new();
    if !found.current_closed {
        steps.extend([S::Remove(N::State), S::Remove(N::NewState)]);
    }
    if found.processed_closed {
        steps.extend([S::Remove(N::Previous), S::Finish(N::Processed, Code::Safe)]);
    } else if !found.current_closed || found.previous {
        steps.extend([S::Remove(N::Processed), S::Finish(N::Previous, Code::Unprocessed)]);
    }
    if !found.current_closed {
        steps.extend([S::Finish(N::Current, Code::Unprocessed), S::Create(N::State)]);
        steps.push(S::Create(N::Current));
    }
    steps
}

/// Whether an old name tells a time so far ahead that it was given before the clock was set right.
fn is_ahead(time: Wall, now: Wall) -> bool {
    time.seconds > now.seconds.saturating_add(STEP)
}

/// The time that an old name tells.
fn time(name: &OsString) -> Option<Wall> {
    name.as_bytes().get(..LABEL).and_then(tai::read)
}

/// The time for the next old name, where `last` is that of the newest: later than all others, also if
/// the clock has been set back a little, and the time that it is now, if it has been set back a lot.
#[must_use]
pub fn next_time(last: Wall, now: Wall) -> Wall {
    if last < now || is_ahead(last, now) {
        return now;
    }
    stamp::next(last)
}

/// The time of the newest of these old names.
#[must_use]
pub fn newest(names: &[OsString], now: Wall) -> Wall {
    let times = names.iter().filter_map(time).filter(|time| !is_ahead(*time, now));
    times.max().unwrap_or(Wall { seconds: i64::MIN, nanos: 0 })
}

/// The name of an old file that is finished at `time`.
#[must_use]
pub fn old_name(time: Wall, code: &OsStr) -> OsString {
    let stamp = tai::stamp(time);
    let label = stamp.get(..LABEL).unwrap_or_default();
    OsString::from_vec([label, b".", code.as_bytes()].concat())
}

/// Whether `name` counts as an old file: `@` and at least 24 bytes more.
#[must_use]
pub fn is_old(name: &[u8]) -> bool {
    name.starts_with(b"@") && name.len() >= LABEL
}

/// The old files to remove so that fewer than `keep` are left, and `room` is enough for their sizes; the
/// first to go first.
///
/// The lowest names in byte order are the oldest. Names that tell a time well after `now` were made
/// before the clock was set back, and go before all others.
#[must_use]
pub fn surplus(mut files: Vec<(OsString, u64)>, keep: u64, room: u64, now: Wall) -> Vec<OsString> {
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let held: u64 =
        files.iter().map(|(_, size)| size).fold(0, |sum, size| sum.saturating_add(*size));
    if files.len() < keep && held <= room {
        return Vec::new();
    }
    files.sort_by_cached_key(|(name, _)| {
        (time(name).is_none_or(|time| !is_ahead(time, now)), name.clone())
    });
    let (mut left, mut held) = (files.len(), held);
    let too_much = |(_, size): &(OsString, u64)| {
        let goes = left >= keep || held > room;
        left -= 1;
        held = held.saturating_sub(*size);
        goes
    };
    let count = files.iter().map(too_much).take_while(|goes| *goes).count();
    files.into_iter().take(count).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
