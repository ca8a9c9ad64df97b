//! A message handed over to qmail-queued in one packet, and its answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use queue::hand::{Answer, MOST, Offer};

fuzz_target!(|data: &[u8]| {
    if let Ok(offer) = Offer::parse(data) {
        assert_eq!(offer.message.len() + offer.envelope.len() + 8, data.len());
        match offer.to_packet() {
            Some(packet) => assert_eq!(packet, data),
            None => assert!(data.len() > 8 + MOST),
        }
    }
    if let Some(answer) = Answer::parse(data) {
        assert_eq!(answer.to_packet(), data);
    }
    let (message, envelope) = data.split_at(data.len() / 3);
    if let Some(packet) = (Offer { message, envelope }).to_packet() {
        assert_eq!(Offer::parse(&packet), Ok(Offer { message, envelope }));
    }
});
