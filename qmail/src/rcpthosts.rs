//! Which recipients strangers may send to: rcpthosts, morercpthosts.cdb.

use std::cell::OnceCell;
use std::io;
use std::path::PathBuf;

use lookup::cdb::Cdb;
use queue::home::Home;

use crate::control::{Control, List};
use crate::domains::{DomainMap, DomainSet};

/// The recipients that a server takes from clients that may not relay.
#[derive(Debug)]
pub struct RcptHosts {
    hosts: Hosts,
    more: PathBuf,
    opened: OnceCell<Option<Cdb>>,
}

#[derive(Debug)]
enum Hosts {
    /// A line of the file is `*`.
    Anyone,
    /// The file says which.
    Listed(DomainSet),
    /// There is no file: those that are delivered here.
    Local { locals: DomainSet, virtuals: DomainMap },
}

impl RcptHosts {
    /// Reads control/rcpthosts, or else what names the local recipients.
    pub fn read(home: &Home, control: &Control) -> io::Result<RcptHosts> {
        let hosts = match control.list("rcpthosts")? {
            Some(list) => listed(&list),
            None => local(
                &control.list_or_me("locals")?.unwrap_or_default(),
                &control.list("virtualdomains")?.unwrap_or_default(),
            ),
        };
        let more = home.join("control/morercpthosts.cdb");
        Ok(RcptHosts { hosts, more, opened: OnceCell::new() })
    }

    /// True if there is no control/rcpthosts.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.hosts, Hosts::Local { .. })
    }

    /// True if `recipient` is taken. One without `@` always is. An error means that
    /// control/morercpthosts.cdb cannot be read.
    pub fn accepts(&self, recipient: &[u8]) -> io::Result<bool> {
        let Some(at) = memchr::memrchr(b'@', recipient) else { return Ok(true) };
        let domain = recipient.get(at + 1..).unwrap_or_default();
        match &self.hosts {
            Hosts::Anyone => Ok(true),
            Hosts::Listed(hosts) => Ok(hosts.matches(domain) || self.more(domain)?),
            Hosts::Local { locals, virtuals } => Ok(locals.contains(domain)
                || virtuals.address(recipient).is_some_and(|prepend| !prepend.is_empty())),
        }
    }

    /// The domain, and each end of it that starts with a dot, as keys of the database.
    fn more(&self, domain: &[u8]) -> io::Result<bool> {
        let Some(cdb) = self.open()? else { return Ok(false) };
        let domain = domain.to_ascii_lowercase();
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'.', &domain));
        for start in starts {
            if cdb.find(domain.get(start..).unwrap_or_default())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open(&self) -> io::Result<Option<&Cdb>> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.as_ref());
        }
        let opened = match Cdb::open(&self.more) {
            Ok(cdb) => Some(cdb),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(self.opened.get_or_init(|| opened).as_ref())
    }
}

fn listed(list: &List) -> Hosts {
    if list.lines().any(|line| line == b"*") {
        return Hosts::Anyone;
    }
    Hosts::Listed(DomainSet::new(list.lines()))
}

/// A virtualdomains line that stands for every other domain does not make each of them local mail
/// that strangers may send here.
fn local(locals: &List, virtuals: &List) -> Hosts {
    Hosts::Local {
        locals: DomainSet::new(locals.lines()),
        virtuals: DomainMap::new(virtuals.lines().filter(|line| !line.starts_with(b":"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookup::cdb::Writer;

    struct Host {
        _dir: tempfile::TempDir,
        home: Home,
    }

    fn host(files: &[(&str, &str)]) -> Host {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("control")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join("control").join(name), text).unwrap();
        }
        let home = Home { path: dir.path().into(), private: true };
        Host { _dir: dir, home }
    }

    fn read(host: &Host) -> io::Result<RcptHosts> {
        RcptHosts::read(&host.home, &Control::of(&host.home))
    }

    fn accepts(files: &[(&str, &str)], recipient: &str) -> bool {
        read(&host(files)).unwrap().accepts(recipient.as_bytes()).unwrap()
    }

    #[test]
    fn domains_and_their_ends_are_listed() {
        let files = [("rcpthosts", "Here.test\n.wild.test\n"), ("locals", "local.test\n")];
        for good in ["a@here.TEST", "a@x.wild.test", "a", "", "x@y@here.test", "\"@here.test"] {
            assert!(accepts(&files, good), "{good}");
        }
        for bad in ["a@x.here.test", "a@wild.test", "a@local.test", "a@", "a@here.test@other", "@x"]
        {
            assert!(!accepts(&files, bad), "{bad}");
        }
    }

    #[test]
    fn an_empty_list_takes_nothing() {
        let files = [("rcpthosts", "# nobody\n"), ("me", "here.test\n")];
        assert!(!accepts(&files, "a@here.test"));
        assert!(accepts(&files, "a"));
    }

    #[test]
    fn without_a_list_only_local_recipients_are_taken() {
        let virtuals = "virt.test:v\n.sub.test:v\njoe@one.test:joe\n\
            out.sub.test:\n:alias-uucp\n";
        let files = [("me", "here.test\n"), ("virtualdomains", virtuals)];
        assert!(read(&host(&files)).unwrap().is_missing());
        for good in ["a@HERE.test", "a@virt.test", "a@x.sub.test", "Joe@one.test", "a"] {
            assert!(accepts(&files, good), "{good}");
        }
        for bad in ["a@x.here.test", "a@out.sub.test", "ann@one.test", "a@elsewhere.test"] {
            assert!(!accepts(&files, bad), "{bad}");
        }
        let files = [("me", "here.test\n"), ("locals", "there.test\n")];
        assert!(accepts(&files, "a@there.test") && !accepts(&files, "a@here.test"));
    }

    #[test]
    fn a_star_takes_everything() {
        let files = [("rcpthosts", "here.test\n*\n")];
        assert!(accepts(&files, "a@elsewhere.test"));
        assert!(!read(&host(&files)).unwrap().is_missing());
    }

    #[test]
    fn more_domains_are_in_a_database() {
        let host = host(&[("rcpthosts", "here.test\n")]);
        let control = host.home.join("control");
        let mut writer = Writer::create(&control.join("morercpthosts.tmp")).unwrap();
        writer.add(b"more.test", b"").unwrap();
        writer.add(b".wild.test", b"").unwrap();
        writer.finish().unwrap().commit(&control.join("morercpthosts.cdb")).unwrap();
        let hosts = read(&host).unwrap();
        for (recipient, expected) in [
            ("a@here.test", true),
            ("a@More.test", true),
            ("a@b.WILD.test", true),
            ("a@wild.test", false),
            ("a@x.more.test", false),
        ] {
            assert_eq!(hosts.accepts(recipient.as_bytes()).unwrap(), expected, "{recipient}");
        }
    }

    #[test]
    fn a_database_that_cannot_be_read_is_an_error() {
        let host = host(&[("rcpthosts", "here.test\n"), ("morercpthosts.cdb", "torn")]);
        let hosts = read(&host).unwrap();
        assert!(hosts.accepts(b"a@here.test").unwrap());
        assert!(hosts.accepts(b"a@elsewhere.test").is_err());
    }
}
