//! The address in an argument of MAIL or RCPT, and the parameters after it.

use std::net::IpAddr;

use wire::{decimal, ip, text};

/// Longest address, in bytes without quotes.
pub const LONGEST: usize = 899;

/// The argument is not what the command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The address in `argument`, without quotes, and what follows it.
///
/// The address is what is between the first `<` and the next `>`, or else between the first `:` and
/// the next space after it. A route (`@one,@two:`) before it is dropped. The end may be missing, a
/// backslash takes the next byte as it is, and quotation marks protect what is between them. Without
/// angle brackets there must be an `@` in it, or nothing at all. Bytes that would end a line or a
/// record elsewhere are refused. Source: qmail-smtpd(8), RFC 5321 section 4.1.2.
pub fn parse(argument: &[u8]) -> Result<(Vec<u8>, &[u8]), Malformed> {
    let (start, end) = match (memchr::memchr(b'<', argument), memchr::memchr(b':', argument)) {
        (Some(open), _) => (argument.get(open + 1..), b'>'),
        (None, Some(colon)) => (argument.get(colon + 1..), b' '),
        (None, None) if argument.is_empty() => (Some(argument), b' '),
        (None, None) => return Err(Malformed),
    };
    let mut start = start.unwrap_or_default();
    if end == b' ' {
        start = text::trim_start(start);
    }
    let (address, rest) = unquoted(without_route(start)?, end);
    let is_bare = end == b' ' && !address.is_empty();
    if address.len() > LONGEST
        || address.iter().any(|byte| b"\0\r\n".contains(byte))
        || is_bare && !address.contains(&b'@')
    {
        return Err(Malformed);
    }
    Ok((address, rest))
}

fn without_route(path: &[u8]) -> Result<&[u8], Malformed> {
    if !path.starts_with(b"@") {
        return Ok(path);
    }
    text::split_once(path, b':').map(|(_, path)| path).ok_or(Malformed)
}

/// `path` up to `end`, without quotes, and what follows `end`.
fn unquoted(path: &[u8], end: u8) -> (Vec<u8>, &[u8]) {
    let mut address = Vec::with_capacity(path.len().min(LONGEST + 1));
    let mut is_quoted = false;
    let mut rest = path;
    loop {
        rest = match rest {
            [] | [b'\\'] => return (address, b""),
            [b'\\', byte, tail @ ..] => {
                address.push(*byte);
                tail
            }
            [b'"', tail @ ..] => {
                is_quoted = !is_quoted;
                tail
            }
            // The space may begin the parameters, so it stays.
            [byte, ..] if *byte == end && !is_quoted && end == b' ' => return (address, rest),
            [byte, tail @ ..] if *byte == end && !is_quoted => return (address, tail),
            [byte, tail @ ..] => {
                address.push(*byte);
                tail
            }
        };
    }
}

/// Where the domain of `address` begins if that is an address literal, and the literal's address.
#[must_use]
pub fn literal(address: &[u8]) -> Option<(usize, IpAddr)> {
    let at = memchr::memrchr(b'@', address)?;
    Some((at + 1, ip::parse_literal(address.get(at + 1..)?)?))
}

/// What MAIL says of the message to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// How many bytes the client says that the message will have. Source: RFC 1870.
    pub size: Option<u64>,
}

impl Parameters {
    /// Reads what follows the sender's address: words after blanks, each known.
    ///
    /// Known are `SIZE=` (RFC 1870), `BODY=7BIT` and `BODY=8BITMIME` (RFC 6152), and `AUTH=` (RFC
    /// 4954), which is not believed. No word may occur twice.
    pub fn of_mail(rest: &[u8]) -> Result<Parameters, Malformed> {
        let mut parameters = Parameters::default();
        let mut seen = [false; 3];
        for word in words(rest)? {
            let (key, value) = text::split_once(word, b'=').ok_or(Malformed)?;
            let place = [&b"SIZE"[..], b"BODY", b"AUTH"]
                .iter()
                .position(|known| key.eq_ignore_ascii_case(known))
                .ok_or(Malformed)?;
            if std::mem::replace(seen.get_mut(place).ok_or(Malformed)?, true) {
                return Err(Malformed);
            }
            match place {
                0 => parameters.size = Some(size(value)?),
                1 if value.eq_ignore_ascii_case(b"7BIT") => {}
                1 if value.eq_ignore_ascii_case(b"8BITMIME") => {}
                1 => return Err(Malformed),
                _ if value.is_empty() => return Err(Malformed),
                _ => {}
            }
        }
        Ok(parameters)
    }
}

/// Up to 20 digits; what is beyond 64 bits is the greatest number.
fn size(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || value.len() > 20 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    Ok(decimal::parse(value).unwrap_or(u64::MAX))
}

