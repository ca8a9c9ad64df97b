//! Lines, blanks, ASCII case, prefixes and suffixes of byte strings.

/// The lines of `bytes`, without their newlines.
///
/// Only LF ends a line. What follows the last LF is a line too, unless it is empty.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// Whether `byte` is a space or a tab.
#[must_use]
pub fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `bytes` without the spaces and tabs at its beginning.
#[must_use]
pub fn trim_start(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    rest
}

/// `bytes` without the spaces, tabs and newlines at its end.
///
/// This is what the originals do to every line of a control file.
#[must_use]
pub fn trim_end(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [head @ .., b' ' | b'\t' | b'\n'] = rest {
        rest = head;
    }
    rest
}

/// `bytes` without blanks at both ends; newlines at the end go too.
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    trim_start(trim_end(bytes))
}

/// The non-empty pieces of `bytes` between spaces and tabs.
pub fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| is_blank(byte)).filter(|word| !word.is_empty())
}

/// Where the first `wanted` is.
///
/// For the pieces of a line: eight bytes at a time, so that their lengths cost no mispredicted branch.
#[must_use]
pub fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        if let Some(at) = find_in_word(*word, wanted) {
            return Some(place * 8 + at);
        }
    }
    match bytes.last_chunk::<8>() {
        // Once more over some bytes that are others.
        Some(word) => find_in_word(*word, wanted).map(|at| bytes.len() - 8 + at),
        None => tail.iter().position(|&byte| byte == wanted),
    }
}

fn find_in_word(word: [u8; 8], wanted: u8) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_le_bytes([0x80; 8]);
    let differing = u64::from_le_bytes(word) ^ u64::from_le_bytes([wanted; 8]);
    // The lowest bit that this leaves is in the first byte that is zero.
    let zeros = differing.wrapping_sub(ONES) & !differing & HIGHEST;
    (zeros != 0).then(|| (zeros.trailing_zeros() / 8) as usize)
}

/// What stands before and after the first `separator`, or nothing if there is none.
#[must_use]
pub fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    cut(bytes, find(bytes, separator)?)
}

/// What stands before and after the last `separator`, or nothing if there is none.
#[must_use]
pub fn rsplit_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().rposition(|&byte| byte == separator)?;
    cut(bytes, at)
}

fn cut(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(at)?;
    let (_, after) = rest.split_first()?;
    Some((before, after))
}

/// What follows `prefix` in `bytes`, where A-Z and a-z count as the same.
#[must_use]
pub fn strip_prefix_ignore_case<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = bytes.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What precedes `suffix` in `bytes`, where A-Z and a-z count as the same.
#[must_use]
pub fn strip_suffix_ignore_case<'a>(bytes: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.len().checked_sub(suffix.len())?;
    let (rest, end) = bytes.split_at_checked(at)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

/// Whether `bytes` could be printed on one line without harm: no byte below 32, none above 126.
#[must_use]
pub fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (32..=126).contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<&[u8]> {
        lines(bytes).collect()
    }

    #[test]
    fn a_partial_last_line_counts_and_an_empty_one_does_not() {
        assert_eq!(all(b""), Vec::<&[u8]>::new());
        assert_eq!(all(b"\n"), [b""]);
        assert_eq!(all(b"a\n\nb"), [&b"a"[..], b"", b"b"]);
        assert_eq!(all(b"a\r\n"), [b"a\r"]);
    }

    #[test]
    fn trimming_leaves_what_is_between() {
        assert_eq!(trim_end(b" a b \t\n"), b" a b");
        assert_eq!(trim(b"\t a b \n"), b"a b");
        assert_eq!(trim(b" \t\n"), b"");
        assert_eq!(trim_start(b"\na"), b"\na");
    }

    #[test]
    fn words_are_never_empty() {
        assert_eq!(words(b"  search\ta  b ").collect::<Vec<_>>(), [&b"search"[..], b"a", b"b"]);
        assert_eq!(words(b" \t").count(), 0);
    }

    #[test]
    fn splitting_takes_the_first_or_the_last() {
        assert_eq!(split_once(b"a:b:c", b':'), Some((&b"a"[..], &b"b:c"[..])));
        assert_eq!(rsplit_once(b"a:b:c", b':'), Some((&b"a:b"[..], &b"c"[..])));
        assert_eq!(split_once(b":", b':'), Some((&b""[..], &b""[..])));
        assert_eq!(split_once(b"abc", b':'), None);
    }

    #[test]
    fn case_is_ignored_for_letters_only() {
        assert_eq!(strip_prefix_ignore_case(b"MAIL from:<x>", b"mail FROM:"), Some(&b"<x>"[..]));
        assert_eq!(
            strip_suffix_ignore_case(b"joe@Example.ORG", b"@example.org"),
            Some(&b"joe"[..])
        );
        assert_eq!(strip_prefix_ignore_case(b"[", b"{"), None);
        assert_eq!(strip_suffix_ignore_case(b"a", b"aa"), None);
    }

    #[test]
    fn del_is_not_printable() {
        assert!(is_printable(b" ~"));
        assert!(!is_printable(b"\x7f"));
        assert!(!is_printable(b"\n"));
    }

    proptest! {
        #[test]
        fn the_first_is_found(bytes in prop::collection::vec(0_u8..4, 0..40), wanted in 0_u8..6) {
            prop_assert_eq!(find(&bytes, wanted), bytes.iter().position(|&byte| byte == wanted));
        }

        #[test]
        fn lines_put_together_are_the_text(bytes: Vec<u8>) {
            let mut again = lines(&bytes).collect::<Vec<_>>().join(&b'\n');
            if bytes.ends_with(b"\n") {
                again.push(b'\n');
            }
            prop_assert_eq!(again, bytes);
        }

        #[test]
        fn trimming_twice_is_trimming_once(bytes: Vec<u8>) {
            prop_assert_eq!(trim(trim(&bytes)), trim(&bytes));
        }
    }
}
