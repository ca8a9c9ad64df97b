//! Hosts that did not answer: the tables queue/lock/tcpto and queue/lock/tcpto6.
//!
//! The first is the original's, for IPv4: records of 16 bytes with the address at 0, the count of
//! recent timeouts at 4 and the time of the last, in seconds since 1970, at 8. The second is for IPv6:
//! records of 32 bytes with the address at 0, the count at 16 and the time at 24. Numbers are little-endian,
//! all other bytes 0. The tables are advice: without one, or with one that cannot be read, every
//! host is tried.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use queue::home::Home;
use unix::file;
use wire::ip;

/// Records in a table.
const RECORDS: usize = 64;
/// Most timeouts that are counted.
const MOST: u8 = 10;
/// A host is left alone after this many.
const DEAD: u8 = 2;
/// Timeouts within so many seconds of one another count as one.
const APART: u64 = 120;

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// queue/lock/tcpto.
    Four,
    /// queue/lock/tcpto6.
    Six,
}

impl Family {
    /// The file's name in queue/lock.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Family::Four => "tcpto",
            Family::Six => "tcpto6",
        }
    }

    /// Bytes of a record.
    #[must_use]
    pub fn record_size(self) -> usize {
        match self {
            Family::Four => 16,
            Family::Six => 32,
        }
    }
}

/// What a table knows of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub address: IpAddr,
    /// How many times it did not answer, 0 for an entry that is free.
    pub count: u8,
    /// When it last did not, in seconds since 1970.
    pub time: u64,
}

impl Entry {
    fn read(record: &[u8]) -> Option<Entry> {
        if let [a, b, c, d, count, _, _, _, t0, t1, t2, t3, _, _, _, _] = *record {
            let time = u32::from_le_bytes([t0, t1, t2, t3]).into();
            return Some(Entry { address: [a, b, c, d].into(), count, time });
        }
        let (address, rest) = record.split_first_chunk::<16>()?;
        let time = u64::from_le_bytes(*rest.last_chunk()?);
        Some(Entry { address: (*address).into(), count: *rest.first()?, time })
    }

    fn write(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(32);
        match self.address {
            IpAddr::V4(four) => record.extend_from_slice(&four.octets()),
            IpAddr::V6(six) => record.extend_from_slice(&six.octets()),
        }
        record.push(self.count);
        record.resize(record.len().next_multiple_of(8), 0);
        match self.address {
            IpAddr::V4(_) => {
                // Beyond 2106 the original's form has no room; a time at its end is as good.
                let time = u32::try_from(self.time).unwrap_or(u32::MAX);
                record.extend_from_slice(&time.to_le_bytes());
                record.extend_from_slice(&[0; 4]);
            }
            IpAddr::V6(_) => record.extend_from_slice(&self.time.to_le_bytes()),
        }
        record
    }

    /// True if the host is to be left alone at `now`: for 64 to 97 minutes, which the number of the
    /// process decides, so that not everybody tries it again at the same moment.
    fn is_dead(&self, now: u64, pid: u32) -> bool {
        let seconds = (60 + u64::from(pid & 31)) * 64;
        self.count >= DEAD && now.checked_sub(self.time).is_some_and(|age| age < seconds)
    }
}

/// The entries of a table as it lies in its file; a partial last record is left out.
pub fn entries(family: Family, table: &[u8]) -> impl Iterator<Item = Entry> {
    table.chunks_exact(family.record_size()).take(RECORDS).filter_map(Entry::read)
}

/// The record that says that `address` has not answered at `now`, and its place in the table; none if
/// nothing is to be changed. Source: qmail-tcpto(8), and as observed.
fn timed_out(family: Family, table: &[u8], address: IpAddr, now: u64) -> Option<(usize, Entry)> {
    let known = entries(family, table).enumerate().find(|(_, entry)| entry.address == address);
    if let Some((place, entry)) = known {
        let recent = now.checked_sub(entry.time).is_some_and(|age| age < APART);
        if entry.count > 0 && recent {
            return None;
        }
        let count = entry.count.saturating_add(1).min(MOST);
        return Some((place, Entry { count, time: now, ..entry }));
    }
    // The one that is free, or that will be missed the least.
    let worth = |entry: &Entry| match entry.count {
        0 => None,
        count => Some(entry.time.saturating_add(u64::from(count) << 10)),
    };
    let (place, _) = entries(family, table).enumerate().min_by_key(|(_, entry)| worth(entry))?;
    Some((place, Entry { address, count: 1, time: now }))
}

