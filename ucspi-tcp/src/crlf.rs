//! addcr, delcr, fixcrio as byte machines: line ends of this system and of the network.

/// Bytes looked at together. Where there is nothing to do for any of them, which is most of a long
/// line, they are copied at once.
const RUN: usize = 16;

/// Bytes that change on their way, portion by portion.
pub trait Machine {
    /// Appends what becomes of one byte.
    fn step(&mut self, byte: u8, out: &mut Vec<u8>);

    /// Takes note of bytes that stay as they are, here; false, and nothing is noted, if some may not.
    fn passes(&mut self, run: &[u8; RUN]) -> bool;

    /// Appends what was held back until the stream's end.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let _ = out; // most hold nothing back
    }

    /// Appends to `out` what becomes of `data`, wherever in the stream that begins and ends.
    fn push(&mut self, data: &[u8], out: &mut Vec<u8>) {
        out.reserve(2 * data.len() + 1);
        let (runs, rest) = data.as_chunks();
        for run in runs {
            if self.passes(run) {
                out.extend_from_slice(run);
            } else {
                for &byte in run {
                    self.step(byte, out);
                }
            }
        }
        for &byte in rest {
            self.step(byte, out);
        }
    }
}

/// Without a branch for each byte, so that all are compared at once.
fn has(run: &[u8; RUN], wanted: u8) -> bool {
    run.iter().fold(0, |found, &byte| found | u8::from(byte == wanted)) != 0
}

/// A carriage return before every newline, even behind another. Source: addcr(1).
#[derive(Clone, Copy, Debug, Default)]
pub struct AddCr;

impl Machine for AddCr {
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }

    fn passes(&mut self, run: &[u8; RUN]) -> bool {
        !has(run, b'\n')
    }
}

/// One carriage return less before every newline; any other stays. Source: delcr(1).
#[derive(Clone, Copy, Debug, Default)]
pub struct DelCr {
    /// A carriage return was the last byte, and is not passed on yet.
    is_held: bool,
}

impl Machine for DelCr {
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.is_held && byte != b'\n' {
            out.push(b'\r');
        }
        self.is_held = byte == b'\r';
        if !self.is_held {
            out.push(byte);
        }
    }

    fn passes(&mut self, run: &[u8; RUN]) -> bool {
        !self.is_held && !has(run, b'\r')
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_held) {
            out.push(b'\r');
        }
    }
}

/// A carriage return before every newline that has none. Source: fixcrio(1).
#[derive(Clone, Copy, Debug, Default)]
pub struct FixCr {
    /// The last byte was a carriage return.
    after_cr: bool,
}

impl Machine for FixCr {
    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == b'\n' && !self.after_cr {
            out.push(b'\r');
        }
        out.push(byte);
        self.after_cr = byte == b'\r';
    }

    fn passes(&mut self, run: &[u8; RUN]) -> bool {
        let passes = !has(run, b'\n');
        if passes {
            self.after_cr = run.ends_with(b"\r");
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(mut machine: impl Machine, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        machine.push(data, &mut out);
        machine.finish(&mut out);
        out
    }

    fn in_bytes(mut machine: impl Machine, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in data {
            machine.push(&[*byte], &mut out);
            machine.push(&[], &mut out);
        }
        machine.finish(&mut out);
        out
    }

    #[test]
    fn a_cr_is_added_even_where_one_is() {
        assert_eq!(whole(AddCr, b"a\nb\r\n\n\nc"), b"a\r\nb\r\r\n\r\n\r\nc");
        assert_eq!(whole(AddCr, b""), b"");
        assert_eq!(whole(AddCr, b"\0\r"), b"\0\r");
    }

    #[test]
    fn one_cr_is_removed_before_a_newline_only() {
        let delcr = DelCr::default();
        assert_eq!(whole(delcr, b"a\r\nb\r\r\nc\rd\n\r\n"), b"a\nb\r\nc\rd\n\n");
        assert_eq!(whole(delcr, b"a\r"), b"a\r");
        assert_eq!(whole(delcr, b"\r\r"), b"\r\r");
        assert_eq!(whole(delcr, b"\r\n"), b"\n");
    }

    #[test]
    fn a_cr_is_put_where_there_is_none() {
        let fixcr = FixCr::default();
        assert_eq!(whole(fixcr, b"a\nb\r\n\n\nc\r"), b"a\r\nb\r\n\r\n\r\nc\r");
        assert_eq!(whole(fixcr, b"\n\r\n"), b"\r\n\r\n");
    }

    #[test]
    fn a_cr_at_the_end_of_a_portion_counts_in_the_next() {
        let mut fixcr = FixCr::default();
        let mut out = Vec::new();
        for portion in [&b"a\r"[..], b"\nb", b"\n", b"\n\r", b"c\n"] {
            fixcr.push(portion, &mut out);
        }
        assert_eq!(out, b"a\r\nb\r\n\r\n\rc\r\n");
    }

    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()];
        prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => byte], 0..200)
    }

    proptest! {
        #[test]
        fn portions_do_not_matter(data in lines()) {
            prop_assert_eq!(whole(AddCr, &data), in_bytes(AddCr, &data));
            let (delcr, fixcr) = (DelCr::default(), FixCr::default());
            prop_assert_eq!(whole(delcr, &data), in_bytes(delcr, &data));
            prop_assert_eq!(whole(fixcr, &data), in_bytes(fixcr, &data));
        }

        #[test]
        fn what_addcr_adds_delcr_removes(data in lines()) {
            prop_assert_eq!(whole(DelCr::default(), &whole(AddCr, &data)), data);
        }

        #[test]
        fn fixing_twice_changes_nothing_more(data in lines()) {
            let fixed = whole(FixCr::default(), &data);
            prop_assert_eq!(whole(FixCr::default(), &fixed), fixed);
        }
    }
}
