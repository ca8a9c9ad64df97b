//! A recipient and a report, behind a zero byte, as they become a part of a bounce; the sender is the recipient.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::send::bounce::{Bounces, paragraph};

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (recipient, report) = data.split_at(at);
    let report = report.strip_prefix(&[0]).unwrap_or(report);

    // Whoever reads a bounce finds the paragraphs by the empty lines between them.
    let text = paragraph(recipient, report);
    let inside = text.strip_suffix(b"\n\n").expect("an empty line at the end");
    assert!(!inside.windows(2).any(|two| two == b"\n\n"), "an empty line inside");
    let end = inside.windows(2).position(|two| two == b">:").expect("a recipient");
    assert!(inside.starts_with(b"<") && !inside[..end].contains(&b'\n'));

    let bounces =
        Bounces { user: b"D".to_vec(), host: b"h".to_vec(), double_to: b"p@h".to_vec(), most: 9 };
    let Some(letter) = bounces.letter(recipient) else { return };
    assert!(letter.sender().is_empty() || letter.recipient() == b"p@h");
    let head = letter.head(0, 1);
    let end = head.windows(2).position(|two| two == b"\n\n").expect("the end of the header");
    // No address can add a field, or begin the body early.
    for line in head[..end].split(|byte| *byte == b'\n') {
        let is_field = line.iter().position(|byte| *byte == b':').is_some_and(|colon| {
            line[..colon].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        });
        assert!(is_field || line.starts_with(b" "), "{:?}", line.escape_ascii().to_string());
    }
    let _ = letter.middle(99);
});
