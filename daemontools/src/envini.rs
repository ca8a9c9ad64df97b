//! Variables from a file with sections.

/// The variables that a file sets, in its order: name and value. Source: envini(8).
///
/// `[section]` puts `section_` before the names that follow, `prefix` stands before everything; a line
/// is `name = value`, without the blanks around both. A line that begins with a semicolon is a comment.
/// What is neither is passed over, also what would set a variable that no program could read back.
#[must_use]
pub fn variables(file: &[u8], prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut section = Vec::new();
    let mut found = Vec::new();
    for line in file.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        match line {
            [b'[', name @ .., b']'] => section = [name, b"_"].concat(),
            [b';', ..] => {}
            line => found.extend(variable(line, &[prefix, &section].concat())),
        }
    }
    found
}

fn variable(line: &[u8], before: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let (name, value) = line.split_at_checked(equals)?;
    let (name, value) = (name.trim_ascii_end(), value.get(1..)?.trim_ascii_start());
    let is_name = !name.is_empty() && !name.iter().any(u8::is_ascii_whitespace);
    let is_plain = !before.contains(&b'=') && ![before, line].concat().contains(&0);
    (is_name && is_plain).then(|| ([before, name].concat(), value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(file: &str, prefix: &str) -> String {
        let found = variables(file.as_bytes(), prefix.as_bytes());
        let texts = found.into_iter().map(|(name, value)| [&name[..], b"=", &value].concat());
        String::from_utf8(texts.collect::<Vec<_>>().join(&b'|')).unwrap()
    }

    #[test]
    fn a_line_is_a_name_and_a_value_without_blanks_around() {
        assert_eq!(set("a=1\n  b\t =  two words \r\nc==x\nd=", ""), "a=1|b=two words|c==x|d=");
    }

    #[test]
    fn a_section_and_the_prefix_stand_before_the_name() {
        assert_eq!(set("a=1\n[s]\na=2\n [ t ]\nb=3\n[]\nc=4", ""), "a=1|s_a=2| t _b=3|_c=4");
        assert_eq!(set("a=1\n[s]\na=2", "p_"), "p_a=1|p_s_a=2");
    }

    #[test]
    fn comments_and_what_is_malformed_are_passed_over() {
        assert_eq!(
            set("; a=1\n\nbroken\na b=2\n=3\n[\n[s=t]\nc=4\n[u]\nd\0=5\ne=\0\nf=6", ""),
            "u_f=6"
        );
    }

    proptest! {
        #[test]
        fn what_is_set_can_be_read_back(file: Vec<u8>, prefix in "[a-z=]{0,3}") {
            for (name, value) in variables(&file, prefix.as_bytes()) {
                prop_assert!(!name.is_empty() && !name.contains(&b'=') && !name.contains(&0));
                prop_assert!(!value.contains(&0));
            }
        }
    }
}
