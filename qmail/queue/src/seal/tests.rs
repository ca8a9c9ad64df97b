//! Seals: a message that is whole proves itself, and what is left of one does not.

use proptest::prelude::*;

use super::*;
use crate::record::Reader;

const MESSAGE: &[u8] =
    b"Received: (qmail 12 invoked by uid 1000); 21 Nov 2026 00:21:29 -0000\nbody\n";
const RECORDS: &[u8] = b"Fa@b\0Tc@d\0Te@f\0";

fn sealed() -> Vec<u8> {
    envelope(1000, 12, &[MESSAGE], RECORDS)
}

fn is_proved(message: &[u8], envelope: &[u8]) -> bool {
    match Head::of(envelope) {
        Head::Sealed(seal) => seal.proves(message, envelope),
        _ => false,
    }
}

/// What may be believed without a proof.
fn is_believed(envelope: &[u8]) -> bool {
    let mut reader = Reader::new(envelope);
    let mut has_sender = false;
    loop {
        match reader.read() {
            Ok(None) => return has_sender && Head::of(envelope) == Head::Plain,
            Ok(Some((_, record))) => has_sender |= matches!(record, Record::Sender(_)),
            Err(_) => return false,
        }
    }
}

/// The form is on disks: it stays.
#[test]
fn a_seal_is_these_bytes() {
    let text = String::from_utf8(sealed()).unwrap();
    assert_eq!(text, "u1000\0p12 74 8e1274dcea4f5d47\0Fa@b\0Tc@d\0Te@f\0");
    let empty = String::from_utf8(envelope(0, 4_000_012, &[], b"F\0T\0")).unwrap();
    assert_eq!(empty, "u0\0p4000012 0 16d0e3607acc1d47\0F\0T\0");
}

#[test]
fn readers_that_know_no_seal_find_the_number() {
    let bytes = sealed();
    let mut reader = Reader::new(bytes.as_slice());
    assert!(matches!(reader.read(), Ok(Some((0, Record::Uid(1000))))));
    assert!(matches!(reader.read(), Ok(Some((6, Record::Pid(12))))));
    assert!(matches!(reader.read(), Ok(Some((_, Record::Sender(b"a@b"))))));
}

#[test]
fn envelopes_without_a_seal_are_plain() {
    for plain in [
        &b"u1000\0p12\0Fa@b\0Tc@d\0"[..],
        b"u0\0p0\0F\0T\0",
        b"u\0p\0F\0",
        b"Fa@b\0Tc@d\0",        // by hand
        b"u1000\0Fa@b\0Tc@d\0", // likewise
        b"p12\0u1000\0Fa@b\0",
        b"x",
    ] {
        assert_eq!(Head::of(plain), Head::Plain, "{}", plain.escape_ascii());
    }
}

#[test]
fn a_head_that_nobody_writes_is_foreign() {
    for foreign in [
        &b"u1000x\0p12\0Fa@b\0"[..],
        b"u1000\0p12x\0Fa@b\0",
        b"u1000\0p12 74\0Fa@b\0",
        b"u1000\0p12 74 0123456789abcde\0Fa@b\0",
        b"u1000\0p12 74 0123456789ABCDEF\0Fa@b\0",
        b"u1000\0p12 74 0123456789abcdef0\0Fa@b\0",
        b"u1000\0p12  0123456789abcdef\0Fa@b\0",
        b"u1000\0p12 99999999999999999999 0123456789abcdef\0Fa@b\0",
        b"u1000\0p12 -1 0123456789abcdef\0Fa@b\0",
        b"\0\0\0\0\0\0p12\0Fa@b\0",
        b"u10\0\0\0\0\0\0\0Fa@b\0",
    ] {
        assert_eq!(Head::of(foreign), Head::Foreign, "{}", foreign.escape_ascii());
    }
}

