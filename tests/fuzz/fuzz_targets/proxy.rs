//! First bytes of a connection, which may be a PROXY header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ucspi_tcp::proxy::{LONGEST, Progress, parse};

fuzz_target!(|data: &[u8]| {
    // Headers of version 2 begin with a long signature.
    let binary = [b"\r\n\r\n\0\r\nQUIT\n\x21", data].concat();
    for bytes in [data, &binary] {
        match parse(bytes) {
            Ok(Progress::Complete(header, length)) => {
                assert!(length <= bytes.len() && length <= LONGEST);
                // The client's bytes do not matter, and each part goes on.
                assert_eq!(parse(&bytes[..length]), Ok(Progress::Complete(header, length)));
                for end in 0..length {
                    assert_eq!(parse(&bytes[..end]), Ok(Progress::Partial));
                }
            }
            Ok(Progress::Partial) => assert!(bytes.len() < LONGEST),
            Err(wrong) => assert_eq!(parse(&[bytes, b"x"].concat()), Err(wrong)),
        }
    }
});
