//! Files that tcpserver may take for rules.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lookup::cdb::Cdb;

/// Every search ends, and finds nothing that the file has no room for.
fn search(bytes: &[u8], key: &[u8]) {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| tempfile::tempfile_in("/dev/shm").unwrap());
    file.set_len(0).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    let Ok(cdb) = Cdb::new(file.try_clone().unwrap()) else { return };
    for key in [key, b"", b"1.2.3.4", b"/"] {
        let found: Vec<_> = cdb.records(key).collect();
        assert!(found.len() <= bytes.len() / 8);
        assert!(found.iter().flatten().all(|data| data.len() + key.len() + 8 <= bytes.len()));
    }
}

fuzz_target!(|data: &[u8]| {
    search(data, b"k");
    // A header is 256 pairs of which nobody would think, so all of them point at the same table.
    if let Some((&[position, slots, key], rest)) = data.split_first_chunk() {
        let pointer = [(2048 + u32::from(position)).to_le_bytes(), u32::from(slots).to_le_bytes()];
        search(&[&pointer.as_flattened().repeat(256)[..], rest].concat(), &[key]);
    }
});
