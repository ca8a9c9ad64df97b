//! Lines for tcprules.
#![no_main]

use std::collections::HashMap;
use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use ucspi_tcp::rules::{Address, Item, Peer, find, items, parse};
use wire::gather::Gather;
use wire::ip;

fuzz_target!(|data: &[u8]| {
    // Most of what is invented is no rule unless it is helped.
    let helped = [data, &b":deny,A=\"b\""[..]].concat();
    for line in data.split_inclusive(|&byte| byte == b'\n').chain([&helped[..]]) {
        let mut compiled = Gather::default();
        let Ok(Some(address)) = parse(line, &mut compiled) else { continue };
        let compiled = compiled.text();
        let set = items(compiled).filter(|item| matches!(item, Item::Set(..))).count();
        let denied = items(compiled).filter(|item| *item == Item::Deny).count();
        assert_eq!(set + denied, compiled.iter().filter(|&&byte| byte == 0).count());
        assert!(compiled.is_empty() || compiled.ends_with(b"\0"));

        let mut records = HashMap::new();
        let stored: Result<(), Infallible> = address.keys(|key| {
            assert!(!key.contains(&0));
            records.insert(key.to_vec(), compiled.to_vec());
            Ok(())
        });
        assert_eq!(stored, Ok(()));
        assert!((1..=256).contains(&records.len()));
        // Who has the address is found by it.
        if let Address::Key(key) = &address
            && ip::parse(key).is_some()
        {
            let peer = Peer { ip: key, host: None, info: None };
            let found: Result<_, Infallible> = find(peer, |key| Ok(records.get(key).cloned()));
            assert_eq!(
                found.map(|found| found.map(|found| found.data)),
                Ok(Some(compiled.to_vec()))
            );
        }
    }
});
