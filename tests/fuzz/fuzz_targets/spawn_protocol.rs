//! What qmail-send and the spawners say to one another, and what deliveries print.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::spawn::protocol::{Commands, Reports};
use qmail::spawn::report::local_code;

/// Everything that is understood of bytes that come `size` at a time.
fn understood(data: &[u8], size: usize) -> (Vec<String>, Vec<String>) {
    let (mut commands, mut reports) = (Commands::default(), Reports::default());
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    for piece in data.chunks(size) {
        let (mut left, mut right) = (piece, piece);
        while let Some(command) = commands.next(&mut left) {
            asked.push(format!("{command:?}"));
        }
        while let Some(report) = reports.next(&mut right) {
            told.push(format!("{report:?}"));
        }
        assert!(left.is_empty() && right.is_empty());
    }
    (asked, told)
}

fuzz_target!(|data: &[u8]| {
    let whole = understood(data, data.len().max(1));
    assert_eq!(whole, understood(data, 1 + data.len() / 5));

    let code = data.first().copied().unwrap_or(0);
    let report = local_code(code, data);
    assert!(b"KZD".contains(&report[0]) && !report.contains(&0) && report.len() < 3100);
});
