//! Stub resolver over UDP and TCP.
//!
//! Questions go to the servers of `$DNSCACHEIP`, else to those of /etc/resolv.conf, else to this
//! host; never to /etc/hosts. Ids and ports are random, an answer counts only if it comes from
//! the server asked and repeats id and question. EDNS is offered, truncated answers are fetched
//! over TCP, aliases are followed. How long servers are waited for is in the private module
//! `schedule`: without a budget a silent server costs 59 seconds.

mod exchange;
pub mod message;
mod name;
mod schedule;
mod servers;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use domain::base::Name;
use unix::errno::Errno;
use unix::random;
use wire::ip;

/// A name that stands for itself, not for a place in a message.
pub type Owned = Name<Vec<u8>>;

/// What kind of record is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name that this one is an alias of; only this kind is not followed to it.
    Cname,
    /// Mail exchangers.
    Mx,
    /// The name that an address's reverse name points to.
    Ptr,
    /// Text.
    Txt,
}

/// A name and the kind of records wanted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    name: Owned,
    kind: Kind,
}

impl Question {
    /// Asks for `kind` records of `name`: labels between dots, `\` and three octal digits for odd
    /// bytes, as this module gives names.
    ///
    /// [`Error::BadName`] if a label has more than 63 bytes, or the name more than 255.
    pub fn new(name: &[u8], kind: Kind) -> Result<Question, Error> {
        Ok(Question { name: name::parse(name).ok_or(Error::BadName)?, kind })
    }

    /// Asks for the name of an address.
    pub fn reverse(address: IpAddr) -> Result<Question, Error> {
        Question::new(&ip::reverse_name(address), Kind::Ptr)
    }
}

/// A record of an answer. Names are lower-case text without a dot at the end, odd bytes as `\` and
/// three octal digits; the root is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of MX.
    Exchanger(Exchanger),
    /// Of CNAME and PTR.
    Name(Vec<u8>),
    /// Of TXT: the strings of one record, one after another, bytes as they came.
    Text(Vec<u8>),
}

/// A mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchanger {
    /// Lower is tried first.
    pub preference: u16,
    /// Its name, in the form of [`Record`].
    pub host: Vec<u8>,
}

/// Whether the exchangers say that the domain takes no mail at all.
///
/// Source: RFC 7505: a single record, whose host is the root.
#[must_use]
pub fn is_null_mx(exchangers: &[Exchanger]) -> bool {
    matches!(exchangers, [only] if only.host.is_empty())
}

/// Why there are no records. All but [`Error::Soft`] are answers: asking again gives the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The name cannot exist: a label or all of it is too long.
    BadName,
    /// The name exists, and has no records of the kind asked for.
    NoData,
    /// The name does not exist.
    NoName,
    /// Nobody could say: all servers failed, or time was up (`ETIMEDOUT`).
    Soft(Errno),
}

impl Error {
    /// Whether the same question may be answered later.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        matches!(self, Error::Soft(_))
    }

    /// The errno in whose words the originals complain.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Error::BadName => Errno::EPROTO,
            Error::NoData | Error::NoName => Errno::ENOENT,
            Error::Soft(errno) => *errno,
        }
    }
}

/// Whom to ask, and how long at most.
#[derive(Clone, Debug)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    budget: Option<Duration>,
}

impl Resolver {
    /// Asks the servers of `$DNSCACHEIP`, else those of /etc/resolv.conf, else this host.
    ///
    /// `$DNSCACHEIP` is a list of addresses between blanks. IPv4 addresses may also be joined by
    /// dots, as the originals have it; a word may carry a port: `127.0.0.1:5353`, `[::1]:5353`.
    #[must_use]
    pub fn of_process() -> Resolver {
        let variable = std::env::var_os("DNSCACHEIP").map(OsString::into_vec);
        let mut servers = servers::from_variable(&variable.unwrap_or_default());
        if servers.is_empty() {
            servers = servers::from_file(&std::fs::read("/etc/resolv.conf").unwrap_or_default());
        }
        if servers.is_empty() {
            servers.push(servers::local());
        }
        Resolver::new(servers)
    }

