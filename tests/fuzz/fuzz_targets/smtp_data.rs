//! Message data as a client sends them, and a message as it is sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::smtp::data::{BareCr, Decoder, Encoder, Progress};
use qmail::smtp::intake::Intake;

/// The message in `data`, which comes `size` bytes at a time; how much was taken, and how it ended.
fn decoded(data: &[u8], size: usize, bare_cr: BareCr) -> (Vec<u8>, usize, Progress) {
    let mut decoder = Decoder::new(bare_cr);
    let (mut message, mut all) = (Vec::new(), 0);
    for part in data.chunks(size) {
        let (taken, progress) = decoder.read(part, |bytes| message.extend_from_slice(bytes));
        all += taken;
        if progress != Progress::More {
            return (message, all, progress);
        }
        assert_eq!(taken, part.len());
    }
    (message, all, Progress::More)
}

fn encoded(message: &[u8], size: usize) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::default(), Vec::new());
    for part in message.chunks(size) {
        encoder.write(part, &mut out);
    }
    encoder.finish(&mut out);
    out
}

fuzz_target!(|data: &[u8]| {
    let size = 1 + data.len() / 5;
    for bare_cr in [BareCr::Keep, BareCr::Refuse] {
        let whole = decoded(data, usize::MAX, bare_cr);
        assert_eq!(whole, decoded(data, size, bare_cr));
        let (message, taken, progress) = whole;
        if progress == Progress::Done {
            let sent = &data[..taken];
            assert!(sent == b".\r\n" || sent.ends_with(b"\r\n.\r\n"));
            assert!(message.is_empty() || message.ends_with(b"\n"));
            assert!(bare_cr == BareCr::Keep || !message.contains(&b'\r'));
        }
    }

    let out = encoded(data, usize::MAX);
    assert_eq!(out, encoded(data, size));
    let mut message: Vec<u8> = data.iter().copied().filter(|byte| *byte != b'\r').collect();
    if !message.is_empty() && !message.ends_with(b"\n") {
        message.push(b'\n');
    }
    assert_eq!(decoded(&out, size, BareCr::Refuse), (message, out.len(), Progress::Done));

    let mut intake = Intake::new(100, BareCr::Refuse);
    let _ = intake.read(data, |_| {});
    let _ = intake.refusal();
});
