//! users/assign, and a local part behind a zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::users::assign::{Line, Wildcards};
use qmail::users::getpw::candidates;
use qmail::users::{Owner, keys};

fuzz_target!(|data: &[u8]| {
    let at = data.iter().rposition(|byte| *byte == 0).unwrap_or(0);
    let (text, local) = data.split_at(at);
    let local = local.strip_prefix(&[0]).unwrap_or(local);
    let (mut records, mut wildcards) = (Vec::new(), Wildcards::default());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match Line::parse(line) {
            Ok(Line::Assignment(assignment)) => {
                assert_eq!(assignment.data.iter().filter(|byte| **byte == 0).count(), 5);
                wildcards.note(&assignment);
                records.push(assignment);
            }
            Ok(Line::End) => break,
            Err(_) => {}
        }
    }
    // Each wildcard that begins the local part is among the keys that are looked up.
    let looked_up: Vec<_> = keys(local, wildcards.bytes()).collect();
    for record in records.iter().filter(|record| !record.key.ends_with(&[0])) {
        let lower = local.to_ascii_lowercase();
        let begins = lower.starts_with(record.key.strip_prefix(b"!").expect("a key"));
        assert_eq!(begins, looked_up.iter().any(|(key, _)| *key == record.key));
    }
    for (key, rest) in looked_up {
        for record in records.iter().filter(|record| record.key == key) {
            if let Some(owner) = Owner::parse(&[&record.data, rest, &[0]].concat()) {
                assert!(owner.ext.ends_with(rest));
                assert_eq!(Owner::parse(&owner.to_bytes()), Some(owner));
            }
        }
    }
    assert!(candidates(local).all(|candidate| candidate.name.len() <= 31));
});
