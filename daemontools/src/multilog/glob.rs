//! Patterns in the manner of file names, as fnmatch(3) reads them in the C locale.

/// Whether the whole of `line` looks like `pattern`.
///
/// `?` stands for a byte, `*` for any, `[abc]`, `[a-f]`, `[[:digit:]]` for one of these, `[!abc]` and
/// `[^abc]` for one of the others; a backslash takes the meaning from the byte behind it. A bracket
/// that is not closed stands for itself, and a backslash at the end for nothing that a line could
/// have. Source: fnmatch(3), glob(7).
#[must_use]
pub fn matches(pattern: &[u8], line: &[u8]) -> bool {
    let (mut pattern, mut line) = (pattern, line);
    // Where to go on if the rest does not match: behind the last star, one byte further on. An earlier
    // star need not be looked at again, as what stands between the two has found its first place.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = pattern {
            if after.is_empty() {
                return true;
            }
            star = Some((after, line));
            pattern = after;
            continue;
        }
        let next = match line.split_first() {
            None if pattern.is_empty() => return true,
            None => return false,
            Some((&byte, rest)) => one(pattern, byte).map(|after| (after, rest)),
        };
        (pattern, line) = match (next, star) {
            (Some(next), _) => next,
            (None, Some((after, [_, rest @ ..]))) => {
                star = Some((after, rest));
                (after, rest)
            }
            (None, _) => return false,
        };
    }
}

/// What is left of a pattern whose first piece, which is no star, is this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'[', inside @ ..] => match bracket(inside, byte) {
            Some((is_in, after)) => is_in.then_some(after),
            None => (byte == b'[').then_some(inside),
        },
        [b'\\', escaped, after @ ..] => (*escaped == byte).then_some(after),
        [b'\\'] | [] => None,
        [wanted, after @ ..] => (*wanted == byte).then_some(after),
    }
}

/// Whether a bracket has this byte, and what follows it; `None` if it is not closed.
fn bracket(inside: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match inside {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (mut is_in, mut is_first) = (false, true);
    loop {
        match rest {
            [b']', after @ ..] if !is_first => return Some((is_in != negated, after)),
            [b'[', b':', named @ ..] if let Some((has, after)) = class(named, byte) => {
                is_in |= has;
                rest = after;
            }
            _ => {
                let (first, after) = member(rest)?;
                let (last, after) = match after {
                    [b'-', end, ..] if *end != b']' => member(after.get(1..)?)?,
                    _ => (first, after),
                };
                is_in |= (first..=last).contains(&byte);
                rest = after;
            }
        }
        is_first = false;
    }
}

/// One byte of a bracket, and what follows.
fn member(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest {
        [b'\\', escaped, after @ ..] => Some((*escaped, after)),
        [byte, after @ ..] => Some((*byte, after)),
        [] => None,
    }
}

/// Whether a named class has this byte, and what follows its `:]`; `None` if there is no such class.
fn class(named: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let end = named.windows(2).position(|pair| pair == b":]")?;
    let (name, after) = named.split_at(end);
    let has = match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => matches!(byte, b'\t'..=b'\r' | b' '),
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some((has, after.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pattern: &str, lines: &[&str]) -> bool {
        lines.iter().all(|line| matches(pattern.as_bytes(), line.as_bytes()))
    }

    fn none(pattern: &str, lines: &[&str]) -> bool {
        !lines.iter().any(|line| matches(pattern.as_bytes(), line.as_bytes()))
    }

    #[test]
    fn a_star_matches_anything_wherever_it_stands() {
        assert!(all("*", &["", "x", "a/b", ".x"]));
        assert!(all("*o*", &["one", "two", "one two"]));
        assert!(all("* fatal: *", &["a fatal: b", "a b fatal: c"]));
        assert!(none("*one", &["", "on", "onex"]));
        assert!(all("a*b*c", &["abc", "aXbXbXc", "abbbcc"]));
        assert!(none("a*b*c", &["ac", "abcX", "bc"]));
    }

    #[test]
    fn a_question_mark_matches_one_byte() {
        assert!(all("o?e", &["one", "o?e"]));
        assert!(none("o?e", &["oe", "onne"]));
    }

    #[test]
    fn a_bracket_matches_one_of_its_bytes() {
        assert!(all("[a-cx]", &["a", "c", "x"]));
        assert!(none("[a-cx]", &["d", "-", "", "ab"]));
        assert!(all("[!a-c]", &["d", "-"]) && none("[!a-c]", &["b", ""]));
        assert!(all("[^a]", &["b"]) && none("[^a]", &["a"]));
        assert!(all("[]a]", &["]", "a"]) && none("[!]a]", &["]", "a"]));
        assert!(all("[a-]", &["a", "-"]) && all("[*?[]", &["*", "?", "["]));
        assert!(all("[[:digit:]x][[:upper:]]", &["7A", "xZ"]));
        assert!(none("[[:digit:]]", &["a", ":", "d"]));
        assert!(all(r"[\]]", &["]"]) && all(r"[\a-c]", &["b"]));
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_itself() {
        assert!(all("[a", &["[a"]) && none("[a", &["a"]));
        assert!(all("a[", &["a["]));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        assert!(all(r"\*\?\[\\", &[r"*?[\"]));
        assert!(none(r"\*", &["x", "", r"\*"]));
        assert!(none(r"x\", &["x", r"x\"]));
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        let pattern = b"*a".repeat(500);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &[b'a'; 1000]));
    }

    /// As one would say it.
    fn by_hand(pattern: &[u8], line: &[u8]) -> bool {
        match (pattern, line) {
            ([], line) => line.is_empty(),
            ([b'*', after @ ..], line) => (0..=line.len()).any(|at| by_hand(after, &line[at..])),
            ([first, after @ ..], [byte, rest @ ..]) => {
                (*first == b'?' || first == byte) && by_hand(after, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_are_what_the_rule_says(pattern in "[ab*?]{0,7}", line in "[ab]{0,8}") {
            let (pattern, line) = (pattern.as_bytes(), line.as_bytes());
            prop_assert_eq!(matches(pattern, line), by_hand(pattern, line));
        }

        #[test]
        fn any_bytes_are_a_pattern(pattern: Vec<u8>, line: Vec<u8>) {
            let _ = matches(&pattern, &line);
        }
    }
}
