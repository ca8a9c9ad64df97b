//! Names for this host's own use: /etc/hosts, and short names made whole.
//!
//! Mail never looks here: it asks [`crate::resolver`] for what DNS says.

use std::net::IpAddr;
use std::path::Path;

use wire::{decimal, ip, text};

use crate::resolver::{Error, Resolver};

/// The addresses of a host that an administrator or user names: an address is its own answer, then
/// /etc/hosts, then DNS for each name that `name` may be short for.
///
/// Short names are made whole by the rules of `$DNSREWRITEFILE` or /etc/dnsrewrite if there is such
/// a file; else by the domains of `$LOCALDOMAIN`; else by those of the `search` or `domain` line
/// of /etc/resolv.conf; else by the domain of this host's own name.
pub fn addresses(resolver: &Resolver, name: &[u8]) -> Result<Vec<IpAddr>, Error> {
    if let Some(address) = literal(name) {
        return Ok(vec![address]);
    }
    let listed = listed(&read("/etc/hosts"), name);
    if listed.is_empty() { in_dns(resolver, name) } else { Ok(listed) }
}

/// As [`addresses`], but of DNS alone: an address is its own answer, and short names are made whole.
pub fn in_dns(resolver: &Resolver, name: &[u8]) -> Result<Vec<IpAddr>, Error> {
    if let Some(address) = literal(name) {
        return Ok(vec![address]);
    }
    let mut last = Err(Error::NoName);
    for candidate in candidates(name, &rules()) {
        last = resolver.addresses(&candidate);
        match last {
            Err(Error::NoName | Error::NoData) => {}
            _ => return last,
        }
    }
    last
}

/// The address that `name` is. It may stand in brackets, and IPv4 may have leading zeros, which mean
/// nothing: `[127.000.000.001]`, as the originals read it.
fn literal(name: &[u8]) -> Option<IpAddr> {
    let inner = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let text = inner.unwrap_or(name);
    ip::parse(text).or_else(|| padded(text)).or_else(|| ip::parse_literal(name))
}

