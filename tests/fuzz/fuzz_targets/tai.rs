//! Lines for tai64n, tai64nlocal and tailocal.
#![no_main]

use daemontools::local::{Form, Localizer};
use daemontools::stamp::{self, Stamper};
use daemontools::tai::{self, LABEL, read};
use libfuzzer_sys::fuzz_target;
use unix::clock::{self, Wall};
use wire::gather::Gather;

/// `lines` with timestamps in local time; they come `size` bytes at a time.
fn localized(form: Form, lines: &[u8], size: usize) -> Vec<u8> {
    let (mut localizer, mut shown, mut held) = (Localizer::new(form), Vec::new(), Vec::new());
    for part in lines.chunks(size) {
        held.extend_from_slice(part);
        let taken = localizer.feed(&held, false, &mut shown, clock::local);
        held.drain(..taken);
        assert!(held.len() <= LABEL);
    }
    assert_eq!(localizer.feed(&held, true, &mut shown, clock::local), held.len());
    shown
}

fuzz_target!(|data: &[u8]| {
    if let Some(time) = read(data) {
        assert_eq!(&tai::stamp(time)[..LABEL], data);
    }
    for form in [Form::Label, Form::Seconds] {
        let whole = localized(form, data, usize::MAX);
        assert_eq!(whole, localized(form, data, 1 + data.len() / 5));
        if form == Form::Label && !data.contains(&b'@') {
            assert_eq!(whole, data);
        }
    }

    let time = Wall { seconds: 994_720_184, nanos: 999_999_990 };
    for form in [stamp::Form::Tai64n, stamp::Form::Iso, stamp::Form::Unix] {
        let (mut stamper, mut stamped) = (Stamper::new(form), Gather::default());
        for part in data.chunks(1 + data.len() / 3) {
            stamper.feed(part, &mut stamped, || time);
        }
        let lines = stamped.text().split_inclusive(|byte| *byte == b'\n');
        let plain = lines.flat_map(|line| {
            let space = line.iter().position(|byte| *byte == b' ').unwrap();
            &line[space + 1..]
        });
        assert!(plain.eq(data));
    }
});
