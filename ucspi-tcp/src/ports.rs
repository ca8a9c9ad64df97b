//! Ports by number or name.

use prog::Fatal;
use wire::{decimal, text};

/// What is wrong with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A number that no port has.
    OutOfRange,
    /// A name that /etc/services does not have.
    Unknown,
}

/// The TCP port that `port` names: a number, or a name out of `services`, the contents of
/// /etc/services, which are asked for only if needed.
pub fn parse(port: &[u8], services: impl FnOnce() -> Vec<u8>) -> Result<u16, Wrong> {
    if port.iter().all(u8::is_ascii_digit) && !port.is_empty() {
        let number = decimal::parse(port).and_then(|number| u16::try_from(number).ok());
        return number.ok_or(Wrong::OutOfRange);
    }
    named(&services(), port).ok_or(Wrong::Unknown)
}

/// The TCP port that an argument names; else why that is none.
pub fn figure_out(port: &[u8]) -> Result<u16, Fatal> {
    let services = || std::fs::read("/etc/services").unwrap_or_default();
    parse(port, services).map_err(|wrong| {
        let what = ("unable to figure out port number for ", port);
        match wrong {
            Wrong::OutOfRange => Fatal::hard(what),
            Wrong::Unknown => Fatal::soft(what),
        }
    })
}

/// The port of a TCP service in services(5): `NAME PORT/tcp ALIASES`.
fn named(services: &[u8], name: &[u8]) -> Option<u16> {
    text::lines(services).find_map(|line| {
        let line = line.split(|&byte| byte == b'#').next()?;
        let mut words = text::words(line);
        let official = words.next()?;
        let port = words.next()?.strip_suffix(b"/tcp")?;
        (official == name || words.any(|alias| alias == name)).then_some(())?;
        u16::try_from(decimal::parse(port)?).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(port: &[u8]) -> Result<u16, Wrong> {
        parse(port, || {
            b"# x\nsmtp\t\t25/tcp\tmail # comment\ndomain 53/udp\ndomain 53/tcp\n".to_vec()
        })
    }

    #[test]
    fn numbers_names_and_aliases() {
        assert_eq!(find(b"0"), Ok(0));
        assert_eq!(find(b"65535"), Ok(65535));
        assert_eq!(find(b"smtp"), Ok(25));
        assert_eq!(find(b"mail"), Ok(25));
        assert_eq!(find(b"domain"), Ok(53));
    }

    #[test]
    fn what_is_no_port() {
        assert_eq!(find(b"65536"), Err(Wrong::OutOfRange));
        assert_eq!(find(b"99999999999999999999"), Err(Wrong::OutOfRange));
        for unknown in [&b""[..], b"comment", b"#", b"25x", b"-1"] {
            assert_eq!(find(unknown), Err(Wrong::Unknown));
        }
    }
}
