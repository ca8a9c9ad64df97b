//! Constant databases: find, and build with a Replacement.
//!
//! The format is Bernstein's of 1996: 256 pointers to hash tables, the records, the tables. Every
//! position and length is checked against the size of the file before it is used, so a torn or
//! hostile file gives an error (`EPROTO`, "protocol error") and never looks like an absent key.

mod all;
mod writer;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use unix::errno::Errno;
use unix::file::Version;

pub use all::All;
pub use writer::{Finished, Hidden, Writer};

/// Bytes of the pointers at the beginning of a file: an empty database has just these.
const HEADER: usize = 2048;
/// Slots of a hash table read at once; most searches end within them.
const SLOTS_READ: u32 = 16;
/// Bytes read behind a record's key together with it; enough for most data.
const DATA_READ: usize = 256;
/// Longest data that is read into memory.
const LONGEST: u64 = 64 << 20;
/// An open database.
///
/// It may stay open and be asked any number of times: it is the file as it was opened, also when
/// another has taken its name ([`Kept`] notices that).
#[derive(Debug)]
pub struct Cdb {
    file: File,
    /// The pointers, checked: each table lies within the file.
    tables: Box<[Table; 256]>,
    size: u64,
    version: Version,
}

#[derive(Clone, Copy, Debug, Default)]
struct Table {
    position: u32,
    slots: u32,
}

fn corrupt() -> io::Error {
    Errno::EPROTO.into()
}

/// The bucket of a key: the low byte chooses the table, the rest the slot.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}

/// Two little-endian numbers, as everything in the file comes in pairs.
fn pair(bytes: &[u8]) -> io::Result<(u32, u32)> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(corrupt)?;
    let second = rest.first_chunk().ok_or_else(corrupt)?;
    Ok((u32::from_le_bytes(*first), u32::from_le_bytes(*second)))
}

impl Cdb {
    /// Opens the database at `path`. A file that cannot be one gives `EPROTO`.
    pub fn open(path: &Path) -> io::Result<Cdb> {
        Cdb::new(unix::file::open_read(path)?)
    }

    /// The database in an open file.
    pub fn new(file: File) -> io::Result<Cdb> {
        let data = file.metadata()?;
        if data.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        let size = data.size();
        let mut header = [0; HEADER];
        read(&file, &mut header, 0)?;
        let mut tables = Box::new([Table::default(); 256]);
        for (table, bytes) in tables.iter_mut().zip(header.as_chunks::<8>().0) {
            let (position, slots) = pair(bytes)?;
            // Even an empty table points behind the records, so a header of zeros is a torn file.
            let end = u64::from(position) + u64::from(slots) * 8;
            if u64::from(position) < HEADER as u64 || end > size {
                return Err(corrupt());
            }
            *table = Table { position, slots };
        }
        Ok(Cdb { file, tables, size, version: Version::of(&data) })
    }

    /// The data of the first record with `key`.
    pub fn find(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.records(key).next().transpose()
    }

    /// The data of every record with `key`, in the order of the file.
    #[must_use]
    pub fn records<'a>(&'a self, key: &'a [u8]) -> Records<'a> {
        let hash = hash(key);
        let table = self.tables.get((hash & 255) as usize).copied().unwrap_or_default();
        Records {
            cdb: self,
            key,
            hash,
            table,
            slot: (hash >> 8).checked_rem(table.slots).unwrap_or(0),
            left: table.slots,
            buffer: [0; SLOTS_READ as usize * 8],
            buffered: 0..0,
        }
    }

