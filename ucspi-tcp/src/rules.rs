//! The rule language: address patterns, allow, deny, variables; parse and print.
//!
//! A rule is a line `ADDRESS:allow` or `ADDRESS:deny`, with any number of `,NAME="VALUE"` behind
//! it. Compiled, it is a record of a cdb: the address is the key, and the data are items that end in
//! a zero byte, `D` for deny and `+NAME=VALUE` for a variable. Source: tcprules(1), and as observed.

mod address;
mod compile;
mod dump;
mod lookup;
mod networks;

use wire::gather::Gather;
use wire::text;

pub use address::Address;
pub use compile::compile;
pub use dump::dump;
pub use lookup::{Match, Peer, find, find_in};
pub use networks::Lengths;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not `ADDRESS:allow` or `ADDRESS:deny` with variables.
    Malformed,
    /// It is, but no connection can ever come from such an address.
    NeverMatches,
}

/// Reads the rule in `line`, which may end in a newline: gives whom it is about, and puts the data of
/// its records into `data`, in place of what is there.
///
/// `None` for a line without one: empty, blank, or a comment, which begins with `#`. Blanks at the
/// end do not count. The colon that ends the address is the first that `allow` or `deny` follows,
/// so that IPv6 addresses need no brackets.
pub fn parse<'a>(line: &'a [u8], data: &mut Gather) -> Result<Option<Address<'a>>, Wrong> {
    let line = text::trim_end(line);
    if matches!(text::trim_start(line), [] | [b'#', ..]) {
        return Ok(None);
    }
    let (address, deny, entries) = split(line).ok_or(Wrong::Malformed)?;
    data.clear();
    if deny {
        data.push_array(b"D\0");
    }
    push_variables(data, entries).ok_or(Wrong::Malformed)?;
    if text::find(line, 0).is_some() {
        return Err(Wrong::Malformed);
    }
    Address::parse(address).map(Some)
}

/// Address, whether it is denied, and what follows the instruction.
fn split(line: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let mut from = 0;
    loop {
        let colon = from + text::find(line.get(from..)?, b':')?;
        let (address, instruction) = line.split_at_checked(colon)?;
        if let Some(rest) = instruction.strip_prefix(b":allow") {
            return Some((address, false, rest));
        }
        if let Some(rest) = instruction.strip_prefix(b":deny") {
            return Some((address, true, rest));
        }
        from = colon + 1;
    }
}

/// Appends the items of entries `,NAME=QvalueQ`, where Q is any byte; `None` if anything else stands
/// there.
fn push_variables(data: &mut Gather, mut entries: &[u8]) -> Option<()> {
    while !entries.is_empty() {
        let entry = entries.strip_prefix(b",")?;
        let equals = text::find(entry, b'=').filter(|&at| at > 0)?;
        let (name, quoted) = entry.split_at_checked(equals + 1)?;
        let (quote, quoted) = quoted.split_first()?;
        let (value, rest) = text::split_once(quoted, *quote)?;
        data.push_array(b"+");
        data.push(name);
        data.push(value);
        data.push_array(b"\0");
        entries = rest;
    }
    Some(())
}

/// One item of a record's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The connection is refused.
    Deny,
    /// The variable is set.
    Set(&'a [u8], &'a [u8]),
}

/// The items of a record's data, in order.
///
/// An item that is neither, and one that does not end in a zero byte, is left out, as the original
/// does.
pub fn items(data: &[u8]) -> impl Iterator<Item = Item<'_>> {
    data.split_inclusive(|&byte| byte == 0).filter_map(|item| match item.strip_suffix(b"\0")? {
        [b'D', ..] => Some(Item::Deny),
        [b'+', variable @ ..] => {
            text::split_once(variable, b'=').map(|(name, value)| Item::Set(name, value))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(line: &str) -> String {
        let mut out = Gather::default();
        parse(line.as_bytes(), &mut out).unwrap().unwrap();
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    fn wrong(line: &str) -> Wrong {
        parse(line.as_bytes(), &mut Gather::default()).unwrap_err()
    }

    #[test]
    fn a_rule_becomes_items_that_end_in_zero() {
        assert_eq!(data("1.2.3.4:deny"), "D\0");
        assert_eq!(data("1.2.3.4:allow \t\n"), "");
        assert_eq!(data(":allow,A=\"b\",C=\"\""), "+A=b\0+C=\0");
        assert_eq!(data("1.2.3.4:deny,A=xfoox"), "D\0+A=foo\0");
        assert_eq!(data(":allow,A=/:,=/"), "+A=:,=\0");
        assert_eq!(data("2001:db8::1:deny"), "D\0");
    }

    #[test]
    fn a_line_without_a_rule_is_skipped() {
        for line in ["", "\n", " \t\n", "# 1.2.3.4:deny\n", "#", "  # indented: too\n"] {
            assert_eq!(parse(line.as_bytes(), &mut Gather::default()), Ok(None), "{line}");
        }
    }

    #[test]
    fn what_is_not_a_rule_is_malformed() {
        for line in ["1.2.3.4", "1.2.3.4:allowx", ":deny:x", ": deny", ":Deny", ":", "1.2.3.4:alow"]
        {
            assert_eq!(wrong(line), Wrong::Malformed, "{line}");
        }
        for variables in
            [",A", ",A=", ",A=\"b", ",A=\"b\",", ",A=\"b\" ,C=\"d\"", ",A=\"b\"C=\"d\""]
        {
            assert_eq!(wrong(&format!(":allow{variables}")), Wrong::Malformed, "{variables}");
        }
        assert_eq!(wrong(":allow,=\"b\""), Wrong::Malformed);
        assert_eq!(wrong(":allow,A=\"\0\""), Wrong::Malformed);
        assert_eq!(wrong("1.2.3.4:deny\r\n"), Wrong::Malformed);
    }

    #[test]
    fn a_rule_that_cannot_match_is_told_from_a_malformed_one() {
        assert_eq!(wrong(" 1.2.3.4:deny"), Wrong::NeverMatches);
        assert_eq!(wrong("10.1.2:deny"), Wrong::NeverMatches);
    }

    #[test]
    fn items_are_read_as_the_original_does() {
        let read = |data| items(data).collect::<Vec<_>>();
        assert_eq!(read(b"D\0+A=b=c\0"), [Item::Deny, Item::Set(b"A", b"b=c")]);
        assert_eq!(read(b"x\0+A\0\0+A=b"), []);
        assert_eq!(read(b"Dx\0"), [Item::Deny]);
    }

    proptest! {
        #[test]
        fn any_line_is_safe(line: Vec<u8>) {
            let _ = parse(&line, &mut Gather::default());
            let _ = items(&line).count();
        }

        #[test]
        fn every_variable_reads_back(
            deny: bool,
            entries in prop::collection::vec(("[A-Z]{1,4}", "[^\"\u{0}]{0,8}"), 0..4),
        ) {
            let mut line = format!(":{}", if deny { "deny" } else { "allow" });
            for (name, value) in &entries {
                line.extend([",", name, "=\"", value, "\""]);
            }
            let mut out = Gather::default();
            parse(line.as_bytes(), &mut out).unwrap().unwrap();
            let mut read = items(out.text());
            if deny {
                prop_assert_eq!(read.next(), Some(Item::Deny));
            }
            for (name, value) in &entries {
                prop_assert_eq!(read.next(), Some(Item::Set(name.as_bytes(), value.as_bytes())));
            }
            prop_assert_eq!(read.next(), None);
        }
    }
}
