//! What qmail-getpw has said, for as long as it would say the same again.
//!
//! An answer that rests on the account files alone is remembered until one of them is another or has changed,
//! and for a minute at most. That it was the user's home is for that user's qmail-local to confirm.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use unix::file::Version;
use unix::user::SOURCES;

use crate::users::Owner;

/// An answer is not used for longer.
const LIFETIME: Duration = Duration::from_mins(1);

/// Answers that are remembered.
const MOST: usize = 512;

/// The longest local part that one is remembered for.
const LONGEST: usize = 64;

/// Since when the files have been as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(u64);

/// The owners of local parts.
#[derive(Debug)]
pub struct Known {
    sources: [PathBuf; 2],
    versions: [Option<Version>; 2],
    round: u64,
    owners: HashMap<Vec<u8>, (Instant, Owner)>,
}

impl Default for Known {
    fn default() -> Known {
        Known::of(SOURCES.map(PathBuf::from))
    }
}

impl Known {
    /// Nothing is known yet of what these files say.
    #[must_use]
    pub fn of(sources: [PathBuf; 2]) -> Known {
        Known { sources, versions: [None; 2], round: 0, owners: HashMap::new() }
    }

    /// Looks at the files; forgets everything if they are not what they were. `None` if they have changed so
    /// short a time ago that the next change might not show: then nothing is known, or to be learned.
    pub fn look(&mut self) -> Option<Round> {
        let look = |path: &PathBuf| fs::metadata(path).ok().map(|data| Version::of(&data));
        let versions = self.sources.each_ref().map(look);
        if versions != self.versions {
            self.versions = versions;
            self.round += 1;
            self.owners.clear();
        }
        let is_settled = versions.iter().flatten().all(Version::is_settled);
        is_settled.then_some(Round(self.round))
    }

    /// The owner of `local`, as the files were when they were looked at.
    #[must_use]
    pub fn owner(&self, now: Instant, local: &[u8]) -> Option<&Owner> {
        let (since, owner) = self.owners.get(local)?;
        (now.saturating_duration_since(*since) < LIFETIME).then_some(owner)
    }

    /// What was found out by a question that was asked in `round`.
    pub fn learn(&mut self, now: Instant, round: Round, local: &[u8], owner: &Owner) {
        if round != Round(self.round) || local.len() > LONGEST {
            return;
        }
        if self.owners.len() >= MOST {
            self.owners.clear(); // those that are asked for often come back at once
        }
        self.owners.insert(local.to_vec(), (now, owner.clone()));
    }

    /// What was known of `local` is in doubt.
    pub fn forget(&mut self, local: &[u8]) {
        self.owners.remove(local);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::path::Path;
    use std::time::SystemTime;

    fn owner() -> Owner {
        Owner::parse(b"joe\x00507\x00100\0/home/joe\0\0\0").unwrap()
    }

    /// The files are looked at as if they had not changed for an hour.
    fn settle(known: &mut Known) -> Round {
        known.look();
        Round(known.round)
    }

    fn known(dir: &Path) -> Known {
        fs::write(dir.join("passwd"), "joe").unwrap();
        let mut known = Known::of(["passwd", "nsswitch.conf"].map(|name| dir.join(name)));
        let (now, round) = (Instant::now(), settle(&mut known));
        known.learn(now, round, b"joe", &owner());
        known
    }

    #[test]
    fn nothing_is_learned_from_a_file_that_has_just_changed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(known(dir.path()).look(), None);
        // Made long ago, as far as a test can have that.
        let mut old = Known::of([PathBuf::from("/proc/1"), dir.path().join("nsswitch.conf")]);
        assert_eq!(
            old.look().is_some(),
            Version::of(&fs::metadata("/proc/1").unwrap()).is_settled()
        );
    }

    #[test]
    fn an_answer_is_forgotten_when_a_file_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let passwd = dir.path().join("passwd");
        let change: [&dyn Fn(); 5] = [
            &|| fs::write(&passwd, "jim").unwrap(),
            &|| fs::write(&passwd, "joe, jim").unwrap(),
            &|| {
                fs::write(dir.path().join("new"), "joe").unwrap();
                fs::rename(dir.path().join("new"), &passwd).unwrap();
            },
            &|| fs::remove_file(&passwd).unwrap(),
            &|| fs::write(dir.path().join("nsswitch.conf"), "").unwrap(),
        ];
        for (number, change) in change.into_iter().enumerate() {
            let mut known = known(dir.path());
            known.look();
            assert_eq!(known.owner(now, b"joe"), Some(&owner()), "{number}");
            // The clock of a file system may stand for some milliseconds.
            let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
            File::options().write(true).open(&passwd).unwrap().set_times(times).unwrap();
            known.look();
            let (round, again) = (settle(&mut known), owner());
            known.learn(now, round, b"joe", &again);
            change();
            known.look();
            assert_eq!(known.owner(now, b"joe"), None, "{number}");
        }
    }

    #[test]
    fn an_answer_is_not_learned_if_a_file_changed_after_the_question() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = known(dir.path());
        let asked = settle(&mut known);
        fs::write(dir.path().join("passwd"), "joe, jim").unwrap();
        settle(&mut known);
        known.learn(Instant::now(), asked, b"jim", &owner());
        assert_eq!(known.owner(Instant::now(), b"jim"), None);
    }

    #[test]
    fn an_answer_lasts_a_minute_unless_it_is_in_doubt() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = known(dir.path());
        let now = Instant::now();
        assert!(known.owner(now, b"joe").is_some() && known.owner(now, b"Joe").is_none());
        assert!(known.owner(now + LIFETIME, b"joe").is_none());
        known.forget(b"joe");
        assert!(known.owner(now, b"joe").is_none());
    }

    #[test]
    fn there_are_not_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = known(dir.path());
        let (now, round) = (Instant::now(), settle(&mut known));
        for number in 0..3 * MOST {
            known.learn(now, round, number.to_string().as_bytes(), &owner());
            assert!(known.owners.len() <= MOST);
        }
        known.learn(now, round, &[b'x'; LONGEST + 1], &owner());
        assert!(known.owner(now, &[b'x'; LONGEST + 1]).is_none());
    }
}
