//! A file's contents as a variable's value.

/// What one file of an environment directory says about the variable of the same name.
///
/// An empty file unsets. Otherwise the first line counts, without trailing spaces and tabs, and each
/// zero byte in it stands for a newline. Source: envdir(8).
#[must_use]
pub fn value(contents: &[u8]) -> Option<Vec<u8>> {
    if contents.is_empty() {
        return None;
    }
    let line = contents.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let end = line.iter().rposition(|byte| !b" \t".contains(byte)).map_or(0, |last| last + 1);
    Some(line.iter().take(end).map(|&byte| if byte == 0 { b'\n' } else { byte }).collect())
}

/// Whether a directory entry names a variable; a name with a leading dot is hidden.
#[must_use]
pub fn is_variable(name: &[u8]) -> bool {
    !name.starts_with(b".")
}

/// Whether a variable can have this name: one with `=` in it would be read back as another.
#[must_use]
pub fn is_usable(name: &[u8]) -> bool {
    !name.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_file_unsets() {
        assert_eq!(value(b""), None);
    }

    #[test]
    fn a_blank_line_sets_the_empty_string() {
        assert_eq!(value(b"\n"), Some(Vec::new()));
        assert_eq!(value(b" \t \n"), Some(Vec::new()));
        assert_eq!(value(b"\nsecond"), Some(Vec::new()));
    }

    #[test]
    fn the_first_line_counts_without_trailing_blanks() {
        assert_eq!(value(b" a b \t\nsecond\n"), Some(b" a b".to_vec()));
        assert_eq!(value(b"no newline"), Some(b"no newline".to_vec()));
        assert_eq!(value(b"cr\r\n"), Some(b"cr\r".to_vec()));
    }

    #[test]
    fn a_zero_byte_stands_for_a_newline() {
        assert_eq!(value(b"one\0two \0\n"), Some(b"one\ntwo \n".to_vec()));
    }

    #[test]
    fn hidden_files_and_names_with_an_equals_sign_are_told_apart() {
        assert!(!is_variable(b".git"));
        assert!(is_variable(b"PATH") && is_usable(b"PATH"));
        assert!(is_variable(b"B=C") && !is_usable(b"B=C"));
    }

    proptest! {
        #[test]
        fn a_value_can_always_be_given_to_a_program(contents: Vec<u8>) {
            prop_assert!(!value(&contents).unwrap_or_default().contains(&0));
        }
    }
}
