//! Which hosts a message for a domain goes to: smtproutes, mail exchangers, this host among them.

use std::net::IpAddr;

use lookup::resolver::{Error, Exchanger, Resolver, is_null_mx};
use wire::{decimal, ip, text};

use crate::ipme;

/// Where SMTP servers listen.
const PORT: u16 = 25;

/// Most exchangers of a domain, and most addresses, that are looked at: a domain with more of them could
/// hold a sender for days.
const MOST: usize = 100;

/// What control/smtproutes says of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Goes there instead of to the domain's exchangers.
    pub relay: Option<Vec<u8>>,
    /// To this port.
    pub port: u16,
}

impl Route {
    /// The route in the value of a line: `host`, `host:port`, `:port` or nothing. A host may be an
    /// address, with brackets or without; an IPv6 address that a port follows has brackets.
    ///
    /// A port that is no number is 25.
    #[must_use]
    pub fn parse(value: &[u8]) -> Route {
        let bracket = value.starts_with(b"[").then(|| memchr::memchr(b']', value)).flatten();
        let (host, port) = match bracket {
            Some(end) => {
                let (host, rest) = value.split_at_checked(end + 1).unwrap_or_default();
                (host, rest.strip_prefix(b":"))
            }
            None if ip::parse_v6(value).is_some() => (value, None),
            None => text::split_once(value, b':').map_or((value, None), |(h, p)| (h, Some(p))),
        };
        let port = port.and_then(decimal::scan).and_then(|(port, _)| u16::try_from(port).ok());
        // The resolver knows only the brackets of mail addresses, which tell IPv6 by a tag.
        let inner = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]"));
        let host = inner.filter(|inner| ip::parse(inner).is_some()).unwrap_or(host);
        Route { relay: (!host.is_empty()).then(|| host.to_vec()), port: port.unwrap_or(PORT) }
    }
}

impl Default for Route {
    fn default() -> Route {
        Route { relay: None, port: PORT }
    }
}

/// Why there is no host to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nowhere {
    /// There is no such domain.
    Hard,
    /// It has no host with an address.
    NoAddress,
    /// It says that it takes no mail (RFC 7505).
    NullMx,
    /// This host is the best it has.
    Ourselves,
    /// Nobody could say.
    Soft,
}

impl Nowhere {
    /// The report of qmail-remote(8) for a message to `host`, without the zero byte.
    #[must_use]
    pub fn report(self, host: &[u8]) -> Vec<u8> {
        let safe = |&byte: &u8| if (b'!'..=b'~').contains(&byte) { byte } else { b'?' };
        let host: Vec<u8> = host.iter().map(safe).collect();
        match self {
            Nowhere::Hard => {
                [b"DSorry, I couldn't find any host named ", host.as_slice(), b". (#5.1.2)\n"]
                    .concat()
            }
            Nowhere::NoAddress => {
                b"DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n".to_vec()
            }
            Nowhere::NullMx => [
                b"DSorry, ",
                host.as_slice(),
                b" does not take mail: it has a null MX. (#5.1.10)\n",
            ]
            .concat(),
            Nowhere::Ourselves => {
                b"DSorry. Although I'm listed as a best-preference MX or A for that host,\n\
                  it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
                    .to_vec()
            }
            Nowhere::Soft => b"ZSorry, I couldn't find any host by that name. (#4.1.2)\n".to_vec(),
        }
    }
}

/// An address of an exchanger, and how much it is preferred: less is better.
pub type Candidate = (u16, IpAddr);

/// The addresses to try for `host`, in order; at least one. `own` tells this host's addresses, and is
/// asked only where a route has not decided already.
pub fn find<E>(
    resolver: &Resolver,
    host: &[u8],
    route: &Route,
    own: impl FnOnce() -> Result<Vec<IpAddr>, E>,
) -> Result<Result<Vec<IpAddr>, Nowhere>, E> {
    if let Some(relay) = &route.relay {
        return Ok(addresses(resolver, relay));
    }
    match exchangers(resolver, host) {
        Ok(candidates) => Ok(before_ourselves(candidates, &own()?)),
        Err(nowhere) => Ok(Err(nowhere)),
    }
}