/// The words of `rest`, which must begin with a blank unless it is empty.
fn words(rest: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Malformed> {
    if rest.first().is_some_and(|&byte| !text::is_blank(byte)) {
        return Err(Malformed);
    }
    Ok(text::words(rest))
}

/// Checks what follows the address of RCPT, which has no parameters.
pub fn no_parameters(rest: &[u8]) -> Result<(), Malformed> {
    if words(rest)?.next().is_some() { Err(Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(argument: &str) -> Result<String, Malformed> {
        parse(argument.as_bytes()).map(|(address, _)| String::from_utf8(address).unwrap())
    }

    #[test]
    fn angle_brackets_count_before_the_colon() {
        for argument in ["FROM:<a@b>", "<a@b>", "FROM: <a@b>", "to:Joe <a@b>", "FROM:<a@b"] {
            assert_eq!(address(argument).unwrap(), "a@b", "{argument}");
        }
        for argument in ["FROM:a@b", "FROM:   a@b SIZE=3", ":a@b"] {
            assert_eq!(address(argument).unwrap(), "a@b", "{argument}");
        }
        for argument in ["", "FROM:<>", "FROM:", "FROM: ", "<", "TO:<\"\">"] {
            assert_eq!(address(argument).unwrap(), "", "{argument}");
        }
    }

    #[test]
    fn a_route_is_dropped() {
        assert_eq!(address("TO:<@one,@two:a@b>").unwrap(), "a@b");
        assert_eq!(address("TO:@one:a@b").unwrap(), "a@b");
        assert_eq!(address("TO:<@one>"), Err(Malformed));
    }

    #[test]
    fn quotes_are_dropped_and_protect() {
        assert_eq!(address("TO:<\"q x\"@h>").unwrap(), "q x@h");
        assert_eq!(address("TO:<\"a>b\"@h>").unwrap(), "a>b@h");
        assert_eq!(address("TO:<a\\>\\\"b@h>").unwrap(), "a>\"b@h");
        assert_eq!(address("TO:<\"a\\\\b\"c@h>").unwrap(), "a\\bc@h");
        assert_eq!(address("TO:<\"a@h>").unwrap(), "a@h>");
        assert_eq!(address("TO:<a@h\\").unwrap(), "a@h");
        assert_eq!(address("TO:\"a b\"@h NOTIFY=").unwrap(), "a b@h");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for argument in ["FROM: foo", "foo", "FROM foo@bar", "<a\0@b>", "<a@b\r>", "<\"a\\\n\"@b>"]
        {
            assert_eq!(address(argument), Err(Malformed), "{argument:?}");
        }
    }

    #[test]
    fn an_address_may_have_899_bytes() {
        let name = "x".repeat(895);
        assert_eq!(address(&format!("<\"{name}\"@b.c>")).unwrap().len(), 899);
        assert_eq!(address(&format!("<{name}x@b.c>")), Err(Malformed));
    }

    #[test]
    fn a_literal_is_all_of_the_domain() {
        assert_eq!(literal(b"a@[192.0.2.1]"), Some((2, "192.0.2.1".parse().unwrap())));
        assert_eq!(literal(b"a@b@[IPv6:::1]"), Some((4, "::1".parse().unwrap())));
        for other in [&b"a@[192.0.2.1]x"[..], b"a@192.0.2.1", b"[192.0.2.1]", b"a@[192.0.2]"] {
            assert_eq!(literal(other), None);
        }
    }

    fn of_mail(argument: &str) -> Result<Option<u64>, Malformed> {
        let (_, rest) = parse(argument.as_bytes())?;
        Parameters::of_mail(rest).map(|parameters| parameters.size)
    }

    #[test]
    fn parameters_of_mail_are_known_or_refused() {
        assert_eq!(of_mail("FROM:<a@b>  "), Ok(None));
        assert_eq!(of_mail("FROM:<a@b> SIZE=12"), Ok(Some(12)));
        assert_eq!(of_mail("FROM:<> body=8bitmime\tsize=0 AUTH=<>"), Ok(Some(0)));
        assert_eq!(of_mail("FROM:a@b size=1 BODY=7bit"), Ok(Some(1)));
        assert_eq!(of_mail("FROM:<> SIZE=99999999999999999999"), Ok(Some(u64::MAX)));
        for wrong in [
            "x",
            "SIZE=1",
            " SIZE",
            " SIZE=",
            " SIZE=1x",
            " SIZE=-1",
            " SIZE=1 size=2",
            " SIZE=000000000000000000000",
            " BODY=BINARYMIME",
            " AUTH=",
            " SMTPUTF8",
            " RET=HDRS",
            " =",
        ] {
            assert_eq!(of_mail(&format!("FROM:<a@b>{wrong}")), Err(Malformed), "{wrong}");
        }
    }

    #[test]
    fn rcpt_has_no_parameters() {
        assert_eq!(no_parameters(b" \t "), Ok(()));
        for wrong in [&b"x"[..], b" NOTIFY=NEVER", b">"] {
            assert_eq!(no_parameters(wrong), Err(Malformed));
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(local in "[ -~]{1,40}") {
            let quoted = crate::addr::quote::address(format!("{local}@host").as_bytes());
            let argument = [b"TO:<", quoted.as_slice(), b">"].concat();
            prop_assert_eq!(parse(&argument).unwrap(), (format!("{local}@host").into(), &b""[..]));
        }

        #[test]
        fn any_bytes_are_an_address_or_not(bytes: Vec<u8>) {
            if let Ok((address, rest)) = parse(&bytes) {
                prop_assert!(address.len() + rest.len() <= bytes.len());
                let _ = Parameters::of_mail(rest);
            }
        }
    }
}
