use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;

struct Sandbox(tempfile::TempDir);

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("cdb")
    }

    fn write(&self, records: &[(&[u8], &[u8])]) {
        let mut writer = Writer::create(&self.0.path().join("tmp")).unwrap();
        for (key, data) in records {
            writer.add(key, data).unwrap();
        }
        writer.finish().unwrap().commit(&self.path()).unwrap();
    }

    fn open(&self) -> Cdb {
        Cdb::open(&self.path()).unwrap()
    }
}

fn opened(bytes: &[u8]) -> io::Result<Cdb> {
    let mut file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut file, bytes).unwrap();
    Cdb::new(file)
}

fn is_corrupt<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.raw_os_error() == Some(Errno::EPROTO as i32))
}

/// One record `a` → `b`, as the file has it.
fn small() -> Vec<u8> {
    let sandbox = Sandbox::new();
    sandbox.write(&[(b"a", b"b")]);
    fs::read(sandbox.path()).unwrap()
}

#[test]
fn an_empty_database_has_2048_bytes_and_no_key() {
    let sandbox = Sandbox::new();
    sandbox.write(&[]);
    let bytes = fs::read(sandbox.path()).unwrap();
    assert_eq!(bytes.len(), 2048);
    assert_eq!(bytes[..8], [0, 8, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sandbox.open().find(b"").unwrap(), None);
    assert_eq!(sandbox.open().find(b"a").unwrap(), None);
}

#[test]
fn the_file_is_the_one_of_the_original() {
    let sandbox = Sandbox::new();
    sandbox.write(&[(b"127.0.0.1", b"D\0"), (b"", b"+A=b\0+TCPLOCALHOST=x\0+C=\0")]);
    let bytes = fs::read(sandbox.path()).unwrap();
    let records = b"\x09\0\0\0\x02\0\0\x00127.0.0.1D\0\
        \0\0\0\0\x19\0\0\0+A=b\0+TCPLOCALHOST=x\0+C=\0";
    assert_eq!(bytes.len(), 2132);
    assert_eq!(&bytes[2048..2100], records);
    // The hashes are 0x1505 (the empty key) and 0x5478120e; each table has two slots, and the order
    // of the tables is not that of the records.
    let pointer = |table: usize| &bytes[table * 8..][..8];
    assert_eq!(pointer(0), [0x34, 8, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pointer(5), [0x34, 8, 0, 0, 2, 0, 0, 0]);
    assert_eq!(pointer(6), [0x44, 8, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pointer(14), [0x44, 8, 0, 0, 2, 0, 0, 0]);
    assert_eq!(pointer(255), [0x54, 8, 0, 0, 0, 0, 0, 0]);
    let empty_key = [0, 0, 0, 0, 0, 0, 0, 0, 5, 0x15, 0, 0, 0x13, 8, 0, 0];
    assert_eq!(bytes[2100..2116], empty_key);
    assert_eq!(bytes[2116..], [0x0e, 0x12, 0x78, 0x54, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_first_record_of_a_key_is_found_and_all_are_listed() {
    let sandbox = Sandbox::new();
    sandbox.write(&[(b"k", b"one"), (b"", b"empty"), (b"k", b"two"), (b"long", &[b'x'; 5000])]);
    let cdb = sandbox.open();
    assert_eq!(cdb.find(b"k").unwrap().unwrap(), b"one");
    assert_eq!(cdb.find(b"").unwrap().unwrap(), b"empty");
    assert_eq!(cdb.find(b"long").unwrap().unwrap(), [b'x'; 5000]);
    assert_eq!(cdb.find(b"lon").unwrap(), None);
    let all: Vec<_> = cdb.records(b"k").map(Result::unwrap).collect();
    assert_eq!(all, [b"one", b"two"]);
}

/// Keys and data of all records.
fn all(cdb: &Cdb) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut all, mut found) = (cdb.all()?, Vec::new());
    while let Some((key, data)) = all.advance()? {
        found.push((key.to_vec(), data.to_vec()));
    }
    Ok(found)
}

#[test]
fn all_records_come_in_the_order_of_the_file() {
    let sandbox = Sandbox::new();
    assert!(opened(&small()).is_ok_and(|cdb| all(&cdb).unwrap() == [(b"a".into(), b"b".into())]));
    let long = vec![b'x'; 100_000];
    let records: [(&[u8], &[u8]); 4] =
        [(b"k", b"one"), (b"", b""), (b"k", b"two"), (b"long", &long)];
    sandbox.write(&records);
    let cdb = sandbox.open();
    let expected: Vec<_> = records.map(|(key, data)| (key.to_vec(), data.to_vec())).into();
    assert_eq!(all(&cdb).unwrap(), expected);
    assert_eq!(all(&cdb).unwrap(), expected, "once more");
    sandbox.write(&[]);
    assert_eq!(all(&sandbox.open()).unwrap(), []);
}

#[test]
fn a_record_that_goes_beyond_the_records_is_corrupt() {
    for (offset, byte) in [(2048, 2), (2048, 0), (2052, 0), (2052, 2), (2055, 255)] {
        let mut bytes = small();
        bytes[offset] = byte;
        assert!(is_corrupt(opened(&bytes).and_then(|cdb| all(&cdb))), "{byte} at {offset}");
    }
    let whole = small();
    for length in 0..whole.len() {
        assert!(is_corrupt(opened(&whole[..length]).and_then(|cdb| all(&cdb))), "cut at {length}");
    }
}

#[test]
fn nothing_is_left_beside_the_database() {
    let sandbox = Sandbox::new();
    sandbox.write(&[]);
    drop(Writer::create(&sandbox.0.path().join("tmp")).unwrap());
    assert_eq!(fs::read_dir(sandbox.0.path()).unwrap().count(), 1);
}

#[test]
fn a_file_cut_anywhere_is_corrupt() {
    let whole = small();
    for length in 0..whole.len() {
        let found = opened(&whole[..length]).and_then(|cdb| cdb.find(b"a"));
        assert!(is_corrupt(found), "cut at {length}");
    }
}

#[test]
fn a_header_of_zeros_is_corrupt() {
    let mut torn = small();
    torn[..2048].fill(0);
    assert!(is_corrupt(opened(&torn)));
}

#[test]
fn lengths_beyond_the_file_are_corrupt() {
    for (offset, name) in [(2048, "key length"), (2052, "data length")] {
        let mut bytes = small();
        bytes[offset..offset + 4].fill(0xff);
        assert!(is_corrupt(opened(&bytes).unwrap().find(b"a")), "{name}");
    }
    let mut bytes = small();
    let end = bytes.len();
    let slot = (end - 16..end).step_by(8).find(|at| bytes[at + 4..at + 8] != [0; 4]).unwrap();
    for position in [1_u32, 2047, 5000, u32::MAX] {
        bytes[slot + 4..slot + 8].copy_from_slice(&position.to_le_bytes());
        assert!(is_corrupt(opened(&bytes).unwrap().find(b"a")), "{position}");
    }
}

#[test]
fn a_search_in_a_table_without_an_empty_slot_ends() {
    let mut bytes = small();
    let end = bytes.len();
    // Both slots point at the record, with a hash that is not asked for.
    for slot in [end - 16, end - 8] {
        bytes[slot..slot + 8].copy_from_slice(&[9, 9, 9, 9, 0, 8, 0, 0]);
    }
    assert_eq!(opened(&bytes).unwrap().find(b"a").unwrap(), None);
}

#[test]
fn a_directory_is_not_a_database() {
    let error = Cdb::open(Path::new("/")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::EISDIR as i32));
}

#[test]
fn a_kept_database_follows_its_name() {
    let sandbox = Sandbox::new();
    let mut kept = Kept::new(sandbox.path());
    assert_eq!(kept.current().unwrap_err().kind(), io::ErrorKind::NotFound);
    sandbox.write(&[(b"k", b"one")]);
    assert_eq!(kept.current().unwrap().find(b"k").unwrap().unwrap(), b"one");
    sandbox.write(&[(b"k", b"two")]);
    assert_eq!(kept.current().unwrap().find(b"k").unwrap().unwrap(), b"two");
    fs::write(sandbox.path(), b"torn").unwrap();
    assert!(is_corrupt(kept.current().map(|_| ())));
    fs::remove_file(sandbox.path()).unwrap();
    assert_eq!(kept.current().unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_settled_database_stays_open_until_it_is_replaced() {
    let sandbox = Sandbox::new();
    sandbox.write(&[(b"k", b"one")]);
    let mut kept = Kept::new(sandbox.path());
    kept.current().unwrap();
    kept.settled = true;
    let version = |kept: &mut Kept| kept.current().unwrap().version;
    let before = version(&mut kept);
    assert_eq!(version(&mut kept), before);
    sandbox.write(&[(b"k", b"two")]);
    assert_eq!(kept.current().unwrap().find(b"k").unwrap().unwrap(), b"two");
}

#[test]
fn two_writers_do_not_share_a_file() {
    let sandbox = Sandbox::new();
    let aside = sandbox.0.path().join("tmp");
    let first = Writer::create(&aside).unwrap();
    let error = Writer::create(&aside).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::EAGAIN as i32));
    first.finish().unwrap().commit(&sandbox.path()).unwrap();
    assert_eq!(sandbox.open().find(b"a").unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_key_is_found(records: Vec<(Vec<u8>, Vec<u8>)>, other: Vec<u8>) {
        let sandbox = Sandbox::new();
        let borrowed: Vec<_> = records.iter().map(|(k, d)| (k.as_slice(), d.as_slice())).collect();
        sandbox.write(&borrowed);
        let mut first = HashMap::new();
        for (key, data) in &records {
            first.entry(key).or_insert(data);
        }
        let cdb = sandbox.open();
        for (key, data) in &first {
            let found = cdb.find(key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(*data));
        }
        let found = cdb.find(&other).unwrap();
        prop_assert_eq!(found.as_ref(), first.get(&other).copied());
    }

    #[test]
    fn changed_bytes_never_make_it_fail_otherwise(
        changes in prop::collection::vec((0_usize..2100, any::<u8>()), 1..8),
    ) {
        let mut bytes = small();
        for (at, byte) in changes {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        if let Ok(cdb) = opened(&bytes) {
            let _ = cdb.records(b"a").take(1000).count();
        }
    }
}