fn addresses(resolver: &Resolver, name: &[u8]) -> Result<Vec<IpAddr>, Nowhere> {
    if name.is_empty() {
        return Err(Nowhere::Hard);
    }
    let mut found = resolver.addresses(name).map_err(|error| match error {
        Error::Soft(_) => Nowhere::Soft,
        _ => Nowhere::Hard,
    })?;
    found.truncate(MOST);
    Ok(found)
}

/// The exchangers of `host`, the best first. An address is its own exchanger, and so is a host
/// without exchangers. Source: RFC 5321 section 5.1.
///
/// [`Nowhere::Ourselves`] is for [`find`] to say.
pub fn exchangers(resolver: &Resolver, host: &[u8]) -> Result<Vec<Candidate>, Nowhere> {
    let itself =
        || Ok(addresses(resolver, host)?.into_iter().map(|address| (0, address)).collect());
    if host.is_empty() || ip::parse(host).or_else(|| ip::parse_literal(host)).is_some() {
        return itself();
    }
    match resolver.mx(host) {
        Err(Error::Soft(_)) => Err(Nowhere::Soft),
        Err(_) => itself(),
        Ok(exchangers) if is_null_mx(&exchangers) => Err(Nowhere::NullMx),
        Ok(exchangers) => {
            let exchangers: Vec<Exchanger> =
                exchangers.into_iter().filter(|one| !one.host.is_empty()).take(MOST).collect();
            let names: Vec<&[u8]> = exchangers.iter().map(|one| one.host.as_slice()).collect();
            gather(&exchangers, resolver.addresses_of(&names))
        }
    }
}

fn gather(
    exchangers: &[Exchanger],
    answers: Vec<Result<Vec<IpAddr>, Error>>,
) -> Result<Vec<Candidate>, Nowhere> {
    let is_soft = answers.iter().any(|answer| matches!(answer, Err(Error::Soft(_))));
    let found: Vec<Candidate> = exchangers
        .iter()
        .zip(answers)
        .flat_map(|(exchanger, answer)| {
            answer.unwrap_or_default().into_iter().map(|address| (exchanger.preference, address))
        })
        .take(MOST)
        .collect();
    match (found.is_empty(), is_soft) {
        (false, _) => Ok(found),
        (true, true) => Err(Nowhere::Soft),
        (true, false) => Err(Nowhere::NoAddress),
    }
}

