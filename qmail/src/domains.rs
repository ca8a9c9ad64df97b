//! Sets and maps of domains: locals, rcpthosts, percenthack; virtualdomains, smtproutes.

/// A set of domains, as locals, percenthack and rcpthosts are. Case does not matter.
#[derive(Clone, Debug, Default)]
pub struct DomainSet(Table);

impl DomainSet {
    /// One domain a line, as [`crate::control::List::lines`] gives them.
    pub fn new<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> DomainSet {
        let mut table = Table::default();
        for line in lines {
            table.insert(line, b"");
        }
        table.build();
        DomainSet(table)
    }

    /// True if no line names a domain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// True if a line is `domain` itself: the rule of locals and percenthack.
    #[must_use]
    pub fn contains(&self, domain: &[u8]) -> bool {
        self.0.find(domain).is_some()
    }

    /// True if a line is `domain`, or an end of it that starts with a dot: the rule of rcpthosts.
    #[must_use]
    pub fn matches(&self, domain: &[u8]) -> bool {
        self.contains(domain) || suffixes(domain).any(|suffix| self.contains(suffix))
    }
}

/// A map from domains to text, as virtualdomains and smtproutes are. Case of keys does not matter.
#[derive(Clone, Debug, Default)]
pub struct DomainMap(Table);

impl DomainMap {
    /// `key:value` a line; a line without a colon is ignored, and of several lines with one key the
    /// last counts.
    pub fn new<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> DomainMap {
        let mut table = Table::default();
        for line in lines {
            let mut parts = line.splitn(2, |&byte| byte == b':');
            if let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                table.insert(key, value);
            }
        }
        table.build();
        DomainMap(table)
    }

    /// True if there is no line with a colon.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The value of `key` itself.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.find(key)
    }

    /// The value for a host: of its name, else of the longest end that starts with a dot, else of
    /// the empty key. The rule of smtproutes.
    #[must_use]
    pub fn host(&self, host: &[u8]) -> Option<&[u8]> {
        std::iter::once(host)
            .chain(suffixes(host))
            .chain([&b""[..]])
            .find_map(|key| self.0.find(key))
    }

    /// The value for an address: of all of it, else as [`DomainMap::host`] for what follows its last
    /// `@`. The rule of virtualdomains.
    #[must_use]
    pub fn address(&self, address: &[u8]) -> Option<&[u8]> {
        let at = address.iter().rposition(|&byte| byte == b'@');
        let domain = at.and_then(|at| address.get(at + 1..)).unwrap_or_default();
        self.0.find(address).or_else(|| self.host(domain))
    }
}

/// The ends of `domain` that start with a dot, the longest first.
fn suffixes(domain: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memchr_iter(b'.', domain).filter_map(|dot| domain.get(dot..))
}

/// A hash table over one piece of text: a per-connection program fills it from a file of many
/// lines, looks up a few, and ends.
#[derive(Clone, Debug, Default)]
struct Table {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// By hash, the entry last inserted, plus one.
    heads: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: u32,
    start: usize,
    middle: usize,
    end: usize,
    /// The entry inserted before this one into the same slot, plus one.
    next: u32,
}

/// As in cdb(5), of the lower-case key. Only the administrator's keys fill the table, so nobody
/// gains by making keys collide.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5381u32, |hash, byte| {
        (hash << 5).wrapping_add(hash) ^ u32::from(byte.to_ascii_lowercase())
    })
}

impl Table {
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(key);
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        let end = self.text.len();
        self.entries.push(Entry { hash: hash(key), start, middle, end, next: 0 });
    }

    fn build(&mut self) {
        self.heads = vec![0; self.entries.len().next_power_of_two()];
        let slots = self.heads.len();
        for (number, entry) in (1u32..).zip(&mut self.entries) {
            if let Some(head) = self.heads.get_mut(entry.hash as usize & (slots - 1)) {
                entry.next = std::mem::replace(head, number);
            }
        }
    }

    fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let hash = hash(key);
        let mut number = *self.heads.get(hash as usize & self.heads.len().checked_sub(1)?)?;
        while let Some(index) = number.checked_sub(1) {
            let entry = self.entries.get(index as usize)?;
            if entry.hash == hash {
                let known = self.text.get(entry.start..entry.middle)?;
                if known.eq_ignore_ascii_case(key) {
                    return self.text.get(entry.middle..entry.end);
                }
            }
            number = entry.next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn set(lines: &[&str]) -> DomainSet {
        DomainSet::new(lines.iter().map(|line| line.as_bytes()))
    }

    fn map(lines: &[&str]) -> DomainMap {
        DomainMap::new(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn locals_match_exactly_and_without_case() {
        let locals = set(&["Example.org", ".sub.org"]);
        assert!(locals.contains(b"eXample.ORG"));
        assert!(!locals.contains(b"a.example.org"));
        assert!(!locals.contains(b"a.sub.org"));
        assert!(!set(&[]).contains(b""));
    }

    #[test]
    fn rcpthosts_match_ends_that_start_with_a_dot() {
        let rcpthosts = set(&["example.org", ".heaven.af.mil"]);
        assert!(rcpthosts.matches(b"example.org"));
        assert!(!rcpthosts.matches(b"a.example.org"));
        assert!(rcpthosts.matches(b"a.b.Heaven.AF.mil"));
        assert!(!rcpthosts.matches(b"heaven.af.mil"));
        assert!(!rcpthosts.matches(b""));
    }

    #[test]
    fn virtualdomains_are_tried_from_the_whole_address_to_the_empty_key() {
        let map = map(&["user@host.test:user", "host.test:host", ".test:wild", ":rest"]);
        assert_eq!(map.address(b"USER@host.test"), Some(&b"user"[..]));
        assert_eq!(map.address(b"x@host.test"), Some(&b"host"[..]));
        assert_eq!(map.address(b"x@a.host.test"), Some(&b"wild"[..]));
        assert_eq!(map.address(b"x@test"), Some(&b"rest"[..]));
        assert_eq!(map.address(b"a.test@other"), Some(&b"rest"[..]));
    }

    #[test]
    fn the_longest_wildcard_wins() {
        let map = map(&[".c:one", ".b.c:two"]);
        assert_eq!(map.host(b"a.b.c"), Some(&b"two"[..]));
        assert_eq!(map.host(b"b.c"), Some(&b"one"[..]));
        assert_eq!(map.host(b"c"), None);
    }

    #[test]
    fn of_two_lines_with_one_key_the_last_counts() {
        let map = map(&["a.test:one", "no colon", "A.TEST:two:25"]);
        assert_eq!(map.get(b"a.test"), Some(&b"two:25"[..]));
    }

    #[test]
    fn an_empty_value_is_a_hit() {
        assert_eq!(map(&["a:"]).host(b"a"), Some(&b""[..]));
        assert!(map(&["no colon"]).is_empty());
    }

    proptest! {
        #[test]
        fn a_table_finds_what_a_hash_map_finds(
            lines in proptest::collection::vec("[aAb.]{0,3}:[xy]{0,2}", 0..40),
            key in "[aAb.]{0,3}",
        ) {
            let table = DomainMap::new(lines.iter().map(String::as_bytes));
            let model: HashMap<String, &str> = lines
                .iter()
                .filter_map(|line| line.split_once(':'))
                .map(|(key, value)| (key.to_lowercase(), value))
                .collect();
            let expected = model.get(&key.to_lowercase()).map(|value| value.as_bytes());
            prop_assert_eq!(table.get(key.as_bytes()), expected);
        }
    }
}
