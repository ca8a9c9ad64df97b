//! Building a database.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use unix::errno::Errno;
use unix::file::{self, Replacement};
use wire::gather::Gather;

use super::{HEADER, hash};

/// So many bytes are gathered for one write.
const BLOCK: usize = 64 * 1024;

/// A database being written aside, to be put in place whole.
///
/// Records go to the file as they come; in memory stay 8 bytes for each, and 8 more at the end, when
/// they are sorted. The bytes are those that the original cdbmake and tcprules write for the same
/// records in the same order. Dropped before [`Finished::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    replacement: Replacement,
    /// What is not in the file yet.
    gathered: Gather,
    /// Where the next byte goes.
    position: u32,
    /// What the tables are to hold, in the order in which it came.
    slots: Vec<Slot>,
}

/// A slot of which no key is. (No other has position 0.)
const FREE: [u8; 8] = [0; 8];

/// What a slot of a hash table says.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: u32,
    position: u32,
}

impl Slot {
    /// The number of the table that it belongs to.
    fn table(self) -> usize {
        (self.hash & 255) as usize
    }
}

/// A database that is written and safe on the disk, but not in place yet.
#[derive(Debug)]
pub struct Finished {
    replacement: Replacement,
    /// Where records are whose keys have the same hash: an earlier one, and one that comes later.
    twins: Vec<(u32, u32)>,
}

/// Records that nobody finds who looks for the first with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// How many there are.
    pub count: usize,
    /// The key of the first of them.
    pub key: Vec<u8>,
}

impl Writer {
    /// Begins a database in the file `aside` (mode 0644 less the umask), which must be on the file
    /// system of the file to replace.
    ///
    /// What a crashed run left there is overwritten; a symbolic link is not followed (`ELOOP`), and
    /// a file that another run is writing is left alone (`EAGAIN`).
    pub fn create(aside: &Path) -> io::Result<Writer> {
        let mut writer = Writer {
            replacement: Replacement::exclusive(aside, 0o644)?,
            gathered: Gather::with_capacity(2 * BLOCK),
            position: 0,
            slots: Vec::new(),
        };
        // Zeros until the pointers are known: so far it is a torn file.
        writer.advance(HEADER as u64)?;
        writer.put(&[0; HEADER])?;
        Ok(writer)
    }

    /// Adds a record. `ENOMEM` when the file would grow beyond 4 GiB.
    pub fn add(&mut self, key: &[u8], data: &[u8]) -> io::Result<()> {
        let slot = Slot { hash: hash(key), position: self.position };
        let lengths = (length(key.len())?, length(data.len())?);
        self.advance(8 + u64::from(lengths.0) + u64::from(lengths.1))?;
        self.gathered.push_array(&pair(lengths.0, lengths.1));
        self.gathered.push(key);
        self.put(data)?;
        self.slots.push(slot);
        Ok(())
    }

    /// Writes the hash tables and waits until all is on the disk.
    pub fn finish(mut self) -> io::Result<Finished> {
        let mut pointers = Vec::with_capacity(HEADER);
        let (sorted, lengths) = by_table(&std::mem::take(&mut self.slots));
        let (mut tables, mut slots, mut twins) = (&sorted[..], Vec::new(), Vec::new());
        for count in lengths {
            let table = tables.split_off(..count).unwrap_or_default();
            let length = arrange(table, &mut slots, &mut twins)?;
            pointers.extend(pair(self.position, length));
            let bytes = slots.as_flattened();
            self.advance(bytes.len() as u64)?;
            self.put(bytes)?;
        }
        self.write()?;
        self.replacement.file().write_all_at(&pointers, 0)?;
        self.replacement.file().sync_all()?;
        Ok(Finished { replacement: self.replacement, twins })
    }

    fn advance(&mut self, count: u64) -> io::Result<()> {
        let position = u64::from(self.position) + count;
        self.position = u32::try_from(position).map_err(|_| Errno::ENOMEM)?;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.gathered.push(bytes);
        self.write_if_full()
    }