#[test]
fn an_envelope_that_ends_in_its_head_is_torn_whatever_is_there_in_its_place() {
    let whole = sealed();
    let head = whole.iter().rposition(|&byte| byte == b'F').unwrap();
    for kept in 0..head {
        let mut left = whole[..kept].to_vec();
        assert_eq!(Head::of(&left), Head::Torn, "{kept}");
        left.resize(whole.len(), 0);
        assert_eq!(Head::of(&left), Head::Torn, "{kept}, zeros");
        left.resize(SECTOR, 0);
        assert_eq!(Head::of(&left), Head::Torn, "{kept}, a sector of zeros");
        // It may have been believed before a disk went bad; a seal that is whole says that it must prove itself.
        left.extend(b"other\0Tx@y\0");
        let is_sealed = matches!(Head::of(&left), Head::Sealed(_));
        assert!(is_sealed == (kept + 1 == head) && !is_believed(&left), "{kept}, records behind");
        assert!(is_sealed || Head::of(&left) == Head::Foreign, "{kept}, records behind");
    }
}

#[test]
fn every_piece_that_is_cut_off_is_noticed() {
    let whole = sealed();
    assert!(is_proved(MESSAGE, &whole) && !is_believed(&whole));
    for kept in 0..MESSAGE.len() {
        assert!(!is_proved(&MESSAGE[..kept], &whole), "message, {kept}");
    }
    for kept in 0..whole.len() {
        assert!(!is_proved(MESSAGE, &whole[..kept]), "envelope, {kept}");
        assert!(!is_believed(&whole[..kept]), "envelope, {kept}");
    }
    assert!(!is_proved(&[MESSAGE, b"x"].concat(), &whole));
    assert!(!is_proved(MESSAGE, &[whole.as_slice(), b"Tx@y\0"].concat()));
    // The line between the two is where it was.
    assert!(!is_proved(&[MESSAGE, b"u1000"].concat(), &whole[5..]));
}

#[test]
fn every_run_of_zeros_is_noticed() {
    let whole = sealed();
    for start in 0..whole.len() {
        for end in start + 1..=whole.len() {
            let mut left = whole.clone();
            left[start..end].fill(0);
            assert!(left == whole || !is_proved(MESSAGE, &left), "{start} to {end}");
            assert!(!is_believed(&left), "{start} to {end}");
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = sealed();
    for bit in 0..8 * whole.len() {
        let mut left = whole.clone();
        left[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_proved(MESSAGE, &left) && !is_believed(&left), "bit {bit}");
    }
    for bit in 0..8 * MESSAGE.len() {
        let mut left = MESSAGE.to_vec();
        left[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_proved(&left, &whole), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn a_message_that_is_whole_proves_itself(
        uid: u64,
        number: u64,
        message in proptest::collection::vec(any::<u8>(), 0..9000),
        records in proptest::collection::vec(any::<u8>(), 0..600),
        cut: prop::sample::Index,
    ) {
        let records = [b"F".as_slice(), &records, b"\0"].concat();
        let (one, other) = message.split_at(cut.index(message.len() + 1));
        let envelope = envelope(uid, number, &[one, other], &records);
        prop_assert!(is_proved(&message, &envelope));
        prop_assert!(envelope.ends_with(&records));
    }

    #[test]
    fn a_page_of_zeros_or_of_another_file_is_noticed(
        message in proptest::collection::vec(any::<u8>(), 1..20_000),
        other in proptest::collection::vec(any::<u8>(), 4096),
        is_hole: bool,
        page: prop::sample::Index,
    ) {
        let envelope = envelope(0, 7, &[&message], b"Fa@b\0Tc@d\0");
        let mut left = message.clone();
        let page = page.index(message.len().div_ceil(4096)) * 4096;
        for (to, from) in left[page..].iter_mut().zip(other) {
            *to = if is_hole { 0 } else { from };
        }
        prop_assert_eq!(is_proved(&left, &envelope), left == message);
    }

    #[test]
    fn another_message_or_envelope_does_not_do(
        message: Vec<u8>,
        other: Vec<u8>,
        records: Vec<u8>,
        number: u64,
    ) {
        let records = [b"F".as_slice(), &records, b"\0"].concat();
        let one = envelope(1, 2, &[&message], &records);
        prop_assert_eq!(is_proved(&other, &one), other == message);
        let another = envelope(1, number, &[&other], b"Fx\0Ty\0");
        prop_assert_eq!(is_proved(&message, &another), other == message);
    }

    #[test]
    fn reading_any_bytes_ends(bytes: Vec<u8>, message: Vec<u8>) {
        is_proved(&message, &bytes);
        let near = [b"u1\0p1 2 ".as_slice(), &bytes].concat();
        is_proved(&message, &near);
    }
}
