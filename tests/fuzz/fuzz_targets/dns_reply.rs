//! What a DNS server sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lookup::resolver::message::{Reply, query, reply};
use lookup::resolver::{Kind, Question, Record};

const KINDS: [Kind; 6] = [Kind::A, Kind::Aaaa, Kind::Cname, Kind::Mx, Kind::Ptr, Kind::Txt];

fuzz_target!(|data: &[u8]| {
    for kind in KINDS {
        let question = Question::new(b"a.example", kind).unwrap();
        let asked = query(0x1234, &question, true).unwrap();
        // The bytes alone, and as what stands behind a question that is the right one.
        let answer = data.split_first_chunk().map(|(counts, sections): (&[u8; 8], _)| {
            let [flags, code, counts @ ..] = counts;
            let question = &asked[12..];
            [&[0x12, 0x34, 0x80 | flags, *code, 0, 1], counts, question, sections].concat()
        });
        for bytes in [Some(data.to_vec()), answer].into_iter().flatten() {
            // Nobody else's message counts.
            if !bytes.starts_with(&[0x43, 0x21]) {
                assert_eq!(reply(&bytes, 0x4321, &question), Reply::Irrelevant);
            }
            let Reply::Answer(Ok(records)) = reply(&bytes, 0x1234, &question) else { continue };
            assert!(!records.is_empty());
            for record in records {
                match record {
                    Record::Address(address) => assert_eq!(kind == Kind::A, address.is_ipv4()),
                    Record::Exchanger(exchanger) => check(&exchanger.host),
                    Record::Name(name) => check(&name),
                    Record::Text(text) => assert!(text.len() <= bytes.len()),
                }
            }
        }
    }
});

/// A name is harmless in a log line and an environment.
fn check(name: &[u8]) {
    assert!(name.len() <= 4 * 255);
    assert!(name.iter().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
}
