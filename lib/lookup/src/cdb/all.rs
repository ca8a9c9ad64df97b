//! Every record of a database, as it comes in the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use unix::errno::Errno;

use super::{Cdb, HEADER, LONGEST, corrupt, pair};

/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// The records of a database in the order in which they were added; see [`Cdb::all`].
#[derive(Debug)]
pub struct All<'a> {
    file: BufReader<&'a File>,
    /// Bytes of records that have not been read.
    left: u64,
    key: Vec<u8>,
    data: Vec<u8>,
}

impl Cdb {
    /// Every record, with as much memory as the largest needs.
    ///
    /// The records end where the first hash table begins. Reading moves the file's position, which
    /// nothing else here uses.
    pub fn all(&self) -> io::Result<All<'_>> {
        let mut file = BufReader::with_capacity(BUFFER, &self.file);
        file.seek(SeekFrom::Start(HEADER as u64))?;
        let end = self.tables.iter().map(|table| u64::from(table.position)).min();
        let left = end.unwrap_or_default().saturating_sub(HEADER as u64);
        Ok(All { file, left, key: Vec::new(), data: Vec::new() })
    }
}

impl All<'_> {
    /// Key and data of the next record. `EPROTO` if it does not end where the records end, or
    /// before; `ENOMEM` for one of more than 64 MiB.
    pub fn advance(&mut self) -> io::Result<Option<(&[u8], &[u8])>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut lengths = [0; 8];
        self.left = self.left.checked_sub(8).ok_or_else(corrupt)?;
        fill(&mut self.file, &mut lengths)?;
        let (key, data) = pair(&lengths)?;
        let length = u64::from(key) + u64::from(data);
        self.left = self.left.checked_sub(length).ok_or_else(corrupt)?;
        if length > LONGEST {
            return Err(Errno::ENOMEM.into());
        }
        self.key.resize(key as usize, 0);
        fill(&mut self.file, &mut self.key)?;
        self.data.resize(data as usize, 0);
        fill(&mut self.file, &mut self.data)?;
        Ok(Some((&self.key, &self.data)))
    }
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<()> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt(),
        _ => error,
    })
}
