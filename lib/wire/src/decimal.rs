//! Unsigned decimal numbers, as the originals scan and print them.

/// Most digits a `u64` can have.
const DIGITS: usize = 20;

/// The number that `bytes` is: one or more ASCII digits and nothing else.
///
/// `None` for anything else, and for a number beyond `u64`. No sign, no blanks.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<u64> {
    match scan(bytes) {
        Some((value, [])) => Some(value),
        _ => None,
    }
}

/// The number that `bytes` begins with, and what follows it.
///
/// The longest run of digits counts. `None` without a digit, and for a number beyond `u64`.
#[must_use]
pub fn scan(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    Some((value, rest))
}

/// Appends `value` in decimal, without leading zeros.
pub fn push(out: &mut Vec<u8>, value: u64) {
    push_padded(out, value, 1);
}

/// Appends `value` in decimal with leading zeros up to `width` digits (at most 20).
pub fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [b'0'; DIGITS];
    let mut rest = value;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        if rest == 0 {
            break;
        }
        // The remainder of a division by ten is a single digit.
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
    }
    let shown = used.max(width).min(DIGITS);
    out.extend(digits.iter().skip(DIGITS - shown));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_digits_only() {
        assert_eq!(parse(b"0"), Some(0));
        assert_eq!(parse(b"0025"), Some(25));
        assert_eq!(parse(b"18446744073709551615"), Some(u64::MAX));
        for wrong in [&b""[..], b" 1", b"1 ", b"+1", b"-1", b"1k", b"18446744073709551616"] {
            assert_eq!(parse(wrong), None);
        }
    }

    #[test]
    fn scanning_stops_at_the_first_other_byte() {
        assert_eq!(scan(b"25/tcp"), Some((25, &b"/tcp"[..])));
        assert_eq!(scan(b"x25"), None);
    }

    #[test]
    fn padding_fills_with_zeros() {
        let mut out = Vec::new();
        push_padded(&mut out, 7, 2);
        push_padded(&mut out, 0, 2);
        push_padded(&mut out, 2026, 2);
        assert_eq!(out, b"07002026");
    }

    proptest! {
        #[test]
        fn every_number_reads_back(value: u64) {
            let mut out = Vec::new();
            push(&mut out, value);
            prop_assert_eq!(&out, &value.to_string().into_bytes());
            prop_assert_eq!(parse(&out), Some(value));
        }

        #[test]
        fn scanning_any_bytes_is_safe(bytes: Vec<u8>) {
            if let Some((_, rest)) = scan(&bytes) {
                prop_assert!(rest.len() < bytes.len());
            }
        }
    }
}
