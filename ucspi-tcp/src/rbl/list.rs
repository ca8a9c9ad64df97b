//! One list: what it is asked, and what its answers mean.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use lookup::resolver::{Error, Kind, Question, Record};
use wire::{decimal, ip, text};

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Who is listed is allowed: `-a`.
    Allow,
    /// Who is listed is refused: `-r`.
    Refuse,
}

/// A list, and what the options before it say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// `-a` or `-r`.
    pub purpose: Purpose,
    /// The name below which addresses are listed.
    pub base: Vec<u8>,
    /// The addresses that count as a listing; without any, every record does.
    pub codes: Vec<RangeInclusive<Ipv4Addr>>,
    /// `-b`: who is listed gets a permanent error.
    pub bounces: bool,
    /// `-c`: a list that cannot be asked is taken for one that speaks against the client.
    pub fails_closed: bool,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It cannot be asked now.
    Failed,
    /// The client is listed, for this reason.
    Listed(Vec<u8>),
    /// The client is not listed.
    NotListed,
}

/// What came of a question.
type Answer = Result<Vec<Record>, Error>;

impl List {
    /// The list of a command line: `BASE`, or `BASE=CODES`, where CODES are IPv4 addresses with commas
    /// between them, the last number of each perhaps a range: `zen.example=127.0.0.2-3,127.0.0.10`.
    ///
    /// `None` for codes that are none.
    #[must_use]
    pub fn new(purpose: Purpose, value: &[u8]) -> Option<List> {
        let (base, codes) = match text::split_once(value, b'=') {
            Some((base, codes)) => {
                let codes = codes.split(|&byte| byte == b',').map(code).collect::<Option<_>>()?;
                (base, codes)
            }
            None => (value, Vec::new()),
        };
        Some(List { purpose, base: base.to_vec(), codes, bounces: false, fails_closed: false })
    }

    /// The name that is there if `address` is listed: octets in reverse, or for IPv6 hexadecimal
    /// digits, then the base.
    fn name(&self, address: IpAddr) -> Vec<u8> {
        let mut name = Vec::with_capacity(72 + self.base.len());
        ip::push_reversed(&mut name, address);
        name.push(b'.');
        name.extend_from_slice(&self.base);
        name
    }

    /// What is to be asked about `address`: text, or an address, or where codes have to be known and a
    /// reason given, an address and text.
    pub fn questions(&self, address: IpAddr) -> Result<Vec<Question>, Error> {
        let kinds: &[Kind] = match self.purpose {
            Purpose::Allow => &[Kind::A],
            Purpose::Refuse if self.codes.is_empty() => &[Kind::Txt],
            Purpose::Refuse => &[Kind::A, Kind::Txt],
        };
        kinds.iter().map(|&kind| Question::new(&self.name(address), kind)).collect()
    }

    /// What the answers to [`List::questions`] mean. The first decides.
    ///
    /// All text of all records is one reason; without any there is no reason to refuse, unless codes
    /// have one.
    #[must_use]
    pub fn finding(&self, answers: &[Answer]) -> Finding {
        let records = match answers.first() {
            Some(Ok(records)) => records,
            Some(Err(Error::NoData | Error::NoName)) => return Finding::NotListed,
            Some(Err(_)) | None => return Finding::Failed,
        };
        let reason: Vec<u8> = answers.iter().flatten().flatten().flat_map(words).copied().collect();
        let mut addresses = records.iter().filter_map(|record| match record {
            Record::Address(IpAddr::V4(address)) => Some(address),
            _ => None,
        });
        let counts = |address: &&Ipv4Addr| {
            self.codes.is_empty() || self.codes.iter().any(|code| code.contains(*address))
        };
        match (self.purpose, addresses.find(counts)) {
            (_, Some(_)) if !reason.is_empty() => Finding::Listed(reason),
            (_, Some(address)) => {
                let code = ip::text((*address).into());
                Finding::Listed([b"listed as ", &code[..], b" in ", &self.base].concat())
            }
            (Purpose::Refuse, None) if self.codes.is_empty() && !reason.is_empty() => {
                Finding::Listed(reason)
            }
            (_, None) => Finding::NotListed,
        }
    }
}