    /// Asks these servers, in this order.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Resolver {
        Resolver { servers, budget: None }
    }

    /// Gives each call of the methods below at most `budget`, however many questions it asks.
    #[must_use]
    pub fn within(mut self, budget: Duration) -> Resolver {
        self.budget = Some(budget);
        self
    }

    /// Asks all questions at the same time; the answers are in their order.
    ///
    /// Records are as the server gave them, at least one.
    #[must_use]
    pub fn ask(&self, questions: &[Question]) -> Vec<Result<Vec<Record>, Error>> {
        exchange::ask(&self.servers, questions, self.budget)
    }

    fn ask_one(&self, question: Question) -> Result<Vec<Record>, Error> {
        self.ask(&[question]).pop().unwrap_or(Err(Error::Soft(Errno::EIO)))
    }

    /// The addresses of `name`: IPv4 first, then IPv6, each family in random order.
    ///
    /// An address, also in brackets, is its own answer. If one family fails softly and the other
    /// has addresses, these are the answer.
    pub fn addresses(&self, name: &[u8]) -> Result<Vec<IpAddr>, Error> {
        self.addresses_of(&[name]).pop().unwrap_or(Err(Error::NoData))
    }

    /// As [`Resolver::addresses`] for many names, all asked at the same time.
    #[must_use]
    pub fn addresses_of(&self, names: &[&[u8]]) -> Vec<Result<Vec<IpAddr>, Error>> {
        let literals = names.iter().map(|name| ip::parse(name).or_else(|| ip::parse_literal(name)));
        let literals: Vec<Option<IpAddr>> = literals.collect();
        let asked = names.iter().zip(&literals).map(|(name, literal)| match literal {
            Some(_) => None,
            None => Some(pair(name)),
        });
        let asked: Vec<_> = asked.collect();
        let questions: Vec<Question> =
            asked.iter().flatten().flatten().flatten().cloned().collect();
        let mut answers = self.ask(&questions).into_iter();
        literals
            .into_iter()
            .zip(asked)
            .map(|(literal, asked)| match (literal, asked) {
                (Some(address), _) => Ok(vec![address]),
                (None, Some(Ok(_))) => both(answers.next(), answers.next()),
                (None, Some(Err(error))) => Err(error),
                (None, None) => Err(Error::NoData),
            })
            .collect()
    }

    /// The mail exchangers of `domain`, best first, those of equal preference in random order.
    ///
    /// A null MX (RFC 7505) is an exchanger with an empty host: see [`is_null_mx`]. Without MX
    /// records it is [`Error::NoData`]; the domain's own addresses are the caller's affair.
    pub fn mx(&self, domain: &[u8]) -> Result<Vec<Exchanger>, Error> {
        let records = self.ask_one(Question::new(domain, Kind::Mx)?)?;
        let mut exchangers: Vec<Exchanger> = records
            .into_iter()
            .filter_map(|record| match record {
                Record::Exchanger(exchanger) => Some(exchanger),
                _ => None,
            })
            .collect();
        shuffle(&mut exchangers);
        exchangers.sort_by_key(|exchanger| exchanger.preference);
        Ok(exchangers)
    }

    /// The name of `address`: the first PTR record. Not verified; the address's owner chose it.
    pub fn ptr(&self, address: IpAddr) -> Result<Vec<u8>, Error> {
        first_name(self.ask_one(Question::reverse(address)?))
    }

    /// The text records of `name`: each record's strings joined.
    pub fn txt(&self, name: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let records = self.ask_one(Question::new(name, Kind::Txt)?)?;
        Ok(records
            .into_iter()
            .filter_map(|record| match record {
                Record::Text(text) => Some(text),
                _ => None,
            })
            .collect())
    }

    /// The name that `name` is an alias of, one step.
    pub fn cname(&self, name: &[u8]) -> Result<Vec<u8>, Error> {
        first_name(self.ask_one(Question::new(name, Kind::Cname)?))
    }
}

/// The first name of an answer to a question of kind PTR or CNAME.
pub fn first_name(answer: Result<Vec<Record>, Error>) -> Result<Vec<u8>, Error> {
    let mut names = answer?.into_iter().filter_map(|record| match record {
        Record::Name(name) => Some(name),
        _ => None,
    });
    names.next().ok_or(Error::NoData)
}

fn pair(name: &[u8]) -> Result<[Question; 2], Error> {
    Ok([Question::new(name, Kind::A)?, Question::new(name, Kind::Aaaa)?])
}

type Answer = Option<Result<Vec<Record>, Error>>;

/// The addresses in the answers for both families.
fn both(four: Answer, six: Answer) -> Result<Vec<IpAddr>, Error> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for answer in [four, six].into_iter().flatten() {
        match answer {
            Ok(records) => {
                let mut addresses: Vec<IpAddr> = records
                    .into_iter()
                    .filter_map(|record| match record {
                        Record::Address(address) => Some(address),
                        _ => None,
                    })
                    .collect();
                shuffle(&mut addresses);
                found.append(&mut addresses);
            }
            Err(error) => errors.push(error),
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    // "The name does not exist" holds for both families.
    let gravest = |wanted: fn(&Error) -> bool| errors.iter().copied().find(wanted);
    Err(gravest(|error| *error == Error::NoName)
        .or_else(|| gravest(Error::is_soft))
        .unwrap_or(Error::NoData))
}

/// Puts `items` into random order; without random numbers they stay as they are.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let Ok(number) = random::number() else { return };
        items.swap(last, number as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests;
