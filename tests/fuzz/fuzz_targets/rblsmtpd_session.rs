//! What a client says whom rblsmtpd refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ucspi_tcp::rbl::{Refusal, Session};

fuzz_target!(|data: &[u8]| {
    let size = usize::from(data.first().copied().unwrap_or_default()) + 1;
    let refusal = Refusal::new(b"553", data);
    assert!(refusal.message().len() <= 204);
    assert!(refusal.message().iter().all(|byte| (32..127).contains(byte)));

    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    let goes_on = Session::new(refusal.clone()).take(data, &mut whole);
    let mut session = Session::new(refusal);
    let in_parts = data.chunks(size).all(|part| session.take(part, &mut parts));
    assert_eq!((goes_on, &whole), (in_parts, &parts));
    // Each line has one reply, up to the goodbye.
    let lines = data.iter().filter(|&&byte| byte == b'\n').count();
    let replies = whole.iter().filter(|&&byte| byte == b'\n').count();
    assert!(replies == lines || (!goes_on && replies < lines));
    let last = whole.split_inclusive(|&byte| byte == b'\n').next_back();
    assert_eq!(last == Some(b"221 rblsmtpd.local\r\n"), !goes_on);
});