    /// The record at `position`: its data, if its key is `key`.
    fn record(&self, position: u32, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let start = u64::from(position);
        let left = self.size.checked_sub(start).filter(|_| start >= HEADER as u64);
        let left = left.ok_or_else(corrupt)?;
        let wanted = 8 + key.len() as u64 + DATA_READ as u64;
        let mut bytes = vec![0; usize::try_from(wanted.min(left)).map_err(|_| corrupt())?];
        read(&self.file, &mut bytes, start)?;
        let (key_length, data_length) = pair(&bytes)?;
        if 8 + u64::from(key_length) + u64::from(data_length) > left {
            return Err(corrupt());
        }
        let data_start = 8 + key.len();
        if key_length as usize != key.len() || bytes.get(8..data_start) != Some(key) {
            return Ok(None);
        }
        if u64::from(data_length) > LONGEST {
            return Err(Errno::ENOMEM.into());
        }
        bytes.drain(..data_start);
        let have = bytes.len();
        bytes.resize(data_length as usize, 0);
        if let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
            read(&self.file, rest, start + (data_start + have) as u64)?;
        }
        Ok(Some(bytes))
    }
}

/// Fills `bytes` from `offset` on; a file that ends before is corrupt.
fn read(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt(),
        _ => error,
    })
}

/// The data of the records with one key; see [`Cdb::records`].
#[derive(Debug)]
pub struct Records<'a> {
    cdb: &'a Cdb,
    key: &'a [u8],
    hash: u32,
    table: Table,
    /// The slot to look at next.
    slot: u32,
    /// Slots not looked at yet: a search ends, whatever the file says.
    left: u32,
    buffer: [u8; SLOTS_READ as usize * 8],
    /// The slots that the buffer holds.
    buffered: std::ops::Range<u32>,
}

impl Records<'_> {
    /// Hash and position in the slot that comes next.
    fn entry(&mut self) -> io::Result<(u32, u32)> {
        if !self.buffered.contains(&self.slot) {
            let count = (self.table.slots - self.slot).min(SLOTS_READ);
            let offset = u64::from(self.table.position) + u64::from(self.slot) * 8;
            let bytes = self.buffer.get_mut(..count as usize * 8).ok_or_else(corrupt)?;
            read(&self.cdb.file, bytes, offset)?;
            self.buffered = self.slot..self.slot + count;
        }
        let start = (self.slot - self.buffered.start) as usize * 8;
        pair(self.buffer.get(start..).unwrap_or_default())
    }

    fn advance(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.left > 0 {
            let (hash, position) = self.entry()?;
            if position == 0 {
                self.left = 0;
                return Ok(None);
            }
            self.left -= 1;
            self.slot += 1;
            if self.slot == self.table.slots {
                self.slot = 0;
            }
            if hash == self.hash
                && let Some(data) = self.cdb.record(position, self.key)?
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

impl Iterator for Records<'_> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.advance();
        if found.is_err() {
            self.left = 0;
        }
        found.transpose()
    }
}

/// A database that is kept open by who asks it often, and opened again when the file of its name
/// is another or has changed. Finding out costs one stat(2).
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    open: Option<Cdb>,
    settled: bool,
}

impl Kept {
    /// The database at `path`; nothing is opened yet.
    #[must_use]
    pub fn new(path: impl AsRef<OsStr>) -> Kept {
        Kept { path: PathBuf::from(path.as_ref()), open: None, settled: false }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database as the file of its name is now.
    ///
    /// `ENOENT` if there is none, `EPROTO` if it is not a database.
    pub fn current(&mut self) -> io::Result<&Cdb> {
        let open = self.open.take();
        let cdb = match open {
            Some(cdb) if !self.is_replaced(&cdb) => cdb,
            _ => {
                let cdb = Cdb::open(&self.path)?;
                self.settled = cdb.version.is_settled();
                cdb
            }
        };
        Ok(self.open.insert(cdb))
    }

    /// True if `open` may not be what the file of the name is now.
    fn is_replaced(&self, open: &Cdb) -> bool {
        // A name that cannot be looked at is for open(2) to complain about.
        !self.settled
            || std::fs::metadata(&self.path).map_or(true, |data| Version::of(&data) != open.version)
    }
}

#[cfg(test)]
mod tests;