fn padded(text: &[u8]) -> Option<IpAddr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|&byte| byte == b'.');
    for octet in &mut octets {
        *octet = u8::try_from(decimal::parse(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    // A file that cannot be read says nothing: DNS is asked all the same.
    std::fs::read(path).unwrap_or_default()
}

/// The addresses that the contents of /etc/hosts give `name`, in their order.
fn listed(hosts: &[u8], name: &[u8]) -> Vec<IpAddr> {
    text::lines(hosts)
        .filter_map(|line| {
            let line = line.split(|&byte| byte == b'#').next()?;
            let mut words = text::words(line);
            let address = ip::parse(words.next()?)?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

/// The rules by which names are made whole, as lines of a rewrite file.
fn rules() -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let file = std::env::var_os("DNSREWRITEFILE").unwrap_or_else(|| "/etc/dnsrewrite".into());
    if let Ok(rules) = std::fs::read(file) {
        return rules;
    }
    let domains = std::env::var_os("LOCALDOMAIN")
        .map(|domains| text::words(domains.as_bytes()).map(<[u8]>::to_vec).collect())
        .or_else(|| searched(&read("/etc/resolv.conf")))
        .or_else(|| {
            let own = read("/proc/sys/kernel/hostname");
            let (_, domain) = text::split_once(text::trim(&own), b'.')?;
            Some(vec![domain.to_vec()])
        });
    from_domains(&domains.unwrap_or_default())
}

/// The domains of the first `search` or `domain` line of resolv.conf(5).
fn searched(contents: &[u8]) -> Option<Vec<Vec<u8>>> {
    text::lines(contents).find_map(|line| {
        let mut words = text::words(line);
        let key = words.next()?;
        (key == b"search" || key == b"domain").then(|| words.map(<[u8]>::to_vec).collect())
    })
}

/// Rules that try each domain behind a name without a dot, and take a dot off its end.
fn from_domains(domains: &[Vec<u8>]) -> Vec<u8> {
    let mut rules = b"?:".to_vec();
    for domain in domains {
        rules.extend_from_slice(b"+.");
        rules.extend_from_slice(domain);
    }
    rules.extend_from_slice(b"\n*.:\n");
    if domains.is_empty() { b"*.:\n".to_vec() } else { rules }
}

/// The names to ask for, in turn, after `rules` have been applied to `name` in order.
///
/// A rule is a line `XFROM:TO`. X says when it applies, and FROM is then replaced by TO: `=` if the
/// name is FROM, `*` if it ends so, `?` if it ends so and has neither dot nor bracket before that,
/// `-` if it ends so, and then what is before goes too. In the result `+` stands before what is
/// tried in turn behind the first part: `a+.b+.c` is `a.b`, then `a.c`. Other lines mean nothing.
fn candidates(name: &[u8], rules: &[u8]) -> Vec<Vec<u8>> {
    let mut name = name.to_vec();
    for line in text::lines(rules) {
        let Some((from, to)) = text::split_once(text::trim_end(line), b':') else { continue };
        let Some((&kind, from)) = from.split_first() else { continue };
        let Some(before) = name.strip_suffix(from).map(<[u8]>::to_vec) else { continue };
        let is_plain = !before.iter().any(|byte| b".[]".contains(byte));
        match kind {
            b'=' if before.is_empty() => name = to.to_vec(),
            b'*' => name = [&before, to].concat(),
            b'?' if is_plain => name = [&before, to].concat(),
            b'-' => name = to.to_vec(),
            _ => {}
        }
    }
    let mut parts = name.split(|&byte| byte == b'+');
    let first = parts.next().unwrap_or_default();
    let ends: Vec<Vec<u8>> = parts.map(|end| [first, end].concat()).collect();
    if ends.is_empty() { vec![first.to_vec()] } else { ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, rules: &str) -> Vec<String> {
        let found = candidates(name.as_bytes(), rules.as_bytes());
        found.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn an_address_may_have_brackets_and_zeros() {
        let shown = |name: &str| literal(name.as_bytes()).map(|address| address.to_string());
        for name in ["127.0.0.1", "[127.0.0.1]", "127.000.000.001", "[0127.00.0.01]"] {
            assert_eq!(shown(name).unwrap(), "127.0.0.1", "{name}");
        }
        for name in ["::1", "[::1]", "[IPv6:::1]"] {
            assert_eq!(shown(name).unwrap(), "::1", "{name}");
        }
        for name in ["127.0.1", "127.0.0.256", "127.0.0.1.", "127.0.0.1]", "[127.0.0.1", "1", "[]"]
        {
            assert_eq!(shown(name), None, "{name}");
        }
    }

    #[test]
    fn the_hosts_file_lists_names_and_aliases() {
        let hosts = b"127.0.0.1\tlocalhost\n::1 localhost ip6-loopback # localhost2\n#1.2.3.4 x\n\
            192.0.2.1 Mail.example mail\nx localhost\n";
        let found = |name: &[u8]| -> Vec<String> {
            listed(hosts, name).iter().map(ToString::to_string).collect()
        };
        assert_eq!(found(b"localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(found(b"MAIL"), ["192.0.2.1"]);
        assert_eq!(found(b"localhost2"), [""; 0]);
    }

    #[test]
    fn an_address_is_its_own_answer() {
        let nobody = Resolver::new(Vec::new());
        assert_eq!(addresses(&nobody, b"192.0.2.1"), Ok(vec!["192.0.2.1".parse().unwrap()]));
        assert_eq!(addresses(&nobody, b"[IPv6:::1]"), Ok(vec!["::1".parse().unwrap()]));
    }

    #[test]
    fn domains_are_tried_behind_a_name_without_a_dot() {
        let rules = from_domains(&[b"a.b".to_vec(), b"c.d".to_vec()]);
        let rules = String::from_utf8(rules).unwrap();
        assert_eq!(shown("x", &rules), ["x.a.b", "x.c.d"]);
        assert_eq!(shown("x.y", &rules), ["x.y"]);
        assert_eq!(shown("x.", &rules), ["x"]);
        assert_eq!(shown("x", &String::from_utf8(from_domains(&[])).unwrap()), ["x"]);
    }

    #[test]
    fn rewrite_rules_apply_in_order() {
        let rules =
            "# comment\n-.local:me.local\n=me:127.0.0.1\n*.a:.af.mil\n?:.heaven.af.mil\n*.:\n";
        assert_eq!(shown("any.local", rules), ["me.local"]);
        assert_eq!(shown("me", rules), ["127.0.0.1"]);
        assert_eq!(shown("b.a", rules), ["b.af.mil"]);
        assert_eq!(shown("pop", rules), ["pop.heaven.af.mil"]);
        assert_eq!(shown("[1", rules), ["[1"]);
    }

    #[test]
    fn the_search_line_of_resolv_conf_counts() {
        let found = searched(b"nameserver 1.2.3.4\nsearch a.b c.d\ndomain e.f\n").unwrap();
        assert_eq!(found, [b"a.b", b"c.d"]);
        assert_eq!(searched(b"nameserver 1.2.3.4\n"), None);
    }
}
