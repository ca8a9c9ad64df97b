//! Files that the administrator and the system write: control files, tables of dead hosts and logins.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::control::List;
use qmail::domains::{DomainMap, DomainSet};
use qmail::logins;
use qmail::smtp::hosts::Route;
use qmail::tcpto::{Family, entries};

fuzz_target!(|data: &[u8]| {
    let list = List::new(data);
    for line in list.lines() {
        assert!(!line.is_empty() && !line.starts_with(b"#") && !line.contains(&b'\n'));
        assert!(!line.ends_with(b" ") && !line.ends_with(b"\t"));
        let route = Route::parse(line);
        assert!(route.relay.is_none_or(|relay| !relay.is_empty() && relay.len() <= line.len()));
    }
    let (set, map) = (DomainSet::new(list.lines()), DomainMap::new(list.lines()));
    for line in list.lines() {
        assert!(set.contains(&line.to_ascii_uppercase()));
        let key = line.iter().position(|byte| *byte == b':').map(|colon| &line[..colon]);
        if let Some(key) = key {
            assert!(map.get(&key.to_ascii_uppercase()).is_some());
            assert!(key.is_empty() || map.host(key).is_some());
        }
    }

    for family in [Family::Four, Family::Six] {
        assert!(entries(family, data).count() <= 64);
    }
    for line in logins::terminals(data, logins::RECORD, b"joe") {
        assert!(!line.is_empty() && !line.starts_with(b"/") && !line.contains(&b'.'));
    }
});
