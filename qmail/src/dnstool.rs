//! What the small programs that ask DNS share: one argument, a line for each answer, two words on errors.

use std::io::Write;
use std::os::unix::ffi::OsStringExt;

use lookup::resolver::{Error, Resolver};
use prog::{Args, Exit, Fatal, OrFatal};
use unix::fd;

/// Longest chain of aliases that is followed.
const LINKS: usize = 10;

/// The argument of a program that takes one. Without it the originals end with 100 and without a word.
pub fn operand(args: &mut Args) -> Result<Vec<u8>, Fatal> {
    let word = args.optional().ok_or_else(|| Fatal::silent(Exit::HARD))?;
    Ok(word.into_vec())
}

/// The end of a program that has got no answer.
#[must_use]
pub fn unanswered(error: Error) -> Fatal {
    if error.is_soft() { soft() } else { hard() }
}

/// `soft error`, 111: the same question may be answered later.
#[must_use]
pub fn soft() -> Fatal {
    Fatal::lines(Exit::SOFT, "soft error")
}

/// `hard error`, 100: the answer is no.
#[must_use]
pub fn hard() -> Fatal {
    Fatal::lines(Exit::HARD, "hard error")
}

/// Writes each of `lines` with a line end, all at once.
pub fn say(lines: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Exit, Fatal> {
    let mut out = Vec::new();
    for line in lines {
        out.extend_from_slice(line.as_ref());
        out.push(b'\n');
    }
    fd::stdout().write_all(&out).or_fatal("unable to write output")?;
    Ok(Exit::OK)
}

/// The name that `name` is an alias of, over at most ten links; `name` itself, without a dot at its end, if
/// it is none, or is an address in brackets.
pub fn canonical(resolver: &Resolver, name: &[u8]) -> Result<Vec<u8>, Fatal> {
    follow(name, |name| resolver.cname(name))
}

fn follow(
    name: &[u8],
    mut alias: impl FnMut(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Fatal> {
    let mut name = name.strip_suffix(b".").unwrap_or(name).to_vec();
    for _ in 0..LINKS {
        if name.is_empty() || name.ends_with(b"]") {
            return Ok(name);
        }
        match alias(&name) {
            Ok(next) => name = next,
            Err(error) if error.is_soft() => return Err(soft()),
            Err(_) => return Ok(name),
        }
    }
    Err(hard())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(name: &str, links: usize) -> Option<String> {
        let mut left = links;
        let name = follow(name.as_bytes(), |name| {
            left = left.checked_sub(1).ok_or(Error::NoData)?;
            Ok([b"x", name].concat())
        });
        name.ok().map(|name| String::from_utf8(name).unwrap())
    }

    #[test]
    fn aliases_are_followed_to_their_end() {
        assert_eq!(followed("a.test.", 0).as_deref(), Some("a.test"));
        assert_eq!(followed("a.test", 3).as_deref(), Some("xxxa.test"));
        assert_eq!(followed("a.test", 9).as_deref(), Some("xxxxxxxxxa.test"));
        assert_eq!(followed("a.test", 10), None);
        assert_eq!(followed("[192.0.2.1]", 3).as_deref(), Some("[192.0.2.1]"));
        assert_eq!(followed(".", 3).as_deref(), Some(""));
    }

    #[test]
    fn trouble_is_told() {
        let soft = Error::Soft(unix::errno::Errno::ETIMEDOUT);
        assert!(follow(b"a.test", |_| Err(soft)).is_err());
    }
}
