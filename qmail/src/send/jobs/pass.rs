//! Reading recipients.

use queue::record::Record;

use super::JobNumber;

/// A record longer than this is none that any program of ours has written.
const LONGEST_RECORD: usize = 1 << 20;

/// The recipients of a pass, out of bytes of their file that arrive in pieces.
#[derive(Debug)]
pub struct Pass {
    /// The pass's job.
    pub job: JobNumber,
    bytes: Vec<u8>,
    /// How many of `bytes` have been used.
    used: usize,
    /// Where `bytes` begin in the file.
    start: u64,
    is_whole: bool,
}

/// What comes next in a file of recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody any more.
    End,
    /// More bytes are needed.
    More,
    /// A recipient who is not done.
    Recipient {
        /// Where the record's letter is, in bytes from the start of the file.
        offset: u64,
        /// The address.
        address: Vec<u8>,
    },
    /// Something that is no recipient.
    Unknown,
}

impl Pass {
    /// A pass that begins at the start of its file.
    #[must_use]
    pub fn new(job: JobNumber) -> Pass {
        Pass { job, bytes: Vec::new(), used: 0, start: 0, is_whole: false }
    }

    /// Takes the next bytes of the file; `is_whole` if they are the last.
    pub fn feed(&mut self, bytes: Vec<u8>, is_whole: bool) {
        self.start += self.used as u64;
        if self.used == self.bytes.len() {
            self.bytes = bytes;
        } else {
            self.bytes.drain(..self.used);
            self.bytes.extend(bytes);
        }
        self.used = 0;
        self.is_whole = is_whole;
    }