/// The record that says that `address` has answered.
fn answered(family: Family, table: &[u8], address: IpAddr) -> Option<(usize, Entry)> {
    let (place, entry) = entries(family, table)
        .enumerate()
        .find(|(_, entry)| entry.address == address && entry.count > 0)?;
    Some((place, Entry { count: 0, ..entry }))
}

/// The tables of a host, as one process uses them.
#[derive(Debug)]
pub struct DeadHosts {
    directory: PathBuf,
    /// Hosts of which something was known when they were looked up.
    known: Vec<IpAddr>,
}

impl DeadHosts {
    /// The tables of `home`.
    #[must_use]
    pub fn of(home: &Home) -> DeadHosts {
        DeadHosts { directory: home.queue().join("lock"), known: Vec::new() }
    }

    /// True if `address` is to be left alone by process `pid` at `now` (seconds since 1970).
    pub fn is_dead(&mut self, address: IpAddr, now: u64, pid: u32) -> bool {
        let (family, address) = kind(address);
        let Ok(table) =
            File::open(self.directory.join(family.name())).and_then(|file| read(family, file))
        else {
            return false;
        };
        let Some(entry) = entries(family, &table).find(|entry| entry.address == address) else {
            return false;
        };
        self.known.push(address);
        entry.is_dead(now, pid)
    }

    /// `address` did not answer in time.
    pub fn timed_out(&self, address: IpAddr, now: u64) {
        let (family, address) = kind(address);
        // Advice that cannot be given is not given.
        let _ = self.change(family, |table| timed_out(family, table, address, now));
    }

    /// `address` answered, if only by refusing: what was known of it when it was looked up no longer holds.
    pub fn answered(&self, address: IpAddr) {
        let (family, address) = kind(address);
        if self.known.contains(&address) {
            let _ = self.change(family, |table| answered(family, table, address)); // as above
        }
    }

    fn change(
        &self,
        family: Family,
        change: impl FnOnce(&[u8]) -> Option<(usize, Entry)>,
    ) -> io::Result<()> {
        let path = self.directory.join(family.name());
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file::lock(&file)?;
        let table = read(family, &file)?;
        if let Some((place, entry)) = change(&table) {
            file.write_all_at(&entry.write(), (place * family.record_size()) as u64)?;
        }
        Ok(())
    }
}

fn kind(address: IpAddr) -> (Family, IpAddr) {
    let address = ip::unmapped(address);
    (if address.is_ipv4() { Family::Four } else { Family::Six }, address)
}

/// The bytes of a table, for [`entries`]; what lies behind its last record is not read.
pub fn read(family: Family, file: impl Read) -> io::Result<Vec<u8>> {
    let size = RECORDS * family.record_size();
    let mut table = Vec::with_capacity(size);
    file.take(size as u64).read_to_end(&mut table)?;
    Ok(table)
}

