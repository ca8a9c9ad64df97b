//! What a host says to qmail-remote.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use qmail::smtp::client::{Conversation, Ending, Next};
use qmail::smtp::reply::Reader;

/// What is said to the host, and how it ends; the host's bytes come `size` at a time.
fn converse(data: &[u8], size: usize) -> (Vec<u8>, Ending) {
    let recipients = [&b"a@b"[..], b"c\n@d", b"e f@g"];
    let host = Ipv4Addr::LOCALHOST.into();
    let mut conversation = Conversation::new(host, b"me", b"s@t", recipients).expect("a sender");
    let (mut reader, mut said) = (Reader::default(), Vec::new());
    for part in data.chunks(size) {
        let mut rest = part;
        while !rest.is_empty() {
            let (taken, reply) = reader.take(rest);
            rest = &rest[taken..];
            let Some(reply) = reply else {
                assert!(rest.is_empty());
                break;
            };
            assert!(
                reply.text.len() <= 5000 && !reply.text.iter().any(|byte| b"\0\r".contains(byte))
            );
            let mut out = Vec::new();
            let next = conversation.reply(&reply, &mut out);
            assert_eq!(
                out.iter().filter(|byte| **byte == b'\n').count(),
                usize::from(next != Next::Message)
            );
            said.extend(out);
            match next {
                Next::Listen => {}
                Next::Message => conversation.message_ends(),
                Next::Leave(ending) => return (said, ending),
            }
        }
    }
    (said, conversation.died())
}

fuzz_target!(|data: &[u8]| {
    let whole = converse(data, usize::MAX);
    assert_eq!(whole, converse(data, 1 + data.len() / 5));
    if let Ending::Final(report) = whole.1 {
        let records: Vec<&[u8]> =
            report.strip_suffix(b"\0").expect("whole").split(|b| *b == 0).collect();
        let (last, recipients) = records.split_last().expect("a record");
        assert!(b"KDZ".contains(&last[0]) && recipients.len() <= 3);
        assert!(recipients.iter().all(|record| b"rhs".contains(&record[0])));
        assert!(last[0] != b'K' || recipients.len() == 3);
    }
});
