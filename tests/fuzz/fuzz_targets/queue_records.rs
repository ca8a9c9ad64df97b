//! An envelope as clients write it and records as they lie in the queue, sealed or not; extra recipients behind a
//! zero byte.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use queue::deposit::{Envelope, Refusal};
use queue::extra::Extra;
use queue::record::{Reader, Record};
use queue::seal::{self, Head};

/// How many bytes of an envelope are records, and whether it is complete; it comes `size` bytes at a time.
fn check(bytes: &[u8], size: usize) -> Result<(usize, bool), Refusal> {
    let (mut envelope, mut records) = (Envelope::default(), 0);
    for piece in bytes.chunks(size) {
        records += envelope.accept(piece)?;
    }
    Ok((records, envelope.is_complete()))
}

fuzz_target!(|data: &[u8]| {
    let size = 1 + data.len() / 7;
    let found = check(data, size);
    assert_eq!(found, check(data, data.len().max(1)));

    // What is taken for an envelope is whole records with the letters that belong there.
    if let Ok((length, true)) = found {
        let mut reader = Reader::new(&data[..length]);
        let (mut written, mut count) = (Vec::new(), 0);
        while let Some((at, record)) = reader.read().expect("known records") {
            assert_eq!(at, u64::try_from(written.len()).expect("small"));
            assert_eq!(count == 0, matches!(record, Record::Sender(_)));
            assert!(matches!(record, Record::Sender(_) | Record::Recipient(_)));
            record.write(&mut written);
            count += 1;
        }
        assert_eq!(written, &data[..length]);
    }

    // Any bytes are records, an unknown one, or an end.
    let mut reader = Reader::new(data);
    while let Ok(Some((_, record))) = reader.read() {
        let mut written = Vec::new();
        record.write(&mut written);
        assert_eq!(Record::parse(&written[..written.len() - 1]), Ok(record));
    }

    // Whatever an envelope claims, only what was sealed is proved.
    let (message, other) = data.split_at(data.len() / 2);
    for start in [other, &[b"u1\0p1 2 ".as_slice(), other].concat()] {
        if let Head::Sealed(seal) = Head::of(start) {
            assert!(!seal.proves(message, start) || seal.length() == message.len() as u64);
        }
    }
    let sealed = seal::envelope(7, 9, &[message], other);
    if let Head::Sealed(seal) = Head::of(&sealed) {
        assert!(seal.proves(message, &sealed));
        assert!(!seal.proves(message, &sealed[..sealed.len() - 1]));
    } else {
        assert!(other.iter().take(seal::SECTOR).all(|byte| *byte == 0));
    }

    let at = data.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
    let (envelope, lines) = data.split_at(at);
    let mut all = Vec::new();
    Extra::parse(lines).with(envelope).read_to_end(&mut all).expect("bytes in memory");
    assert!(all.len() >= envelope.len());
    if let (Ok((_, true)), Ok((length, is_whole))) = (check(envelope, 64), check(&all, size)) {
        assert!(is_whole && length <= all.len());
    }
});
