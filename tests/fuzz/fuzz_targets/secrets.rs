//! A conversation whose secrets are hidden.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ucspi_tcp::secrets::Secrets;

fuzz_target!(|data: (Vec<(bool, Vec<u8>)>, Vec<u8>)| {
    let (turns, message) = data;
    let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
    let mut secrets = Secrets::default();
    for (is_client, said) in &turns {
        if *is_client {
            let mut shown = Vec::new();
            secrets.hide(said, &mut shown);
            assert_eq!(lines(&shown), lines(said));
        } else {
            secrets.hear(said);
        }
    }

    // What follows is secret however it is cut.
    let mut secrets = Secrets::default();
    let mut shown = Vec::new();
    for part in [&b"PASS "[..], &message] {
        secrets.hide(part.split(|&byte| byte == b'\n').next().unwrap_or_default(), &mut shown);
    }
    let rest = shown.strip_prefix(b"PASS ").unwrap_or(&shown);
    assert!(rest.iter().all(|byte| b"*\r".contains(byte)), "{rest:?}");

    let mut secrets = Secrets::default();
    let (mut before, mut shown) = (Vec::new(), Vec::new());
    secrets.hide(b"DATA\n", &mut before);
    secrets.hear(b"354\n");
    let unended: Vec<u8> = message.iter().map(|&byte| if byte == b'.' { b',' } else { byte }).collect();
    secrets.hide(&unended, &mut shown);
    assert_eq!(shown, unended);
});
