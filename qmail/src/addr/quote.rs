//! Quoting the part of an address before the `@` (RFC 821 and RFC 822, section 3.3).

/// The bytes that may stand in a local part without quotes.
fn is_plain(byte: u8) -> bool {
    byte > b' ' && byte < 127 && !b"\"(),:;<>@[\\]".contains(&byte)
}

/// True if `local` cannot be written without quotes.
#[must_use]
pub fn is_needed(local: &[u8]) -> bool {
    local.is_empty()
        || !local.iter().all(|&byte| is_plain(byte))
        || local.starts_with(b".")
        || local.ends_with(b".")
        || local.windows(2).any(|pair| pair == b"..")
}

/// `local`, in quotes if it needs them.
#[must_use]
pub fn local(local: &[u8]) -> Vec<u8> {
    if !is_needed(local) {
        return local.to_vec();
    }
    let mut text = vec![b'"'];
    for &byte in local {
        if b"\r\n\"\\".contains(&byte) {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
    text
}

/// An envelope address as header text: the part before the last `@` quoted if need be. The empty
/// address stays empty.
#[must_use]
pub fn address(address: &[u8]) -> Vec<u8> {
    if address.is_empty() {
        return Vec::new();
    }
    match address.iter().rposition(|&byte| byte == b'@') {
        Some(at) => {
            let (before, host) = address.split_at(at);
            [local(before).as_slice(), host].concat()
        }
        None => local(address),
    }
}

/// As [`address`], for a header field: with `_` for what would end its line.
#[must_use]
pub fn in_field(text: &[u8]) -> Vec<u8> {
    let harmless = |&byte: &u8| if b"\r\n".contains(&byte) { b'_' } else { byte };
    address(&text.iter().map(harmless).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        assert_eq!(address(b"joe@h"), b"joe@h");
        assert_eq!(address(b"a b@h"), b"\"a b\"@h");
        assert_eq!(address(b"x y\"z@h"), b"\"x y\\\"z\"@h");
        assert_eq!(address(b".a@h"), b"\".a\"@h");
        assert_eq!(address(b"a..b@h"), b"\"a..b\"@h");
        assert_eq!(address(b"@h"), b"\"\"@h");
        assert_eq!(address(b"a@b@h"), b"\"a@b\"@h");
        assert_eq!(address(b""), b"");
    }
}
