//! Domain names: text of ours, names of DNS.

use domain::base::name::{Label, Name, NameBuilder};

/// The name that `text` spells: labels between dots, where `\` and three octal digits stand for
/// any byte. Empty labels are left out, so a dot at the end changes nothing.
///
/// `None` if a label has more than 63 bytes or the name more than 255.
pub(super) fn parse(text: &[u8]) -> Option<Name<Vec<u8>>> {
    let mut builder = NameBuilder::new_vec();
    for label in text.split(|&byte| byte == b'.').filter(|label| !label.is_empty()) {
        builder.append_label(&unescaped(label)).ok()?;
    }
    builder.into_name().ok()
}

fn unescaped(label: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(label.len());
    let mut rest = label;
    loop {
        rest = match rest {
            [] => return out,
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                tail
            }
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

/// The text of a name: lower case, without a dot at the end; the root is empty.
///
/// Bytes other than letters, digits, `-` and `_` become `\` and three octal digits, so that a name
/// can do no harm in a log line or an environment variable. As observed: `dns_domain_todot` of the
/// originals.
pub(super) fn text<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<u8> {
    let mut out = Vec::new();
    for label in labels.filter(|label| !label.is_root()) {
        if !out.is_empty() {
            out.push(b'.');
        }
        for byte in label.as_slice() {
            match byte.to_ascii_lowercase() {
                byte @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => out.push(byte),
                byte => out.extend([
                    b'\\',
                    b'0' + (byte >> 6),
                    b'0' + ((byte >> 3) & 7),
                    b'0' + (byte & 7),
                ]),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(name: &[u8]) -> Option<String> {
        parse(name).map(|name| String::from_utf8(text(name.iter())).unwrap())
    }

    #[test]
    fn names_are_lower_case_without_a_final_dot() {
        assert_eq!(again(b"Mail.Example.ORG.").unwrap(), "mail.example.org");
        assert_eq!(again(b"..a..b").unwrap(), "a.b");
        assert_eq!(again(b".").unwrap(), "");
        assert_eq!(again(b"_tcp.a-1").unwrap(), "_tcp.a-1");
    }

    #[test]
    fn odd_bytes_are_octal() {
        assert_eq!(again(b"a b\x07.%").unwrap(), "a\\040b\\007.\\045");
        assert_eq!(again(b"a\\056b.c").unwrap(), "a\\056b.c");
        assert_eq!(parse(b"a\\056b").unwrap().label_count(), 2);
    }

    #[test]
    fn a_name_too_long_is_none() {
        assert!(parse(&[b'a'; 63]).is_some());
        assert!(parse(&[b'a'; 64]).is_none());
        assert!(parse(&b"a.".repeat(127)).is_some());
        assert!(parse(&b"a.".repeat(128)).is_none());
    }

    proptest! {
        #[test]
        fn the_text_of_a_name_is_the_name(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(name) = parse(&bytes) {
                prop_assert_eq!(parse(&text(name.iter())).unwrap(), name);
            }
        }
    }
}
