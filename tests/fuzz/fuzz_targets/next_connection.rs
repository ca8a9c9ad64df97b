//! What a server and a program that takes further connections tell one another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::next::{self, Offer};

fuzz_target!(|data: &[u8]| {
    if let Some(offer) = Offer::parse(data) {
        assert!(offer.descriptor > 2);
        let mut value = Vec::new();
        offer.push(&mut value);
        assert_eq!(Offer::parse(&value), Some(offer));
    }
    if let Some(code) = next::code(data) {
        assert_eq!(next::over(code), data);
    }
    if let Some(variables) = next::variables(data) {
        // Nothing is lost, and nothing is made up.
        let mut message = Vec::new();
        for (name, value) in variables {
            assert!(!name.is_empty() && !name[1..].contains(&b'=') && !name.contains(&0));
            next::push(&mut message, &[name, b"=", value].concat());
        }
        assert_eq!(message, data);
    }
});