fn words(record: &Record) -> &[u8] {
    match record {
        Record::Text(text) => text,
        _ => &[],
    }
}

/// `A.B.C.D` or `A.B.C.D-E`.
fn code(text: &[u8]) -> Option<RangeInclusive<Ipv4Addr>> {
    let (first, last) = match text::split_once(text, b'-') {
        Some((first, last)) => (first, Some(u8::try_from(decimal::parse(last)?).ok()?)),
        None => (text, None),
    };
    let first = ip::parse_v4(first)?;
    let [a, b, c, d] = first.octets();
    let last = last.unwrap_or(d);
    (d <= last).then(|| first..=Ipv4Addr::new(a, b, c, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(value: &str) -> List {
        List::new(Purpose::Refuse, value.as_bytes()).unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<Record> {
        texts.iter().map(|text| Record::Address(text.parse().unwrap())).collect()
    }

    fn words(text: &str) -> Answer {
        let records = vec![Record::Text(text.as_bytes().to_vec())];
        if text == "?" { Err(Error::BadName) } else { Ok(records) }
    }

    fn listed(text: &str) -> Finding {
        Finding::Listed(text.as_bytes().to_vec())
    }

    #[test]
    fn a_name_is_the_address_in_reverse() {
        let name = |address: &str| refuse("list.example").name(address.parse().unwrap());
        assert_eq!(name("192.0.2.1"), b"1.2.0.192.list.example");
        assert_eq!(name("::ffff:192.0.2.1"), b"1.2.0.192.list.example");
        let six = name("2001:db8::1");
        assert!(six.starts_with(b"1.0.0.0.0.0."));
        assert!(six.ends_with(b"8.b.d.0.1.0.0.2.list.example"));
    }

    #[test]
    fn codes_are_addresses_and_ranges_of_them() {
        let list = refuse("a.b=127.0.0.2-11,127.0.1.255");
        assert_eq!(list.base, b"a.b");
        let of = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let expected = [of("127.0.0.2")..=of("127.0.0.11"), of("127.0.1.255")..=of("127.0.1.255")];
        assert_eq!(list.codes, expected);
        for wrong in
            ["a=", "a=2", "a=127.0.0.2-", "a=127.0.0.3-2", "a=127.0.0.2,", "a=127.0.0.2-256"]
        {
            assert_eq!(List::new(Purpose::Refuse, wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn text_is_a_reason_and_nothing_else() {
        let list = refuse("a");
        assert_eq!(list.finding(&[words("go away")]), listed("go away"));
        assert_eq!(list.finding(&[words("")]), Finding::NotListed);
        assert_eq!(list.finding(&[Err(Error::NoName)]), Finding::NotListed);
        assert_eq!(list.finding(&[Err(Error::BadName)]), Finding::Failed);
        assert_eq!(list.finding(&[]), Finding::Failed);
    }

    #[test]
    fn with_codes_the_address_decides_and_the_text_is_the_reason() {
        let list = refuse("a.b=127.0.0.2-11");
        let both = |codes: &[&str], text| list.finding(&[Ok(addresses(codes)), text]);
        assert_eq!(both(&["127.0.0.1", "127.0.0.4"], words("go away")), listed("go away"));
        let bare = listed("listed as 127.0.0.4 in a.b");
        assert_eq!(both(&["127.0.0.4"], words("")), bare);
        assert_eq!(both(&["127.0.0.4"], words("?")), bare);
        assert_eq!(both(&["127.255.255.254"], words("you ask too often")), Finding::NotListed);
        assert_eq!(list.finding(&[Err(Error::BadName), words("x")]), Finding::Failed);
        assert_eq!(list.finding(&[Err(Error::NoName), words("x")]), Finding::NotListed);
    }

    #[test]
    fn any_address_allows_unless_there_are_codes() {
        let allow = |value: &str| List::new(Purpose::Allow, value.as_bytes()).unwrap();
        let is_listed = |list: List, code| {
            matches!(list.finding(&[Ok(addresses(&[code]))]), Finding::Listed(_))
        };
        assert!(is_listed(allow("a"), "127.0.0.2"));
        assert!(is_listed(allow("a=127.0.0.2"), "127.0.0.2"));
        assert!(!is_listed(allow("a=127.0.0.2"), "127.0.0.3"));
    }
}
