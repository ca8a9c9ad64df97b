//! What an ident server sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lookup::ident::user;

fuzz_target!(|data: &[u8]| {
    let helped = [&b"1 , 2 : USERID : UNIX :"[..], data].concat();
    for reply in [data, &helped] {
        if let Some(name) = user(reply) {
            assert!(name.len() <= 257);
            assert!(!name.iter().any(|&byte| byte <= b' ' || byte == 0x7f));
            // Other lines do not matter.
            let line = reply.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
            assert_eq!(user(line), Some(name));
        }
    }
    assert!(user(&helped).is_some());
});