/// Those that are preferred to the best of this host's own: others would send the mail back to us.
fn before_ourselves(candidates: Vec<Candidate>, own: &[IpAddr]) -> Result<Vec<IpAddr>, Nowhere> {
    let ours = candidates.iter().filter(|(_, address)| ipme::contains(own, *address));
    let best = ours.map(|(preference, _)| *preference).min();
    let is_before = |preference: u16| best.is_none_or(|best| preference < best);
    let before: Vec<IpAddr> = candidates
        .into_iter()
        .filter(|(preference, _)| is_before(*preference))
        .map(|(_, address)| address)
        .collect();
    if before.is_empty() { Err(Nowhere::Ourselves) } else { Ok(before) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(value: &str) -> (Option<String>, u16) {
        let route = Route::parse(value.as_bytes());
        (route.relay.map(|relay| String::from_utf8(relay).unwrap()), route.port)
    }

    #[test]
    fn a_route_is_a_host_and_a_port() {
        for (value, host, port) in [
            ("relay.test", "relay.test", 25),
            ("relay.test:26", "relay.test", 26),
            ("192.0.2.1:2525", "192.0.2.1", 2525),
            ("[192.0.2.1]", "192.0.2.1", 25),
            ("[2001:db8::1]:26", "2001:db8::1", 26),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", 25),
            ("2001:db8::1", "2001:db8::1", 25),
            ("relay.test:smtp", "relay.test", 25),
            ("relay.test:99999", "relay.test", 25),
            ("[relay.test", "[relay.test", 25),
        ] {
            assert_eq!(route(value), (Some(host.into()), port), "{value}");
        }
        assert_eq!(route(""), (None, 25));
        assert_eq!(route(":26"), (None, 26));
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn candidates(texts: &[(u16, &str)]) -> Vec<Candidate> {
        texts.iter().map(|(preference, text)| (*preference, text.parse().unwrap())).collect()
    }

    #[test]
    fn only_hosts_better_than_ourselves_are_tried() {
        let own = addresses(&["192.0.2.9", "::1"]);
        let tried = |texts: &[(u16, &str)]| before_ourselves(candidates(texts), &own);
        let (one, two) = ((10, "192.0.2.1"), (20, "192.0.2.2"));
        assert_eq!(tried(&[one, two]), Ok(addresses(&["192.0.2.1", "192.0.2.2"])));
        assert_eq!(tried(&[one, (20, "192.0.2.9"), two]), Ok(addresses(&["192.0.2.1"])));
        assert_eq!(tried(&[one, (10, "::1")]), Err(Nowhere::Ourselves));
        assert_eq!(tried(&[(0, "::ffff:192.0.2.9")]), Err(Nowhere::Ourselves));
    }

    #[test]
    fn name_servers_that_are_silent_to_the_end_of_the_schedule_are_a_deferral() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = vec![silent.local_addr().unwrap(); 2];
        // A schedule of 50 milliseconds instead of one of a minute for each server.
        let resolver = Resolver::new(servers).within(std::time::Duration::from_millis(50));
        for route in [Route::default(), Route::parse(b"relay.test")] {
            let found = find(&resolver, b"h.test", &route, || Ok::<_, ()>(Vec::new()));
            assert_eq!(found, Ok(Err(Nowhere::Soft)));
        }
    }

    #[test]
    fn an_exchanger_that_cannot_be_looked_up_matters_only_without_others() {
        let exchanger = |preference, host: &str| Exchanger { preference, host: host.into() };
        let two = [exchanger(10, "a.test"), exchanger(20, "b.test")];
        let soft = || Err(Error::Soft(unix::errno::Errno::ETIMEDOUT));
        let found = || Ok(addresses(&["192.0.2.1", "2001:db8::1"]));
        assert_eq!(
            gather(&two, vec![soft(), found()]),
            Ok(candidates(&[(20, "192.0.2.1"), (20, "2001:db8::1")]))
        );
        assert_eq!(gather(&two, vec![Err(Error::NoName), soft()]), Err(Nowhere::Soft));
        let none = vec![Err(Error::NoName), Err(Error::NoData)];
        assert_eq!(gather(&two, none), Err(Nowhere::NoAddress));
    }

    #[test]
    fn only_the_best_hundred_addresses_are_tried() {
        let exchangers: Vec<Exchanger> =
            (0..60).map(|preference| Exchanger { preference, host: b"a.test".to_vec() }).collect();
        let two = || Ok(addresses(&["192.0.2.1", "2001:db8::1"]));
        let found = gather(&exchangers, exchangers.iter().map(|_| two()).collect()).unwrap();
        assert_eq!(found.len(), 100);
        assert_eq!(found.last().map(|(preference, _)| *preference), Some(49));
    }

    #[test]
    fn a_literal_needs_nobody_to_be_asked() {
        let nobody = Resolver::new(Vec::new());
        let own = || Ok::<_, ()>(addresses(&["127.0.0.1"]));
        let find = |host: &str, route: &str| {
            super::find(&nobody, host.as_bytes(), &Route::parse(route.as_bytes()), own).unwrap()
        };
        assert_eq!(find("[192.0.2.1]", ""), Ok(addresses(&["192.0.2.1"])));
        assert_eq!(find("[IPv6:2001:db8::1]", ""), Ok(addresses(&["2001:db8::1"])));
        assert_eq!(find("192.0.2.1", ""), Ok(addresses(&["192.0.2.1"])));
        assert_eq!(find("[127.0.0.1]", ""), Err(Nowhere::Ourselves));
        assert_eq!(find("x.test", "127.0.0.1:26"), Ok(addresses(&["127.0.0.1"])));
        assert_eq!(find("x.test", ""), Err(Nowhere::Soft));
        assert_eq!(find("", ""), Err(Nowhere::Hard));
    }

    #[test]
    fn a_report_names_the_host_without_odd_bytes() {
        assert_eq!(
            Nowhere::Hard.report(b"a b\n\xff.test"),
            b"DSorry, I couldn't find any host named a?b??.test. (#5.1.2)\n"
        );
    }
}
