//! The text of a header field with addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::addr::rewrite::Defaults;
use qmail::addr::token::{Token, bare, folded, parse};
use qmail::addr::{field, list};
use qmail::summary::Summary;

fuzz_target!(|data: &[u8]| {
    let _ = field::name(data);
    assert!(Summary::read(data, 100).expect("bytes in memory").text.len() <= 100);
    // A line end in a field is followed by a blank.
    let field: Vec<u8> =
        data.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\n "[..]);
    let Ok(tokens) = parse(&field) else { return };
    // What is written is one field.
    let text = folded(&tokens, 78);
    assert!(text.ends_with(b"\n"));
    for line in text.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
        assert!(line.starts_with(b" "), "{:?}", text.escape_ascii().to_string());
    }
    let defaults = Defaults::new(b"host", b"domain", b"plus").expect("names");
    let mut count = 0;
    let written = list::rewrite(&tokens, &mut |address: &mut Vec<Token>| {
        defaults.complete(address);
        let _ = bare(address);
        count += 1;
    });
    if let Ok(written) = written {
        assert!(count <= tokens.len() + 1);
        assert!(folded(&written, 78).ends_with(b"\n"));
    }
});
