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
        let strings: Vec<_> =
            variables.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
        let mut message = Vec::new();
        match next::environment(&mut message, strings.iter().map(Vec::as_slice)) {
            Ok(()) => assert_eq!(message, data),
            Err(next::Unfit) => assert!(data.len() > next::LONGEST),
        }
    }
});
