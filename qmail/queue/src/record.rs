//! The records of `todo/`, `intd/`, `info/`, `local/` and `remote/`: a letter, a value, a zero byte.

use std::io::{self, BufRead};

use wire::decimal;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// `D`: a recipient for whom nothing is left to do.
    Done(&'a [u8]),
    /// `p`: the process that queued the message.
    Pid(u64),
    /// `T`: a recipient.
    Recipient(&'a [u8]),
    /// `F`: the sender; empty for a bounce.
    Sender(&'a [u8]),
    /// `u`: the user who queued the message.
    Uid(u64),
}

/// A record that starts with no known letter, or has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRecord;

impl<'a> Record<'a> {
    /// What `bytes` say, which end before the zero byte.
    ///
    /// A number is the digits at the start; no digits are 0, as the original reads it.
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, UnknownRecord> {
        match bytes {
            [b'D', address @ ..] => Ok(Record::Done(address)),
            [b'F', address @ ..] => Ok(Record::Sender(address)),
            [b'T', address @ ..] => Ok(Record::Recipient(address)),
            [b'p', digits @ ..] => Ok(Record::Pid(leading_number(digits))),
            [b'u', digits @ ..] => Ok(Record::Uid(leading_number(digits))),
            _ => Err(UnknownRecord),
        }
    }

    /// Appends the record, with its zero byte.
    pub fn write(self, to: &mut Vec<u8>) {
        match self {
            Record::Done(address) => put(to, b'D', address),
            Record::Pid(number) => put(to, b'p', number.to_string().as_bytes()),
            Record::Recipient(address) => put(to, b'T', address),
            Record::Sender(address) => put(to, b'F', address),
            Record::Uid(number) => put(to, b'u', number.to_string().as_bytes()),
        }
    }
}

fn put(to: &mut Vec<u8>, letter: u8, value: &[u8]) {
    to.push(letter);
    to.extend_from_slice(value);
    to.push(0);
}

fn leading_number(digits: &[u8]) -> u64 {
    decimal::scan(digits).map_or(0, |(number, _)| number)
}

/// What ends a file of records early.
#[derive(Debug)]
pub enum Trouble {
    /// The file could not be read.
    Read(io::Error),
    /// A record of no known kind, or one without its end: the file is torn.
    Unknown,
}

/// Reads a file record by record, in the memory of one record.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    record: Vec<u8>,
    next: u64,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the start of a file.
    pub fn new(inner: R) -> Self {
        Reader { inner, record: Vec::new(), next: 0 }
    }

    /// Reads on from `offset`, where `inner` stands already.
    pub fn at(inner: R, offset: u64) -> Self {
        Reader { inner, record: Vec::new(), next: offset }
    }

    /// Where the next record starts, in bytes from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.next
    }

    /// The next record and where its letter lies, or `None` at the end.
    pub fn read(&mut self) -> Result<Option<(u64, Record<'_>)>, Trouble> {
        self.record.clear();
        let read = self.inner.read_until(0, &mut self.record).map_err(Trouble::Read)?;
        let record = match self.record.as_slice() {
            [] => return Ok(None),
            [record @ .., 0] => record,
            _ => return Err(Trouble::Unknown),
        };
        let start = self.next;
        self.next += read as u64;
        match Record::parse(record) {
            Ok(record) => Ok(Some((start, record))),
            Err(UnknownRecord) => Err(Trouble::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut reader = Reader::new(bytes);
        let mut found = Vec::new();
        while let Some((offset, record)) = reader.read().unwrap() {
            found.push((offset, format!("{record:?}")));
        }
        found
    }

    #[test]
    fn an_envelope_is_read_record_by_record() {
        let expected = [
            (0, "Uid(0)".into()),
            (3, "Pid(5526)".into()),
            (9, format!("Sender({:?})", b"a@b")),
            (14, format!("Recipient({:?})", b"c@d")),
            (19, format!("Recipient({:?})", b"e@f")),
        ];
        assert_eq!(read(b"u0\0p5526\0Fa@b\0Tc@d\0Te@f\0"), expected);
    }

    #[test]
    fn an_unfinished_record_is_trouble() {
        let mut reader = Reader::new(&b"Fa@b\0Tc@"[..]);
        assert!(matches!(reader.read(), Ok(Some((0, Record::Sender(b"a@b"))))));
        assert!(matches!(reader.read(), Err(Trouble::Unknown)));
    }

    #[test]
    fn an_unknown_letter_is_trouble() {
        assert!(matches!(Reader::new(&b"Xa\0"[..]).read(), Err(Trouble::Unknown)));
        assert!(matches!(Reader::new(&b"\0"[..]).read(), Err(Trouble::Unknown)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            address in proptest::collection::vec(1u8.., 0..40),
            number: u64,
            kind in 0..5,
        ) {
            let record = match kind {
                0 => Record::Done(&address),
                1 => Record::Pid(number),
                2 => Record::Recipient(&address),
                3 => Record::Sender(&address),
                _ => Record::Uid(number),
            };
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            prop_assert_eq!(bytes.pop(), Some(0));
            prop_assert_eq!(Record::parse(&bytes), Ok(record));
        }

        #[test]
        fn reading_any_bytes_ends(bytes: Vec<u8>) {
            let mut reader = Reader::new(bytes.as_slice());
            while let Ok(Some(_)) = reader.read() {}
        }
    }
}