    /// True if there is nobody any more.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        while let Some((b'D', rest)) = self.bytes.get(self.used..).and_then(<[u8]>::split_first)
            && let Some(end) = memchr::memchr(0, rest)
        {
            self.used += end + 2;
        }
        self.is_whole && self.used == self.bytes.len() && !self.is_at_start()
    }

    fn is_at_start(&self) -> bool {
        self.start == 0 && self.used == 0
    }

    /// Takes out of turn those among the next recipients whose addresses `are_alike`, at most so many, as far
    /// as bytes are at hand. What has been taken is not given again.
    pub fn take_alike(
        &mut self,
        most: usize,
        are_alike: impl Fn(&[u8]) -> bool,
    ) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut at = self.used;
        while found.len() < most
            && let Some(record) = self.bytes.get_mut(at..)
            && let Some(length) = memchr::memchr(0, record)
        {
            if let Some([letter @ b'T', address @ ..]) = record.get_mut(..length)
                && are_alike(address)
            {
                *letter = b'D';
                found.push((self.start + at as u64, address.to_vec()));
            }
            at += length + 1;
        }
        found
    }

    /// The next recipient who is not done. A file that is torn has recipients whom nobody knows: one whose
    /// last record has no zero byte, or one without any.
    pub fn read(&mut self) -> Next {
        while let Some(rest) = self.bytes.get(self.used..) {
            let Some(length) = memchr::memchr(0, rest) else {
                let is_torn = !rest.is_empty() || self.is_at_start();
                return match (self.is_whole, rest.len() > LONGEST_RECORD) {
                    (true, _) if is_torn => Next::Unknown,
                    (true, _) => Next::End,
                    (false, true) => Next::Unknown,
                    (false, false) => Next::More,
                };
            };
            let offset = self.start + self.used as u64;
            self.used += length + 1;
            match rest.get(..length).map(Record::parse) {
                Some(Ok(Record::Done(_))) => {}
                Some(Ok(Record::Recipient(address))) => {
                    return Next::Recipient { offset, address: address.to_vec() };
                }
                _ => return Next::Unknown,
            }
        }
        Next::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pass() -> Pass {
        Pass::new(super::super::Jobs::default().add(super::super::Job::new(
            queue::path::MessageId(1),
            crate::send::Channel::Local,
            Vec::new(),
            0,
            false,
        )))
    }

    /// All recipients of a file that is read in pieces, and how it ended.
    fn read(file: &[u8], size: usize) -> (Vec<(u64, Vec<u8>)>, Next) {
        let mut pass = pass();
        let mut pieces = file.chunks(size);
        let mut found = Vec::new();
        loop {
            match pass.read() {
                Next::Recipient { offset, address } => found.push((offset, address)),
                Next::More => {
                    let piece = pieces.next().unwrap_or_default();
                    pass.feed(piece.to_vec(), piece.len() < size);
                }
                end => return (found, end),
            }
        }
    }

    #[test]
    fn those_who_are_done_are_passed_over() {
        let file = b"Ta@b\0Dc@d\0T\0Te@f\0";
        let expected = [(0, b"a@b".to_vec()), (10, Vec::new()), (12, b"e@f".to_vec())];
        for size in 1..30 {
            assert_eq!(read(file, size), (expected.to_vec(), Next::End), "{size}");
        }
    }

    #[test]
    fn a_torn_file_is_not_at_its_end() {
        assert_eq!(read(b"Ta@b\0Tc@", 4), (vec![(0, b"a@b".to_vec())], Next::Unknown));
        assert_eq!(read(b"", 4), (vec![], Next::Unknown));
    }

    #[test]
    fn another_letter_is_unknown() {
        assert_eq!(read(b"Ta@b\0Fc@d\0Te@f\0", 99).1, Next::Unknown);
        assert_eq!(read(b"\0", 99).1, Next::Unknown);
        assert_eq!(read(&vec![b'T'; 2 << 20], 1 << 16).1, Next::Unknown);
    }

    #[test]
    fn the_end_is_known_with_the_last_record() {
        let mut pass = pass();
        pass.feed(b"Ta@b\0".to_vec(), true);
        assert!(!pass.is_over());
        assert!(matches!(pass.read(), Next::Recipient { .. }));
        assert!(pass.is_over());
    }

    #[test]
    fn those_who_are_alike_are_taken_out_of_turn() {
        let mut pass = pass();
        pass.feed(b"Ta@b\0Tc@d\0De@b\0Tf@b\0Tg@b\0Th@b".to_vec(), true);
        let first = pass.read();
        assert_eq!(first, Next::Recipient { offset: 0, address: b"a@b".to_vec() });
        let is_at_b = |address: &[u8]| address.ends_with(b"@b");
        assert_eq!(pass.take_alike(1, is_at_b), [(15, b"f@b".to_vec())]);
        assert_eq!(pass.take_alike(9, is_at_b), [(20, b"g@b".to_vec())]);
        assert_eq!(pass.read(), Next::Recipient { offset: 5, address: b"c@d".to_vec() });
        // The last one is torn.
        assert_eq!(pass.read(), Next::Unknown);
    }

    #[test]
    fn a_pass_is_over_when_all_that_is_left_is_done() {
        let mut pass = pass();
        pass.feed(b"Ta@b\0Dc@d\0Tf@b\0".to_vec(), true);
        assert!(matches!(pass.read(), Next::Recipient { .. }));
        assert!(!pass.is_over());
        assert_eq!(pass.take_alike(9, |_| true).len(), 1);
        assert!(pass.is_over());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(file in "[TDa\\x00]{0,40}", size in 1usize..10) {
            prop_assert_eq!(read(file.as_bytes(), size), read(file.as_bytes(), 100));
        }

        #[test]
        fn a_recipient_is_at_its_offset(file in "([TD][a-c]{0,3}\\x00){0,8}", size in 1usize..10) {
            for (offset, address) in read(file.as_bytes(), size).0 {
                let record = &file.as_bytes()[usize::try_from(offset).unwrap()..];
                prop_assert_eq!(record[0], b'T');
                prop_assert!(record[1..].starts_with(&address));
            }
        }
    }
}