    fn write_if_full(&mut self) -> io::Result<()> {
        if self.gathered.text().len() < BLOCK { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> io::Result<()> {
        self.replacement.write_all(self.gathered.text())?;
        self.gathered.clear();
        Ok(())
    }
}

impl Finished {
    /// The records whose key an earlier one has. `aside` is the file's name, still.
    pub fn hidden(&self, aside: &Path) -> io::Result<Option<Hidden>> {
        let mut twins = self.twins.clone();
        twins.sort_unstable_by_key(|&(_, later)| later);
        let mut hidden: Option<Hidden> = None;
        let file = if twins.is_empty() { return Ok(None) } else { file::open_read(aside)? };
        for (earlier, later) in twins {
            let key = key_at(&file, later)?;
            // Other keys may have that hash, too.
            if key_at(&file, earlier)? == key {
                hidden.get_or_insert(Hidden { count: 0, key }).count += 1;
            }
        }
        Ok(hidden)
    }

    /// Puts the database in place at `path`, durably.
    pub fn commit(self, path: &Path) -> io::Result<()> {
        self.replacement.rename(path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => file::sync_directory(parent),
            _ => file::sync_directory(&PathBuf::from(".")),
        }
    }
}

/// The key of the record at `position`.
fn key_at(file: &File, position: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    file.read_exact_at(&mut length, position.into())?;
    let mut key = vec![0; u32::from_le_bytes(length) as usize];
    file.read_exact_at(&mut key, u64::from(position) + 8)?;
    Ok(key)
}

/// The slots of each table together, as they come within it, and how many each table has.
fn by_table(slots: &[Slot]) -> (Vec<Slot>, [usize; 256]) {
    let mut counts = [0; 256];
    for slot in slots {
        if let Some(count) = counts.get_mut(slot.table()) {
            *count += 1;
        }
    }
    let (mut places, mut next) = ([0; 256], 0);
    for (place, count) in places.iter_mut().zip(counts) {
        (*place, next) = (next, next + count);
    }
    let mut sorted = vec![Slot::default(); slots.len()];
    for slot in slots {
        if let Some(place) = places.get_mut(slot.table())
            && let Some(to) = sorted.get_mut(*place)
        {
            *to = *slot;
            *place += 1;
        }
    }
    (sorted, counts)
}

/// Makes `slots` the hash table of what is in `table`, as the file has it: twice as long, each in the
/// first free place from its own on. Gives the number of slots, and adds to `twins` the positions of two
/// records for each that comes after another with the same hash.
fn arrange(
    table: &[Slot],
    slots: &mut Vec<[u8; 8]>,
    twins: &mut Vec<(u32, u32)>,
) -> io::Result<u32> {
    slots.clear();
    slots.resize(table.len() * 2, FREE);
    let length = length(slots.len())?;
    for slot in table {
        let home = (slot.hash >> 8).checked_rem(length).unwrap_or_default();
        let (before, from) = slots.split_at_mut(home as usize);
        let mut twin = None;
        for place in from.iter_mut().chain(before) {
            if *place == FREE {
                *place = pair(slot.hash, slot.position);
                break;
            }
            if let ([hash, position], []) = place.as_chunks::<4>()
                && u32::from_le_bytes(*hash) == slot.hash
            {
                twin = twin.or(Some(u32::from_le_bytes(*position)));
            }
        }
        twins.extend(twin.map(|twin| (twin, slot.position)));
    }
    Ok(length)
}

/// A number of bytes or slots as the file has it. `ENOMEM` is what the original says to one that does
/// not fit.
fn length(count: usize) -> io::Result<u32> {
    u32::try_from(count).map_err(|_| Errno::ENOMEM.into())
}

/// Two numbers in little-endian order.
fn pair(first: u32, second: u32) -> [u8; 8] {
    (u64::from(second) << 32 | u64::from(first)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer_at(position: u32) -> Writer {
        let dir = tempfile::tempdir().unwrap();
        Writer { position, ..Writer::create(&dir.path().join("tmp")).unwrap() }
    }

    fn code<T>(result: io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn a_file_has_less_than_4_gib() {
        let enomem = Some(Errno::ENOMEM as i32);
        let mut writer = writer_at(u32::MAX - 10);
        assert_eq!(code(writer.add(b"k", b"d")), None);
        assert_eq!(code(writer.add(b"", b"")), enomem);
        let mut writer = writer_at(u32::MAX - 9);
        assert_eq!(code(writer.add(b"k", b"d")), enomem);
        // The tables have to find room, too.
        let mut writer = writer_at(u32::MAX - 20);
        assert_eq!(code(writer.add(b"k", b"d")), None);
        assert_eq!(code(writer.finish()), enomem);
    }

    #[test]
    fn who_has_a_key_that_was_there_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let hidden = |keys: &[&str]| {
            let aside = dir.path().join("aside");
            let mut writer = Writer::create(&aside).unwrap();
            for key in keys {
                writer.add(key.as_bytes(), b"data").unwrap();
            }
            writer.finish().unwrap().hidden(&aside).unwrap()
        };
        assert_eq!(hidden(&[]), None);
        assert_eq!(hidden(&["a", "b", ""]), None);
        // These have the same hash.
        assert_eq!(hash(b"!B"), hash(b"\"!"));
        assert_eq!(hidden(&["!B", "\"!"]), None);
        let found = Hidden { count: 3, key: b"b".to_vec() };
        assert_eq!(hidden(&["a", "b", "c", "b", "a", "d", "a"]), Some(found));
    }

    #[test]
    fn a_full_place_is_passed_over_to_the_next_and_from_the_last_to_the_first() {
        let arranged = |places: &[u32]| {
            let table: Vec<Slot> = (1..)
                .zip(places)
                .map(|(at, place)| Slot { hash: place << 8, position: at })
                .collect();
            let mut slots = vec![[9; 8]];
            arrange(&table, &mut slots, &mut Vec::new()).unwrap();
            slots.iter().map(|slot| slot[4]).collect::<Vec<_>>()
        };
        assert_eq!(arranged(&[]), []);
        assert_eq!(arranged(&[3, 3, 0]), [3, 0, 0, 1, 2, 0]);
        assert_eq!(arranged(&[5, 5, 5]), [2, 3, 0, 0, 0, 1]);
        assert_eq!(arranged(&[7, 3]), [2, 0, 0, 1]);
    }
}