/// Makes all hosts worth trying again: fills each table that is there with zeros.
pub fn clear(home: &Home) -> io::Result<()> {
    for family in [Family::Four, Family::Six] {
        let path = home.queue().join("lock").join(family.name());
        let file = match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        file::lock(&file)?;
        file.write_all_at(&vec![0; RECORDS * family.record_size()], 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(number: u8, family: Family) -> IpAddr {
        match family {
            Family::Four => [192, 0, 2, number].into(),
            Family::Six => [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number].into(),
        }
    }

    fn home(files: &[(Family, usize)]) -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("queue/lock");
        std::fs::create_dir_all(&lock).unwrap();
        for (family, length) in files {
            std::fs::write(lock.join(family.name()), vec![0; *length]).unwrap();
        }
        let home = Home { path: dir.path().into(), private: true };
        (dir, home)
    }

    fn tables() -> (tempfile::TempDir, Home) {
        home(&[(Family::Four, 1024), (Family::Six, 2048)])
    }

    fn listed(home: &Home, family: Family) -> Vec<(IpAddr, u8, u64)> {
        let table = std::fs::read(home.queue().join("lock").join(family.name())).unwrap();
        entries(family, &table)
            .filter(|entry| entry.count > 0)
            .map(|entry| (entry.address, entry.count, entry.time))
            .collect()
    }

    #[test]
    fn a_record_is_the_original_s() {
        let (_dir, home) = tables();
        DeadHosts::of(&home).timed_out("::ffff:192.0.2.1".parse().unwrap(), 0x0102_0304);
        let table = std::fs::read(home.queue().join("lock/tcpto")).unwrap();
        let expected = [192, 0, 2, 1, 1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0];
        assert_eq!((&table[..16], table.len()), (&expected[..], 1024));
        assert!(table[16..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_host_is_dead_after_two_timeouts_that_are_apart() {
        for family in [Family::Four, Family::Six] {
            let (_dir, home) = tables();
            let address = host(1, family);
            let mut hosts = DeadHosts::of(&home);
            hosts.timed_out(address, 1000);
            hosts.timed_out(address, 1119);
            assert!(!hosts.is_dead(address, 1120, 0));
            hosts.timed_out(address, 1120);
            assert_eq!(listed(&home, family), [(address, 2, 1120)]);
            assert!(hosts.is_dead(address, 1120, 0));
            assert!(hosts.is_dead(address, 1120 + 3839, 32));
            assert!(!hosts.is_dead(address, 1120 + 3840, 32));
            assert!(hosts.is_dead(address, 1120 + 5823, 31));
            assert!(!hosts.is_dead(address, 1120 + 5824, 31));
            assert!(!hosts.is_dead(host(2, family), 1120, 0));
        }
    }

    #[test]
    fn an_answer_counts_if_the_host_was_known() {
        let (_dir, home) = tables();
        let address = host(1, Family::Four);
        DeadHosts::of(&home).timed_out(address, 1000);
        DeadHosts::of(&home).answered(address);
        assert_eq!(listed(&home, Family::Four).len(), 1);
        let mut hosts = DeadHosts::of(&home);
        assert!(!hosts.is_dead(address, 1001, 0));
        hosts.answered(address);
        assert_eq!(listed(&home, Family::Four), []);
    }

    #[test]
    fn counts_end_at_ten() {
        let (_dir, home) = tables();
        let hosts = DeadHosts::of(&home);
        for time in 1..20 {
            hosts.timed_out(host(1, Family::Six), time * 1000);
        }
        assert_eq!(listed(&home, Family::Six), [(host(1, Family::Six), 10, 19_000)]);
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_least() {
        let (_dir, home) = tables();
        let hosts = DeadHosts::of(&home);
        for number in 0..64 {
            hosts.timed_out(host(number, Family::Four), 10_000 + u64::from(number));
        }
        hosts.timed_out(host(0, Family::Four), 10_200); // now 2, and worth 1024 seconds more
        hosts.timed_out(host(99, Family::Four), 10_300);
        let left = listed(&home, Family::Four);
        assert_eq!(left.len(), 64);
        assert_eq!(left[0].0, host(0, Family::Four));
        assert_eq!(left[1], (host(99, Family::Four), 1, 10_300));
    }

    #[test]
    fn without_a_table_every_host_is_tried() {
        for files in [&[][..], &[(Family::Four, 0)], &[(Family::Four, 15)]] {
            let (_dir, home) = home(files);
            let mut hosts = DeadHosts::of(&home);
            hosts.timed_out(host(1, Family::Four), 1000);
            hosts.timed_out(host(1, Family::Four), 2000);
            assert!(!hosts.is_dead(host(1, Family::Four), 2001, 0));
            assert_eq!(home.queue().join("lock/tcpto").exists(), !files.is_empty());
        }
    }

    #[test]
    fn clearing_forgets_all() {
        let (_dir, home) = home(&[(Family::Four, 1024), (Family::Six, 0)]);
        DeadHosts::of(&home).timed_out(host(1, Family::Four), 1000);
        clear(&home).unwrap();
        for (family, size) in [(Family::Four, 1024), (Family::Six, 2048)] {
            let table = std::fs::read(home.queue().join("lock").join(family.name())).unwrap();
            assert_eq!(table, vec![0; size]);
        }
    }

    proptest! {
        #[test]
        fn any_table_is_read(
            table in prop::collection::vec(any::<u8>(), 0..3000), now: u64, pid: u32, six: bool,
        ) {
            let family = if six { Family::Six } else { Family::Four };
            for entry in entries(family, &table) {
                let _ = entry.is_dead(now, pid);
                prop_assert_eq!(entry.write().len(), family.record_size());
                prop_assert_eq!(Entry::read(&entry.write()), Some(entry));
            }
            for address in [host(1, family), host(2, family)] {
                let changed = timed_out(family, &table, address, now);
                prop_assert!(changed.is_none_or(|(place, _)| place < table.len() / family.record_size()));
                let _ = answered(family, &table, address);
            }
        }
    }
}
