//! control/recipients: who is asked about the recipients of a domain. Source: the extension of that name
//! of s/qmail.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use lookup::cdb::Cdb;
use prog::Chain;
use queue::home::Home;
use unix::errno::Errno;
use unix::fd;

use crate::control::List;
use crate::inquiry;
use crate::submit::here;

/// The lines of the file.
#[derive(Debug)]
pub(super) struct Rules(List);

/// What they say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It exists.
    Yes,
    /// It does not.
    No,
    /// Others are to be asked.
    Pass,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule<'a> {
    /// Everything in this domain exists.
    All(&'a [u8]),
    /// Others are to be asked about everything that no line before this one has.
    Pass,
    /// This is asked about the addresses in these domains.
    Ask(Domains<'a>, Source<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domains<'a> {
    Any,
    /// This one.
    Is(&'a [u8]),
    /// It, and those below it.
    Under(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'a> {
    /// A database with this name.
    Database(&'a [u8]),
    /// A program and its arguments, between spaces.
    Program(&'a [u8]),
}

impl<'a> Rule<'a> {
    fn parse(line: &'a [u8]) -> Rule<'a> {
        if let Some(domain) = line.strip_prefix(b"!") {
            return if domain == b"*" { Rule::Pass } else { Rule::All(domain) };
        }
        let Some(at) = memchr::memchr2(b':', b'|', line) else {
            return Rule::Ask(Domains::Any, Source::Database(line));
        };
        let (domains, rest) = line.split_at_checked(at).unwrap_or_default();
        let source = match rest {
            [b'|', program @ ..] => Source::Program(program),
            [_, name @ ..] => Source::Database(name),
            [] => Source::Database(b""),
        };
        let domains = match domains {
            b"*" => Domains::Any,
            [b'@', domain @ ..] => Domains::Is(domain),
            domain => Domains::Under(domain),
        };
        Rule::Ask(domains, source)
    }
}

impl Domains<'_> {
    /// True if `domain`, in lower case, is one of them.
    fn have(self, domain: &[u8]) -> bool {
        match self {
            Domains::Any => true,
            Domains::Is(name) => domain.eq_ignore_ascii_case(name),
            Domains::Under(name) => {
                let start = domain.len().checked_sub(name.len());
                let Some((before, end)) = start.and_then(|at| domain.split_at_checked(at)) else {
                    return false;
                };
                end.eq_ignore_ascii_case(name) && matches!(before, [] | [.., b'.'])
            }
        }
    }
}

impl Rules {
    pub(super) fn new(list: List) -> Rules {
        Rules(list)
    }

    /// What the first line says that says something. An error is temporary.
    pub(super) fn ask(&self, home: &Home, recipient: &[u8]) -> io::Result<Said> {
        let mut address = recipient.to_ascii_lowercase();
        let at = memchr::memrchr(b'@', &address).unwrap_or_else(|| {
            address.extend_from_slice(b"@localhost");
            recipient.len()
        });
        let (local, domain) = address.split_at_checked(at).unwrap_or_default();
        let domain = domain.strip_prefix(b"@").unwrap_or_default();
        // For the addresses of a list, each with an extension of its own, the list itself will do.
        let dash = memchr::memchr(b'-', local);
        let head = dash.and_then(|dash| local.get(..=dash));
        let wider = head.map(|head| [head, b"@", domain].concat());
        for line in self.0.lines() {
            match Rule::parse(line) {
                Rule::All(name) if domain.eq_ignore_ascii_case(name) => return Ok(Said::Yes),
                Rule::Pass => return Ok(Said::Pass),
                Rule::Ask(domains, source) if domains.have(domain) => {
                    for address in std::iter::once(&address).chain(&wider) {
                        if source.has(home, address)? {
                            return Ok(Said::Yes);
                        }
                    }
                }
                Rule::All(_) | Rule::Ask(..) => {}
            }
        }
        Ok(Said::No)
    }
}

impl Source<'_> {
    fn has(self, home: &Home, address: &[u8]) -> io::Result<bool> {
        match self {
            Source::Database(name) => {
                let name = OsString::from_vec(name.to_vec());
                let cdb = Cdb::open(&home.path.join(Path::new(&name)))?;
                Ok(cdb.find(&[b":", address].concat())?.is_some())
            }
            Source::Program(words) => run(home, words, address),
        }
    }
}

/// Asks a program, as checkpassword is asked: the address on descriptor 3, with three zero bytes behind it.
/// 0 says yes, 111 that it cannot tell. A name without a slash is one in the home, as in control/rcptchecks.
fn run(home: &Home, words: &[u8], address: &[u8]) -> io::Result<bool> {
    let words = words.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let mut words = words.map(|word| OsString::from_vec(word.to_vec()));
    let program = words.next().map(|program| here(&program));
    let mut chain = Chain::new(program.into_iter().chain(words));
    let (question, end) = fd::pipe()?;
    // More than the pipe holds, which is no address, is an error: nobody reads yet.
    fd::nonblocking(&end, true)?;
    File::from(end).write_all(&[address, &[0; 3]].concat())?;
    chain.directory(&home.path);
    chain.descriptor(3, question);
    match inquiry::ask(chain, None, inquiry::LIMIT)?.status.code() {
        Some(0) => Ok(true),
        Some(111) | None => Err(Errno::EAGAIN.into()),
        Some(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whom_to_ask_about_what() {
        let parse = |line: &'static str| Rule::parse(line.as_bytes());
        assert_eq!(parse("!a.test"), Rule::All(b"a.test"));
        assert_eq!(parse("!*"), Rule::Pass);
        let file = Source::Database(b"users/r.cdb");
        assert_eq!(parse("users/r.cdb"), Rule::Ask(Domains::Any, file));
        assert_eq!(parse("*:users/r.cdb"), Rule::Ask(Domains::Any, file));
        assert_eq!(parse("@a.test:users/r.cdb"), Rule::Ask(Domains::Is(b"a.test"), file));
        let program = Source::Program(b"bin/check a:b");
        assert_eq!(parse("a.test|bin/check a:b"), Rule::Ask(Domains::Under(b"a.test"), program));
    }

    #[test]
    fn a_domain_is_itself_or_has_others_below_it() {
        assert!(Domains::Any.have(b"") && Domains::Is(b"A.test").have(b"a.test"));
        assert!(!Domains::Is(b"a.test").have(b"x.a.test"));
        let under = Domains::Under(b"A.test");
        assert!(under.have(b"a.test") && under.have(b"x.a.test"));
        assert!(!under.have(b"xa.test") && !under.have(b"test"));
    }
}
